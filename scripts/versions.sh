#!/usr/bin/env bash
# Runs the same jar on Spark 4.2, 4.0 and 3.5: a scoring job, and scripts/versions/Smoke.java, which uses the
# APIs and reads inputs that some versions of Spark read differently. All versions must print and
# write the same, to the bit. Maven fills the Spark homes. JDK25_HOME names a JDK 25; if it is not set, the
# script searches /usr/lib/jvm.
#
# Spark 3.5 does not start executors with the vector module. On 3.5 both programs therefore also run on a
# cluster of one executor, without any configured options. The scoring job must add the module to the
# executor. Smoke.java scores in a running session, which cannot add the module; a warning must name the
# remedy.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
unset SPARK_HOME SPARK_CONF_DIR MASTER
out=$target/versions
cluster='local-cluster[1,1,1024]'
flag=--add-modules=jdk.incubator.vector
corpus=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl

# bare MASTER: if MASTER is a cluster, sets SPARK_CONF_DIR to a folder that configures only the log.
bare() { [[ $1 == local\[* ]] || export SPARK_CONF_DIR=$out/conf; }

# Drivers run without C2: these jobs are too short to gain from its compilations.
driver="spark.driver.extraJavaOptions=$flag -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

# command_line NAME MASTER: runs the scoring job through spark-submit. The name of its output is also
# a glob that does not match this name, so the job must not expand it.
command_line() (
  bare "$2"
  MASTER=$2 exec "$root/scripts/submit.sh" --conf spark.ui.enabled=false --conf "$driver" -- \
    score --model demo --input "$corpus" --input-format json --limit 20 --max-tokens 40 \
    --text-column text --keep-columns id --output-format json --output "$out/$1 [v1]"
)

# smoke NAME MASTER: compiles Smoke.java against this Spark and runs it.
smoke() (
  bare "$2"
  spark_home
  classes=$out/$1-classes
  mkdir "$classes"
  "${java}c" -nowarn -cp "$jar:$SPARK_HOME/jars/*" -d "$classes" "$root/scripts/versions/Smoke.java"
  "${java%java}jar" cf "$classes.jar" -C "$classes" .
  SPARK_LOCAL_IP=127.0.0.1 exec_spark_class org.apache.spark.deploy.SparkSubmit \
    --master "$2" --class Smoke --jars "$jar" \
    --conf "$driver" --conf spark.serializer=org.apache.spark.serializer.KryoSerializer \
    --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2 \
    --conf spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions \
    --conf spark.mambaspark.model=demo "$classes.jar" "$root/jobs/src/test/resources/cases"
)

# check NAME [MASTER [MASTER]]: runs the scoring job on the first master and Smoke.java on the second, at the
# same time, with the current SPARK_VERSION, SCALA_VERSION and JAVA_HOME. Compares their output with that
# of the first call.
check() {
  local name=$1 begin=$SECONDS commands smokes failed=
  spark_version=$SPARK_VERSION scala_version=$SCALA_VERSION
  (spark_home)
  command_line "$name" "${2:-local[2]}" >"$out/$name-command.log" 2>&1 &
  commands=$!
  smoke "$name" "${3:-local[2]}" >"$out/$name.txt" 2>"$out/$name-smoke.log" &
  smokes=$!
  wait "$commands" || failed=command
  wait "$smokes" || failed="$failed smoke"
  if [[ $failed ]]; then
    tail -n 40 "$out/$name"-{command,smoke}.log >&2
    die "$name failed: $failed; see $out/$name-*.log"
  fi
  LC_ALL=C sort "$out/$name [v1]"/part-* >"$out/$name.jsonl"
  first=${first:-$name}
  cmp "$out/$first.jsonl" "$out/$name.jsonl"
  cmp "$out/$first.txt" "$out/$name.txt"
  say "$name: passed in $((SECONDS - begin)) s"
}

# works HOME: sets $work to the folder in which executors of local-cluster write their logs, and deletes it.
works() {
  work=$target/spark-home-$1/work
  rm -rf "$work"
}

# expect COUNT TEXT FILE...: fails unless the files contain TEXT in COUNT lines.
expect() {
  local count
  count=$(cat "${@:3}" | grep -cF -e "$2") || true
  [[ $count == "$1" ]] || die "Expected $1 lines with '$2' in ${*:3}, found $count"
}

rm -rf "$out"
mkdir -p "$out/conf"
cp "$root/conf/log4j2.properties" "$out/conf"
build_jar
first=

export SPARK_VERSION=4.2.0 SCALA_VERSION=2.13
check 4.2.0-2.13
SPARK_VERSION=4.0.1
check 4.0.1-2.13

SPARK_VERSION=3.5.6
works 3.5.6-2.13
check 3.5.6-2.13 'local[2]' "$cluster"
expect 1 "the session with --conf spark.executor.extraJavaOptions=$flag" "$out"/3.5.6-2.13-smoke.log
expect 1 'Kernels: scalar kernels' "$work"/app-*/0/stderr

SCALA_VERSION=2.12
works 3.5.6-2.12
check 3.5.6-2.12 "$cluster"
expect 1 'Kernels: Vector API kernels' "$work"/app-*/0/stderr
expect 0 'scalar kernels' "$work"/app-*/0/stderr "$out"/3.5.6-2.12-command.log

jdk25=${JDK25_HOME:-$(ls -d /usr/lib/jvm/*25* 2>/dev/null | head -n 1 || true)}
if [[ -x $jdk25/bin/java ]]; then
  export SPARK_VERSION=4.2.0 SCALA_VERSION=2.13 JAVA_HOME=$jdk25
  java=$JAVA_HOME/bin/java
  check 4.2.0-2.13-jdk25
else
  say "Skipped JDK 25: found none; set JDK25_HOME to its folder"
fi
cat "$out/$first.txt"
echo "$(wc -l <"$out/$first.jsonl") rows, equal to the bit on all versions"
