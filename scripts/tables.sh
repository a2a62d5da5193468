#!/usr/bin/env bash
# Reads and writes tables of Iceberg and Delta, in catalogs on the local disk, with the same jar:
#
#   iceberg    Iceberg 1.12 on Spark 4.1, which is the newest Spark that it supports
#   delta      Delta 4.4 on Spark 4.2
#
# For each format, scripts/tables/Tables.java runs the commands in one session. Then a job and a stream are
# killed and repeated; each document must be in the table once. Both formats run at the same time.
#
#   scripts/tables.sh [FORMAT...]    the formats (default: both)
#
# Writes to target/tables. Maven fills the Spark homes and the folders of jars.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
unset SPARK_HOME SPARK_CONF_DIR MASTER

out=$target/tables
formats=("$@")
((${#formats[@]})) || formats=(iceberg delta)
corpus=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/corpus.jsonl

# use FORMAT: sets the version of Spark, $jars, and $conf with the settings of the catalogs.
use() {
  format=$1 work=$out/$1
  case $format in
    iceberg) line=4.1 export SPARK_VERSION=4.1.0 prefix=ice.db. ;;
    delta) line=4.2 export SPARK_VERSION=4.2.0 prefix=$work/paths/ ;;
    *) die "Unknown format $format: expected iceberg or delta" ;;
  esac
  spark_version=$SPARK_VERSION
  local folder=$target/tables-jars/$format pom=$root/scripts/tables/pom.xml
  if [[ ! -e $folder/ready || $pom -nt $folder/ready ]]; then
    rm -rf "$folder"
    mvn -q -B -f "$pom" -P "$format" dependency:copy-dependencies -DoutputDirectory="$folder" >&2
    touch "$folder/ready"
  fi
  jars=$(printf '%s,' "$folder"/*.jar)
  conf=(--jars "${jars%,}" --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2
    --conf "spark.sql.warehouse.dir=$work/warehouse")
  if [[ $format == iceberg ]]; then
    conf+=(--conf spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions
      --conf spark.sql.catalog.ice=org.apache.iceberg.spark.SparkCatalog
      --conf spark.sql.catalog.ice.type=hadoop --conf "spark.sql.catalog.ice.warehouse=$work/warehouse")
  else
    conf+=(--conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension
      --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog
      --conf spark.databricks.delta.snapshotPartitions=1)
  fi
}

# tables ARGUMENTS...: runs Tables.java. Drivers run without C2, and Spark without generated code: the jobs are
# too short to gain from them.
tables() (
  spark_home
  if [[ ! -e $work/classes.jar ]]; then
    mkdir -p "$work/classes"
    "${java}c" -nowarn -cp "$jar:$SPARK_HOME/jars/*" -d "$work/classes" "$root/scripts/tables/Tables.java"
    "${java%java}jar" cf "$work/classes.jar" -C "$work/classes" .
  fi
  conf[1]=${conf[1]},$jar
  SPARK_LOCAL_IP=127.0.0.1 exec_spark_class org.apache.spark.deploy.SparkSubmit --master 'local[2]' \
    --class Tables "${conf[@]}" --driver-memory 2g --conf spark.sql.codegen.wholeStage=false \
    --conf spark.sql.codegen.factoryMode=NO_CODEGEN --conf spark.sql.files.minPartitionNum=2 \
    --conf 'spark.driver.extraJavaOptions=--add-modules=jdk.incubator.vector -XX:TieredStopAtLevel=1' \
    "$work/classes.jar" "$format" "$@"
)

# table NAME: prints the name of a table that lasts longer than a session.
table() { [[ $format == iceberg ]] && echo "$prefix$1" || echo "delta.\`$prefix$1\`"; }

score() {
  MASTER='local[2]' "$root/scripts/submit.sh" "${conf[@]}" -- score --model demo --input-format json \
    --text-column text --keep-columns id --max-tokens 9 "$@"
}

# killed NAME FILES COMMAND...: runs a command, kills it when a file matches FILES, and repeats it.
killed() {
  local name=$1 files=$2 process begin=$SECONDS
  shift 2
  set -m
  "$@" >"$work/$name-killed.log" 2>&1 &
  process=$!
  set +m
  until compgen -G "$files" >/dev/null; do
    kill -0 "$process" 2>/dev/null || { cat "$work/$name-killed.log" >&2; die "$name ended before its kill"; }
    sleep 0.05
  done
  kill -KILL -- "-$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  "$@" >"$work/$name.log" 2>&1 || { cat "$work/$name.log" >&2; return 1; }
  echo "    $name: killed after $((SECONDS - begin)) s, then repeated"
}

# The corpus in files of a few documents, so that a stream has several batches.
run() (
  use "$1"
  mkdir -p "$work/corpus"
  split -l 30 --additional-suffix=.json "$corpus" "$work/corpus/"
  tables "$work"
  killed killed "$(data killed)" score --input "$corpus" --output-table "$(table killed)"
  killed killed_stream "$work/checkpoint/commits/1" score --input "$work/corpus" --stream \
    --max-files-per-batch 1 --checkpoint-location "$work/checkpoint" --output-table "$(table killed_stream)"
  tables "$work" "$prefix"
)

# data NAME: prints the glob of a table's data files.
data() {
  [[ $format == iceberg ]] && echo "$work/warehouse/db/$1/data/*.parquet" || echo "$prefix$1/*.parquet"
}

rm -rf "$out"
mkdir -p "$out"
build_jar
for name in "${formats[@]}"; do (use "$name" && spark_home); done
processes=()
for name in "${formats[@]}"; do
  run "$name" >"$out/$name.txt" 2>"$out/$name.err" &
  processes+=($!)
done
for i in "${!formats[@]}"; do
  wait "${processes[$i]}" || { tail -n 60 "$out/${formats[$i]}".{txt,err} >&2; die "${formats[$i]} failed"; }
  cat "$out/${formats[$i]}.txt"
done
