#!/usr/bin/env bash
# Shows that two versions of the job jar behave the same, such as before and after a change that must
# not be seen: scores to the bit, columns, summaries, ledgers, reports, exit codes, messages, help and
# the Java API.
#
#   scripts/equal.sh OLD_JAR NEW_JAR [WORK_DIR]
#
# Prints a line for each case of scripts/equal/Equal.java, and ends with 1 if one differs. What was seen
# of a case is WORK_DIR/old/cases/NAME.txt and WORK_DIR/new/cases/NAME.txt, the difference is
# WORK_DIR/diff/NAME.txt (default: target/equal). Texts of the column `error` alone may differ: that is
# said, and is no difference. Both run at once, in local[2]; the driver is compiled against OLD_JAR.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

(($# == 2 || $# == 3)) || { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | head -n -1 >&2; exit 2; }
old=$(realpath "$1")
new=$(realpath "$2")
work=$(realpath -m "${3:-$target/equal}")
demo=$root/jobs/src/main/resources/io/mambaspark/jobs/demo
cases=$root/jobs/src/test/resources/cases
export TZ=UTC SPARK_LOCAL_IP=127.0.0.1

# run JAR LOG ARGUMENTS...: the driver with a jar, through spark-submit.
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
  die "Failed; see $1"
}

spark_home
rm -rf "$work"/{in,old,new,diff,classes,warehouse}
mkdir -p "$work"/{in,old,new,diff,classes}
"${java}c" -nowarn -cp "$old:$SPARK_HOME/jars/*" -d "$work/classes" "$root/scripts/equal/Equal.java"
"${java%java}jar" cf "$work/classes.jar" -C "$work/classes" .
run "$old" "$work/inputs.log" inputs "$work/in" "$demo" || fail "$work/inputs.log"
run "$old" "$work/old/log" cases "$work/in" "$work/old" "$cases" &
pid=$!
run "$new" "$work/new/log" cases "$work/in" "$work/new" "$cases" || fail "$work/new/log"
wait "$pid" || fail "$work/old/log"

differ=0
cd "$work"
for name in $(cd old/cases && { ls; ls ../../new/cases; } | sort -u); do
  if diff -uN "old/cases/$name" "new/cases/$name" >"diff/$name"; then
    rm "diff/$name"
    [[ $name == *.errors ]] || echo "${name%.txt}: equal"
  elif [[ $name == *.errors ]]; then
    echo "${name%.errors}: error texts differ, see $work/diff/$name"
  else
    echo "${name%.txt}: DIFFERS, see $work/diff/$name"
    differ=$((differ + 1))
  fi
done
((differ == 0)) || die "$differ cases differ"
