#!/usr/bin/env bash
# A standalone Spark cluster on this machine: a master and two workers on 127.0.0.1.
#
#   scripts/cluster.sh start    prints the URL of the master once both workers are registered
#   scripts/cluster.sh stop     ends the three processes; nothing to do is fine too
#
#   MASTER=$(scripts/cluster.sh start) scripts/demo.sh
#
# Process ids, logs and the workers' folders are in target/cluster/. From the environment:
#   MASTER_PORT (7077), MASTER_UI_PORT (8080), WORKER_UI_PORT (8081; the second has the next one),
#   WORKER_CORES (1) and WORKER_MEMORY (2g) of each worker; SPARK_HOME, SPARK_VERSION and
#   SCALA_VERSION as for submit.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cluster=$target/cluster
host=127.0.0.1
port=${MASTER_PORT:-7077}
ui_port=${MASTER_UI_PORT:-8080}
worker_ui_port=${WORKER_UI_PORT:-8081}
url=spark://$host:$port
daemons=(worker-2 worker-1 master)
patience=60 # seconds

# Whether that daemon runs: its pid file names a living process of ours, not a later namesake.
running() {
  [[ -e $cluster/$1.pid ]] || return 1
  ps -o args= -p "$(<"$cluster/$1.pid")" 2>/dev/null |
    grep -q -e org.apache.spark.deploy -e cluster.sh
}

# launch NAME CLASS ARGS...
launch() {
  local name=$1
  shift
  (trap '' HUP; exec_spark_class "$@") </dev/null >"$cluster/$name.log" 2>&1 &
  echo $! >"$cluster/$name.pid"
}

# The master's state as JSON, empty while it does not answer. No curl: JDK and bash are enough.
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
      die "A cluster runs already: $(<"$cluster/url") (scripts/cluster.sh stop ends it)"
    fi
  done
  spark_home
  rm -rf "$cluster"
  mkdir -p "$cluster"
  echo "$url" >"$cluster/url"
  # The web pages listen where SPARK_LOCAL_IP says. A port that is taken is an error, not a reason to
  # listen elsewhere; the REST submission server is not wanted.
  export SPARK_LOCAL_IP=$host
  export SPARK_DAEMON_JAVA_OPTS="${SPARK_DAEMON_JAVA_OPTS:-} -Dspark.port.maxRetries=0"
  export SPARK_MASTER_OPTS="${SPARK_MASTER_OPTS:-} -Dspark.master.rest.enabled=false"
  trap stop EXIT
  launch master org.apache.spark.deploy.master.Master \
    --host "$host" --port "$port" --webui-port "$ui_port"
  await 0
  # Two names, that Spark takes them for two machines: it puts a second attempt at a slow task
  # nowhere else.
  local names=("$host" localhost)
  for i in 1 2; do
    launch "worker-$i" org.apache.spark.deploy.worker.Worker --host "${names[i - 1]}" \
      --webui-port $((worker_ui_port + i - 1)) --work-dir "$cluster/work-$i" \
      --cores "${WORKER_CORES:-1}" --memory "${WORKER_MEMORY:-2g}" "$url"
  done
  await 2
  trap - EXIT
  echo "$url"
}

# Returns when the master counts that many workers; gives up when a daemon has ended.
await() {
  local until=$((SECONDS + patience)) name
  until [[ $(alive_workers) == "$1" ]]; do
    for name in "${daemons[@]}"; do
      if [[ -e $cluster/$name.pid ]] && ! kill -0 "$(<"$cluster/$name.pid")" 2>/dev/null; then
        grep -m 1 Exception: "$cluster/$name.log" >&2 || tail -n 5 "$cluster/$name.log" >&2
        die "The $name ended, see $cluster/$name.log"
      fi
    done
    ((SECONDS < until)) || die "No master with $1 workers after $patience s, see $cluster/*.log"
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
