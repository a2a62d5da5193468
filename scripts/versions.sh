#!/usr/bin/env bash
# Runs the one jar on every Spark that it is for: a scoring job, and scripts/versions/Smoke.java, the
# ways into a pipeline. All must print and write the same, to the bit. Spark homes are filled by Maven;
# JDK25_HOME says where a JDK 25 is, otherwise it is looked for where distributions put it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
unset SPARK_HOME SPARK_CONF_DIR MASTER
out=$target/versions
corpus=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl

# In a Spark home: compiles the smoke and runs it.
smoke() (
  spark_home
  classes=$out/classes-$spark_version-$scala_version
  mkdir -p "$classes"
  "${java}c" -nowarn -cp "$jar:$SPARK_HOME/jars/*" -d "$classes" "$root/scripts/versions/Smoke.java"
  "${java%java}jar" cf "$classes.jar" -C "$classes" .
  SPARK_LOCAL_IP=127.0.0.1 exec_spark_class org.apache.spark.deploy.SparkSubmit \
    --master 'local[2]' --class Smoke --jars "$jar" \
    --conf spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions \
    --conf spark.mambaspark.model=demo "$classes.jar"
)

# check NAME: with SPARK_VERSION, SCALA_VERSION and JAVA_HOME as they are.
check() {
  say "== $1"
  rm -rf "$out/$1"
  "$root/scripts/submit.sh" score --model demo --input "$corpus" --input-format json --limit 20 \
    --text-column text --keep-columns id --output-format json --output "$out/$1" >&2
  LC_ALL=C sort "$out/$1"/part-* >"$out/$1.jsonl"
  smoke >"$out/$1.txt"
  first=${first:-$1}
  cmp "$out/$first.jsonl" "$out/$1.jsonl"
  cmp "$out/$first.txt" "$out/$1.txt"
}

mkdir -p "$out"
build_jar
first=
for version in 4.2.0:2.13 4.0.1:2.13 3.5.6:2.13 3.5.6:2.12; do
  export SPARK_VERSION=${version%:*} SCALA_VERSION=${version#*:}
  spark_version=$SPARK_VERSION scala_version=$SCALA_VERSION
  check "$SPARK_VERSION-$SCALA_VERSION"
done
jdk25=${JDK25_HOME:-$(ls -d /usr/lib/jvm/*25* 2>/dev/null | head -n 1 || true)}
if [[ -x $jdk25/bin/java ]]; then
  export SPARK_VERSION=4.2.0 SCALA_VERSION=2.13 JAVA_HOME=$jdk25
  spark_version=$SPARK_VERSION scala_version=$SCALA_VERSION java=$JAVA_HOME/bin/java
  check 4.2.0-2.13-jdk25
else
  say "No JDK 25 here; set JDK25_HOME to run on one"
fi
cat "$out/$first.txt"
echo "$(wc -l <"$out/$first.jsonl") rows, equal to the bit on all of them"
