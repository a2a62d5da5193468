#!/usr/bin/env bash
# Scores the corpus inside the job jar with the model inside it, and draws target/demo.html. Further
# arguments go to `score`, such as --output DIR; MASTER and SPARK_HOME are those of submit.sh. Needs
# JDK 17 and Maven.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
arguments=(score --model demo --input demo)
# An option may be given once only.
[[ " $* " == *" --group-by"* ]] || arguments+=(--group-by kind)
[[ " $* " == *" --report"* ]] || arguments+=(--report "file://$root/target/demo.html")
exec "$root/scripts/submit.sh" "${arguments[@]}" "$@"
