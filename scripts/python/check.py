"""What scripts/python.sh runs in a real PySpark: the package from the job jar, by --py-files."""

import sys
import tempfile

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import mambaspark

corpus_file, scores = sys.argv[1:]
assert ".jar" in mambaspark.__file__, mambaspark.__file__
spark = SparkSession.builder.getOrCreate()
corpus = spark.read.json(corpus_file).select("id", "text").orderBy("id").limit(20).cache()
by_command = {
    row.id: (row.nll, row.token_count, row.perplexity)
    for row in spark.read.parquet(scores).collect()
}


def check(rows, what):
    found = {row.id: (row.nll, row.token_count, row.perplexity) for row in rows.collect()}
    assert len(found) == 20, (what, len(found))
    for key, values in found.items():
        # Floats that are equal in Python have equal bits, as none is a zero or a NaN.
        assert values == by_command[key], (what, key, values, by_command[key])
    print(f"{what}: 20 rows, equal to the bit to the command's")


stage = mambaspark.MambaPerplexity(model="demo", textColumn="text")
assert "checkpoint: a folder" in stage.explainParams()
check(stage.transform(corpus), "MambaPerplexity")

cheap = SQLTransformer(statement="SELECT * FROM __THIS__ WHERE perplexity > 0")
with tempfile.TemporaryDirectory() as folder:
    Pipeline(stages=[stage, cheap]).fit(corpus).write().overwrite().save(folder + "/pipeline")
    check(PipelineModel.load(folder + "/pipeline").transform(corpus), "a pipeline saved and loaded")

corpus.createOrReplaceTempView("corpus")
check(
    spark.sql("SELECT id, s.* FROM (SELECT id, mamba_score(text) AS s FROM corpus)"),
    "mamba_score of the extension",
)
mambaspark.register_function(spark, "score_of_demo", "demo")
check(
    corpus.withColumn("s", F.expr("score_of_demo(text)")).select("id", "s.*"),
    "a registered function",
)
try:
    mambaspark.register_function(spark, "none", "/no/such/model")
    raise SystemExit("a model that is not there was taken")
except Exception as e:
    assert "Cannot open model /no/such/model: no such folder" in str(e), e
spark.stop()
