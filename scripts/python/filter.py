"""README's example as a user's script. scripts/python.sh runs it and checks its output."""

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
corpus = spark.read.json("corpus.jsonl").select("id", "text")

from mambaspark import MambaPerplexity, register_functions

MambaPerplexity(model="demo", textColumn="text").transform(corpus).write.parquet("scores")
scores = spark.read.parquet("scores")
[p90] = scores.approxQuantile("perplexity", [0.9], 0)
scores.where(scores.perplexity <= p90).write.parquet("filtered")

corpus.createOrReplaceTempView("corpus")
register_functions(spark, "demo")
spark.sql("SELECT id, mamba_nll(text) FROM corpus WHERE mamba_perplexity(text) < 500").show()
