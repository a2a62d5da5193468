#!/usr/bin/env bash
# Causes faults in jobs on a standalone cluster on this machine, such as killed processes and a full disk,
# and compares the final output with that of an undisturbed run:
#
#   scripts/faults.sh                        every fault, about five minutes
#   scripts/faults.sh --kills 20 --seed 7    kills the driver 20 times (default: 2), at random times
#                                            from seed 7
#   scripts/faults.sh --test NAME            only the test method NAME of FaultsTest
#
# Needs JDK 17, Maven and Linux. Mounts a small file system for the test of a full disk; without
# root, does so in a separate namespace.
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
