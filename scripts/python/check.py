"""Tests the package from the job jar in PySpark with --packages. scripts/python.sh runs this file."""

import glob
import json
import os
import re
import shutil
import sys
import tempfile

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import SparkSession

import mambaspark

model, mamba2, out = sys.argv[1:]
assert ".jar" in mambaspark.__file__, mambaspark.__file__
spark = SparkSession.builder.getOrCreate()
corpus = spark.read.json(out + "/py/corpus.jsonl").select("id", "text").cache()
by_command = {
    row.id: (row.nll, row.token_count, row.perplexity)
    for row in spark.read.parquet(out + "/scores").collect()
}


def check(rows, what):
    found = {row.id: (row.nll, row.token_count, row.perplexity) for row in rows.collect()}
    assert len(found) == 20, (what, len(found))
    for key, values in found.items():
        # Equal floats have equal bits here, because no value is a zero or a NaN.
        assert values == by_command[key], (what, key, values, by_command[key])
    print(f"{what}: 20 rows equal those of the command, to the bit")


def refused(what, attempt, *parts):
    try:
        attempt()
    except Exception as e:
        assert all(part in str(e) for part in parts), (what, e)
        print(f"{what}: refused")
    else:
        raise SystemExit(f"{what}: expected a refusal")


def saved_params(path):
    with open(sorted(glob.glob(f"{path}/metadata/part-*"))[0]) as file:
        return json.load(file)["paramMap"]


for example in ("py", "sql"):
    best = sorted((scores[2], id) for id, scores in by_command.items())[:18]
    filtered = spark.read.parquet(f"{out}/{example}/filtered").collect()
    assert sorted((row.perplexity, row.id) for row in filtered) == best, (example, filtered)
    print(f"README's example, {example}: the expected 18 of {len(by_command)} rows")

stage = mambaspark.MambaPerplexity(model="demo", textColumn="text")
java = stage._java_obj
assert {p.name: p.doc for p in stage.params} == {p.name(): p.doc() for p in java.params()}
assert {p.name for p in stage.params if stage.hasDefault(p)} == {
    p.name() for p in java.params() if java.hasDefault(p)
}
assert "checkpoint: a folder" in stage.explainParams()
check(stage.transform(corpus), "MambaPerplexity")

work = tempfile.mkdtemp()
filtering = SQLTransformer(statement="SELECT * FROM __THIS__ WHERE perplexity > 0")
Pipeline(stages=[stage, filtering]).fit(corpus).write().overwrite().save(work + "/pipeline")
check(PipelineModel.load(work + "/pipeline").transform(corpus), "a saved and loaded pipeline")
assert not glob.glob(work + "/pipeline/**/*.safetensors", recursive=True)
assert re.fullmatch("[0-9a-f]{64}", saved_params(work + "/pipeline/stages/*")["fingerprint"])
assert not stage.isSet(stage.fingerprint)

# Saves a stage with its model and deletes the original model. Then moves, overwrites and changes the copy.
shutil.copytree(model, work + "/model")
with_model = mambaspark.MambaPerplexity(model=work + "/model", textColumn="text", saveModel=True)
with_model.save(work + "/saved")
refused("saving to the same path", lambda: with_model.save(work + "/saved"), "already exists")
shutil.rmtree(work + "/model")
os.rename(work + "/saved", work + "/moved")
loaded = mambaspark.MambaPerplexity.load(work + "/moved")
assert (loaded.uid, loaded._java_obj.uid()) == (with_model.uid, with_model.uid)
assert loaded.getOrDefault("model") == f"file:{work}/moved/model"
assert saved_params(work + "/moved")["model"] == work + "/model"
loaded.write().overwrite().save(work + "/moved")
check(mambaspark.MambaPerplexity.load(work + "/moved").transform(corpus), "a moved and overwritten stage")
Pipeline(stages=[loaded, filtering]).fit(corpus).save(work + "/with")
PipelineModel.load(work + "/with").write().overwrite().save(work + "/with")
shutil.rmtree(work + "/moved")
check(PipelineModel.load(work + "/with").transform(corpus), "an overwritten pipeline with a model")
plain = PipelineModel.load(work + "/with").stages[0].setParams(saveModel=False)
refused(
    "overwriting the saved model without saving it again",
    lambda: plain.write().overwrite().save(glob.glob(work + "/with/stages/0*")[0]),
    "that folder contains the stage's model",
)

plain.save(work + "/plain")
weights = glob.glob(work + "/with/stages/0*/model/model.safetensors")[0]
with open(weights, "r+b") as file:
    file.seek(-4, os.SEEK_END)
    last = file.read(1)[0]
    file.seek(-4, os.SEEK_END)
    file.write(bytes([last ^ 1]))
os.utime(weights, (0, 0))
for path, what in ("/plain", "a changed model"), ("/with", "a changed model in a pipeline"):
    load = PipelineModel.load if path == "/with" else mambaspark.MambaPerplexity.load
    refused(
        what,
        lambda: load(work + path).transform(corpus),
        "is not the model that stage " + with_model.uid + " was saved with",
    )
shutil.rmtree(work)

corpus.createOrReplaceTempView("corpus")
FUNCTIONS = """
    SELECT id, s.nll, s.token_count, p AS perplexity FROM (
      SELECT id, mamba_score(text) AS s, mamba_perplexity(text) AS p, mamba_nll(text) AS n
      FROM corpus WHERE mamba_nll(text) > 0)
    WHERE s.nll = n AND s.perplexity = p"""
check(spark.sql(FUNCTIONS), "SQL functions of the extension")
usage = [spark.sql(f"DESCRIBE FUNCTION mamba_{f}").collect()[-1] for f in ("score", "nll")]
rows = corpus.collect()
# This scorer is closed only after its session has ended.
scorer = spark._jvm.io.mambaspark.jobs.MambaScorer.load("demo").textColumn("text")
scorer = scorer.modelDelivery("broadcast")
assert scorer.score(corpus._jdf).count() == 20
spark.stop()

spark = SparkSession.builder.config("spark.sql.extensions", "").getOrCreate()
spark.createDataFrame(rows).createOrReplaceTempView("corpus")
assert not spark.catalog.functionExists("mamba_score"), "the extension is still active"
refused(
    "a model that does not exist",
    lambda: mambaspark.register_functions(spark, "/no/such/model"),
    "Cannot open model /no/such/model: no such folder",
)
mambaspark.register_functions(spark, "demo")
scorer.close()
check(spark.sql(FUNCTIONS), "registered functions")
check(stage.transform(spark.table("corpus")), "MambaPerplexity in another session")
assert usage == [
    spark.sql(f"DESCRIBE FUNCTION mamba_{f}").collect()[-1] for f in ("score", "nll")
]

tokens = spark.createDataFrame(
    [(f"row-{i}", [7 * i % 50 + j % 3 for j in range(i + 2)]) for i in range(20)],
    "id string, tokens array<int>",
)
tokens.createOrReplaceTempView("tokens")
mambaspark.register_functions(spark, mamba2)
by_sql = spark.sql("SELECT id, mamba_perplexity(tokens) AS perplexity FROM tokens")
by_stage = mambaspark.MambaPerplexity(model=mamba2, tokensColumn="tokens").transform(tokens)
by_sql, by_stage = ({row.id: row.perplexity for row in r.collect()} for r in (by_sql, by_stage))
assert len(by_sql) == 20 and by_sql == by_stage, (by_sql, by_stage)
print("Mamba-2: 20 rows, equal to the bit in the stage and in SQL")
spark.stop()
