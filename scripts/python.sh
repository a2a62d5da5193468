#!/usr/bin/env bash
# Tests the job jar, which contains the Python package, in PySpark from PyPI. PySpark gets the jar only
# through --packages, from the repository that the profile "publish" fills under target/, and without a
# network. Runs README's examples with spark-submit and spark-sql, then scripts/python/check.py. Each of
# these must produce the scores of the command line, to the bit:
#
#   - README's examples
#   - a pipeline stage, saved with its model and without
#   - SQL functions, with the extension and without
#
# SPARK_VERSION=3.5.6 chooses another PySpark. Needs JDK 17, Maven and Python 3 with venv.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

venv=$target/python-$spark_version
if [[ ! -e $venv/ready ]]; then
  say "Installing PySpark $spark_version with pip ..."
  python3 -m venv "$venv"
  "$venv/bin/pip" -q install --no-compile "pyspark==$spark_version" numpy >&2
  touch "$venv/ready"
fi
publish
for module in engine jobs; do
  for kind in .jar .pom -sources.jar -javadoc.jar; do
    file=${published//mamba-spark-jobs/mamba-spark-$module}
    [[ -e ${file%.jar}$kind ]] || die "The profile publish did not write ${file%.jar}$kind"
  done
done
corpus=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl
out=$target/python
rm -rf "$out"
for example in sql py; do
  mkdir -p "$out/$example"
  head -n 20 "$corpus" >"$out/$example/corpus.jsonl"
done
"$root/scripts/submit.sh" score --model demo --input "$out/py/corpus.jsonl" --input-format json \
  --text-column text --keep-columns id --output "$out/scores" >&2
unset SPARK_HOME SPARK_CONF_DIR

# pyspark PROGRAM FOLDER ARGUMENTS...: runs a program of PySpark in a folder. Spark first
# searches .m2 in user.home, which is $packages. All downloads use a proxy that does not exist, so they fail.
pyspark() (
  program=$1
  cd "$2"
  shift 2
  SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON=$venv/bin/python3 "$venv/bin/$program" \
    --master 'local[2]' --driver-memory 2g \
    --conf spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions \
    --conf spark.mambaspark.model=demo \
    --conf "spark.jars.ivy=$PWD/ivy" \
    --driver-java-options "-Dlog4j2.configurationFile=file:$root/conf/log4j2.properties
      -Duser.home=$packages -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9" \
    --packages "io.github.mambaspark:mamba-spark-jobs:$(pom_value version)" \
    "$@"
)

pyspark spark-sql "$out/sql" -f "$root/scripts/python/filter.sql" &
sql=$!
pyspark spark-submit "$out/py" "$root/scripts/python/filter.py"
wait "$sql"
pyspark spark-submit "$out" "$root/scripts/python/check.py" "${corpus%/*}/tiny-books" \
  "$root/engine/src/test/resources/golden/mamba2" "$out"
pulled=$(ls "$out/ivy/jars")
[[ $pulled == "io.github.mambaspark_${jar##*/}" ]] ||
  die "--packages pulled other files than io.github.mambaspark_${jar##*/}: found ${pulled//$'\n'/, }"
echo "--packages pulled $pulled and nothing else"
