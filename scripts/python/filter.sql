-- README's example. scripts/python.sh runs it in spark-sql and checks its output.

INSERT OVERWRITE DIRECTORY 'scores' USING parquet
  SELECT id, text, mamba_perplexity(text) AS perplexity FROM json.`corpus.jsonl`;

INSERT OVERWRITE DIRECTORY 'filtered' USING parquet
  SELECT * FROM parquet.`scores`
  WHERE perplexity <= (SELECT percentile(perplexity, 0.9) FROM parquet.`scores`);
