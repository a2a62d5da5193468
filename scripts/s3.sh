#!/usr/bin/env bash
# Tests jobs that read and write s3a:// paths, on an S3 server (moto) on this machine:
#
#   scripts/s3.sh
#
# Runs jobs, kills a driver and resumes its job, and provokes refusals. The scores must equal those of a job
# on local folders, to the bit, and no log or object may contain the secret key. Needs JDK 17, Maven and
# Python 3.9; installs moto and pyarrow from PyPI into a venv under target/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

here=$root/scripts/s3
home=$target/s3

# Installs the jars of the connector and the server, if pom.xml is newer than the last installation.
s3_home() {
  [[ $here/pom.xml -nt $home/RELEASE ]] || return 0
  say "Filling $home from Maven Central and PyPI ..."
  rm -rf "$home"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/jars" >&2
  python3 -m venv "$home/venv"
  "$home/venv/bin/pip" install -q --no-compile 'moto[s3]==5.2.5' flask flask-cors pyarrow >&2
  touch "$home/RELEASE"
}

build_jar
(spark_home)
s3_home

work=$(mktemp -d)
server=
driver=
finish() {
  if [[ -n $driver ]]; then kill -9 "$driver" || true; fi
  if [[ -n $server ]]; then kill "$server" || true; fi
  wait
  rm -rf "$work"
}
trap finish EXIT

export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=a-secret-of-$RANDOM$RANDOM MASTER='local[2]'
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$home/venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$work/moto.log" 2>&1 &
server=$!
for ((i = 0; i < 100; i++)); do
  if curl -sf -o /dev/null "http://127.0.0.1:$port/moto-api/"; then break; fi
  sleep 0.1
done
in_bucket() { "$home/venv/bin/python" "$here/check.py" "$1" "$port" "${@:2}"; }

score=("$root/scripts/submit.sh" --jars "$(printf '%s,' "$home"/jars/*.jar)"
  --conf "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:$port"
  --conf spark.hadoop.fs.s3a.endpoint.region=us-east-1
  --conf spark.hadoop.fs.s3a.path.style.access=true
  --conf "spark.hadoop.fs.s3a.access.key=$AWS_ACCESS_KEY_ID"
  --conf "spark.hadoop.fs.s3a.secret.key=$AWS_SECRET_ACCESS_KEY"
  -- score --target-unit-tokens 1 --verbose)

# job NAME ARGUMENTS...: runs the job, and prints its log if it fails.
job() {
  local log=$work/$1.log begin=$SECONDS
  shift
  if ! "${score[@]}" "$@" >"$log" 2>&1; then cat "$log" >&2; return 1; fi
  say "$(basename "$log" .log): $((SECONDS - begin)) s"
}

# refused TEXT ARGUMENTS...: runs the job, which must end with exit code 1 and a log that contains TEXT.
refused() {
  local log=$work/refused.log status=0
  "${score[@]}" "${@:2}" >>"$log" 2>&1 || status=$?
  if [[ $status != 1 ]] || ! tail -n 100 "$log" | grep -qF "$1"; then
    cat "$log" >&2
    die "The job was not refused: expected exit code 1 and '$1', found exit code $status and the log above"
  fi
}

mkdir "$work/in"
in_bucket fill "$root/jobs/src/main/resources/io/mambaspark/jobs/demo" "$work/in"

job local --model demo --input "$work/in" --output "$work/scores"
job s3a --model s3a://bucket/model --input s3a://bucket/in --output s3a://bucket/scores
in_bucket compare "$work/scores" bucket/scores

# Kills the driver once a unit is complete, which is when the unit's file exists.
killed=(--model demo --input s3a://bucket/in --output s3a://bucket/killed)
"${score[@]}" "${killed[@]}" >"$work/killed.log" 2>&1 &
driver=$!
units=0
while ((units < 1)) && kill -0 "$driver" 2>/dev/null; do
  units=$(curl -s "http://127.0.0.1:$port/bucket?list-type=2&prefix=killed/part-" |
    grep -o '<Key>' | wc -l || true)
done
kill -9 "$driver" || { cat "$work/killed.log" >&2; die "The driver ended before it was killed"; }
wait "$driver" 2>/dev/null || true
driver=
refused 'continue with --resume' "${killed[@]}"
job resumed "${killed[@]}" --resume
grep -q 'done by earlier starts' "$work/resumed.log" ||
  die "The job did not resume: its summary counts no unit of the $units that were complete before"
in_bucket compare "$work/scores" bucket/killed

refused 'an object store cannot replace a folder atomically' "${killed[@]}" --overwrite

if grep -lF -- "$AWS_SECRET_ACCESS_KEY" "$work"/{local,s3a,killed,resumed,refused}.log; then
  die "The secret key is in the logs above"
fi
in_bucket grep "$AWS_SECRET_ACCESS_KEY"
say "All passed in $SECONDS s"
