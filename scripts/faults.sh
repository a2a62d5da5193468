#!/usr/bin/env bash
# Kills what a job consists of, on a standalone cluster on this machine, and compares what is there in
# the end with a run in which nothing happened:
#
#   scripts/faults.sh                        each fault once, some five minutes
#   scripts/faults.sh --kills 20 --seed 7    a longer sweep: so many kills of the driver, at other
#                                            moments
#   scripts/faults.sh --test NAME            one fault, by the name of its test
#
# Needs JDK 17, Maven and Linux; without root it mounts its full disk in a namespace of its own.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

arguments=("$@")
options=()
while (($#)); do
  [[ -n ${2:-} ]] || usage
  case $1 in
    --kills) options+=("-Dmambaspark.faults.kills=$2") ;;
    --seed) options+=("-Dmambaspark.faults.seed=$2") ;;
    --test) options+=("-Dtest=FaultsTest#$2" -Dsurefire.failIfNoSpecifiedTests=false) ;;
    *) usage ;;
  esac
  shift 2
done

if [[ $(id -u) != 0 ]]; then
  exec unshare --user --map-root-user --mount "${BASH_SOURCE[0]}" ${arguments[@]+"${arguments[@]}"}
fi
build_jar
(spark_home)
mvn -B -ntp -f "$root/pom.xml" -Pfaults test ${options[@]+"${options[@]}"}
