#!/usr/bin/env bash
# Runs the job through spark-submit:
#
#   scripts/submit.sh score --model DIR --input DATA --output DIR
#   scripts/submit.sh --driver-memory 8g --conf k=v -- score @conf/perplexity.args ...
#
# Passes the arguments before a lone `--` to spark-submit, and all others to mamba-spark. Environment
# variables:
#   SPARK_HOME   the Spark to use. Its own configuration applies, but conf/spark-defaults.conf overrides
#                its settings. The driver uses conf/log4j2.properties, unless this Spark has such a file.
#                If SPARK_HOME is not set, Maven fills a home under target/, and Spark reads only conf/.
#   MASTER       the master: local[*] (default), local-cluster[2,1,1024], spark://..., yarn, k8s://...
#   SPARK_VERSION, SCALA_VERSION   the versions of the home under target/, such as 3.5.8 and 2.12
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

options=()
for argument in "$@"; do
  if [[ $argument == -- ]]; then
    while [[ $1 != -- ]]; do options+=("$1"); shift; done
    shift
    break
  fi
done

build_jar
master=${MASTER:-local[*]}
# With these masters all processes run on this machine, so they listen on the loopback interface only.
case $master in local* | spark://127.0.0.1:* | spark://localhost:*)
  export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1} ;;
esac

submit=(--master "$master" --class io.mambaspark.jobs.Main)
if [[ -n ${SPARK_HOME:-} ]]; then
  if [[ ! -e ${SPARK_CONF_DIR:-$SPARK_HOME/conf}/log4j2.properties ]]; then
    export LOG4J_CONFIGURATION_FILE=${LOG4J_CONFIGURATION_FILE:-$root/conf/log4j2.properties}
  fi
  while read -r key value; do
    [[ -z $key || $key == \#* ]] || submit+=(--conf "$key=$value")
  done <"$root/conf/spark-defaults.conf"
  drop_incubator_warning
  exec "$SPARK_HOME/bin/spark-submit" "${submit[@]}" ${options[@]+"${options[@]}"} "$jar" "$@"
fi
spark_home
drop_incubator_warning
exec_spark_class org.apache.spark.deploy.SparkSubmit \
  "${submit[@]}" ${options[@]+"${options[@]}"} "$jar" "$@"
