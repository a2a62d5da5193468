#!/usr/bin/env bash
# Runs scripts/python/check.py in a real PySpark from PyPI, with the package that lies inside the job
# jar: the scores of a pipeline stage, saved with its model and without, and of SQL, with and without the
# extension, must be those of the command line, to the bit. SPARK_VERSION=3.5.6 takes another PySpark.
# Needs JDK 17, Maven and Python 3 with venv.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

venv=$target/python-$spark_version
if [[ ! -e $venv/ready ]]; then
  say "Installing PySpark $spark_version with pip ..."
  python3 -m venv "$venv"
  "$venv/bin/pip" -q install "pyspark==$spark_version" numpy >&2
  touch "$venv/ready"
fi
build_jar
corpus=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl
rm -rf "$target/python-scores"
"$root/scripts/submit.sh" score --model demo --input "$corpus" --input-format json --text-column text \
  --keep-columns id --output "$target/python-scores" >&2
unset SPARK_HOME SPARK_CONF_DIR
SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON=$venv/bin/python3 "$venv/bin/spark-submit" \
  --master 'local[2]' --driver-memory 2g \
  --conf spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions \
  --conf spark.mambaspark.model=demo \
  --driver-java-options "-Dlog4j2.configurationFile=file:$root/conf/log4j2.properties" --jars "$jar" --py-files "$jar" \
  "$root/scripts/python/check.py" "$corpus" "$target/python-scores"
