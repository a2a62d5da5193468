#!/usr/bin/env bash
# Scores the demo corpus with the demo model, both from the job jar, and writes the report
# target/demo.html. Passes its arguments to `score`, such as --output DIR. MASTER and SPARK_HOME work as
# for submit.sh. Needs JDK 17 and Maven.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
arguments=(score --model demo --input demo)
# `score` rejects an option that is given twice.
[[ " $* " == *" --group-by"* ]] || arguments+=(--group-by kind)
[[ " $* " == *" --report"* ]] || arguments+=(--report "file://$root/target/demo.html")
exec "$root/scripts/submit.sh" "${arguments[@]}" "$@"
