#!/usr/bin/env bash
# Scores the corpus inside the job jar with the model inside it. Further arguments go to `score`, such
# as --output DIR; MASTER and SPARK_HOME are those of submit.sh. Needs JDK 17 and Maven.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/submit.sh" score --model demo --input demo "$@"
