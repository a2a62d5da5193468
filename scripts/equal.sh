#!/usr/bin/env bash
# Checks that two versions of the job jar behave the same. Compares scores to the bit, columns, summaries,
# ledgers, reports, exit codes, messages, help and the Java API.
#
#   scripts/equal.sh OLD_JAR NEW_JAR [WORK_DIR]
#
# Prints one line for each case of scripts/equal/Equal.java and exits with 1 if any case differs. Writes the
# results of the cases to WORK_DIR/old/cases and WORK_DIR/new/cases, and their differences to WORK_DIR/diff
# (default of WORK_DIR: target/equal). Compares the texts of the columns `error` and `token_error`
# separately: a difference in them is reported, but is not a failure. Both jars run at the same time, each
# on local[2]. The driver program, Equal.java, is compiled against OLD_JAR, so NEW_JAR must have the classes
# and methods that the driver uses.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

(($# == 2 || $# == 3)) || usage
old=$(realpath "$1")
new=$(realpath "$2")
work=$(realpath -m "${3:-$target/equal}")
demo=$root/jobs/src/main/resources/io/mambaspark/jobs/demo
cases=$root/jobs/src/test/resources/cases
export TZ=UTC SPARK_LOCAL_IP=127.0.0.1

# run JAR LOG ARGUMENTS...: runs the driver with a job jar, through spark-submit.
run() (
  exec_spark_class org.apache.spark.deploy.SparkSubmit \
    --master 'local[2]' --class Equal --jars "$1" --driver-memory 2g \
    --conf spark.driver.extraJavaOptions="--add-modules=jdk.incubator.vector -XX:+UseSerialGC" \
    --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2 \
    --conf spark.sql.warehouse.dir="$work/warehouse" \
    "$work/classes.jar" "${@:3}" >"$2" 2>&1
)

fail() {
  tail -n 40 "$1" >&2
  die "Cannot compare the jars: the driver failed; see $1"
}

spark_home
rm -rf "$work"/{in,old,new,diff,classes,warehouse}
mkdir -p "$work"/{in,old,new,diff,classes}
"${java}c" -nowarn -cp "$old:$SPARK_HOME/jars/*" -d "$work/classes" "$root/scripts/equal/Equal.java"
"${java%java}jar" cf "$work/classes.jar" -C "$work/classes" .
run "$old" "$work/inputs.log" inputs "$work/in" "$demo" || fail "$work/inputs.log"
run "$old" "$work/old/log" cases "$work/in" "$work/old" "$cases" &
pid=$! failed=
run "$new" "$work/new/log" cases "$work/in" "$work/new" "$cases" || failed=new
wait "$pid" || failed=old
[[ -z $failed ]] || fail "$work/$failed/log"

differ=0
cd "$work"
for name in $(cd old/cases && { ls; ls ../../new/cases; } | sort -u); do
  if diff -uN "old/cases/$name" "new/cases/$name" >"diff/$name"; then
    rm "diff/$name"
    [[ $name == *.errors ]] || echo "${name%.txt}: equal"
  elif [[ $name == *.errors ]]; then
    echo "${name%.errors}: error texts differ; see $work/diff/$name"
  else
    echo "${name%.txt}: DIFFERS; see $work/diff/$name"
    differ=$((differ + 1))
  fi
done
((differ == 0)) || die "The jars differ in $differ cases; see $work/diff"
