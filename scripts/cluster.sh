#!/usr/bin/env bash
# Starts or stops a standalone Spark cluster on this machine: a master and two workers on 127.0.0.1.
#
#   scripts/cluster.sh start    waits until both workers are registered, and prints the URL of the master
#   scripts/cluster.sh stop     ends the three processes; succeeds if none is running
#
#   MASTER=$(scripts/cluster.sh start) scripts/demo.sh
#
# Writes process ids, logs and the workers' folders to target/cluster/. Environment variables, with their
# defaults:
#   MASTER_PORT (7077), MASTER_UI_PORT (8080)
#   WORKER_UI_PORT (8081; the second worker uses the next port)
#   WORKER_CORES (1), WORKER_MEMORY (2g), for each worker
#   WORKER_2_NATIVE: MAMBASPARK_NATIVE of the second worker only, so that its executors differ
#   SPARK_HOME, SPARK_VERSION, SCALA_VERSION, as for submit.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cluster=$target/cluster
host=127.0.0.1
port=${MASTER_PORT:-7077}
ui_port=${MASTER_UI_PORT:-8080}
worker_ui_port=${WORKER_UI_PORT:-8081}
url=spark://$host:$port
daemons=(worker-2 worker-1 master)
timeout_seconds=60

# Whether a daemon is running. Checks the command line, too, because another process may have reused the
# id in the pid file.
running() {
  [[ -e $cluster/$1.pid ]] || return 1
  ps -o args= -p "$(<"$cluster/$1.pid")" 2>/dev/null |
    grep -q -e org.apache.spark.deploy -e cluster.sh
}

# launch NAME CLASS ARGUMENTS...: starts a daemon and writes its log and pid file.
launch() {
  local name=$1
  shift
  (trap '' HUP; exec_spark_class "$@") </dev/null >"$cluster/$name.log" 2>&1 &
  echo $! >"$cluster/$name.pid"
}

# Prints the master's state as JSON, or nothing if the master does not answer. Does not use curl, so that
# the script needs only a JDK and bash.
state() {
  (
    exec 3<>"/dev/tcp/$host/$ui_port" || exit 0
    printf 'GET /json/ HTTP/1.0\r\nHost: %s\r\n\r\n' "$host" >&3
    while IFS= read -r -t 2 line <&3; do echo "$line"; done
  ) 2>/dev/null || true
}

alive_workers() { state | sed -n 's/.*"aliveworkers" *: *\([0-9]*\).*/\1/p'; }

start() {
  local name
  for name in "${daemons[@]}"; do
    if running "$name"; then
      die "Cannot start a cluster: one is already running at $(<"$cluster/url"); stop it with" \
        "scripts/cluster.sh stop"
    fi
  done
  spark_home
  rm -rf "$cluster"
  mkdir -p "$cluster"
  echo "$url" >"$cluster/url"
  # The web pages listen on SPARK_LOCAL_IP. A port in use is an error: Spark must not choose another
  # port. The REST submission server is not needed.
  export SPARK_LOCAL_IP=$host
  export SPARK_DAEMON_JAVA_OPTS="${SPARK_DAEMON_JAVA_OPTS:-} -Dspark.port.maxRetries=0"
  export SPARK_MASTER_OPTS="${SPARK_MASTER_OPTS:-} -Dspark.master.rest.enabled=false"
  trap stop EXIT
  launch master org.apache.spark.deploy.master.Master \
    --host "$host" --port "$port" --webui-port "$ui_port"
  await 0
  # Two host names make Spark regard the workers as two machines. It starts a speculative copy of a
  # slow task only on another machine.
  local names=("$host" localhost)
  for i in 1 2; do
    if ((i == 2)) && [[ ${WORKER_2_NATIVE:-} ]]; then export MAMBASPARK_NATIVE=$WORKER_2_NATIVE; fi
    launch "worker-$i" org.apache.spark.deploy.worker.Worker --host "${names[i - 1]}" \
      --webui-port $((worker_ui_port + i - 1)) --work-dir "$cluster/work-$i" \
      --cores "${WORKER_CORES:-1}" --memory "${WORKER_MEMORY:-2g}" "$url"
  done
  await 2
  trap - EXIT
  echo "$url"
}

# await COUNT: waits until the master reports COUNT workers. Fails if a daemon ends, or after the timeout.
await() {
  local until=$((SECONDS + timeout_seconds)) name
  until [[ $(alive_workers) == "$1" ]]; do
    for name in "${daemons[@]}"; do
      if [[ -e $cluster/$name.pid ]] && ! kill -0 "$(<"$cluster/$name.pid")" 2>/dev/null; then
        grep -m 1 Exception: "$cluster/$name.log" >&2 || tail -n 5 "$cluster/$name.log" >&2
        die "Cannot start the cluster: the process $name ended; see $cluster/$name.log"
      fi
    done
    ((SECONDS < until)) || die "Cannot start the cluster: no answer from a master with $1 workers" \
      "within $timeout_seconds s; see $cluster/*.log"
    sleep 0.2
  done
}

stop() {
  local name pid
  for name in "${daemons[@]}"; do
    if running "$name"; then
      pid=$(<"$cluster/$name.pid")
      kill "$pid" 2>/dev/null || true
      local until=$((SECONDS + 10))
      while running "$name"; do
        ((SECONDS < until)) || kill -9 "$pid" 2>/dev/null || true
        sleep 0.1
      done
    fi
    rm -f "$cluster/$name.pid"
  done
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
