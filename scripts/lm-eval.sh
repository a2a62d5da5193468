#!/usr/bin/env bash
# Runs tasks of lm-evaluation-harness with the model mambaspark of the job jar, and compares the results
# with those of the harness's own model hf, which scripts/harness.sh recorded in
# scripts/lm-eval/recorded.jsonl. The environment has lm_eval without torch, and PySpark, both from PyPI. Of
# mamba-spark it has only the jar on the Python path. Tests:
#
#   - multiple choice, single continuations and rolling texts, with several arguments of the model
#   - the command as a user gives it
#   - refusals
#   - a killed run, which goes on where the harness's cache ends
#
# SPARK_VERSION=3.5.6 chooses another PySpark. Needs JDK 17, Maven and Python 3.10 or later with venv.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

venv=$target/lm-eval-$spark_version
if [[ ! -e $venv/ready ]]; then
  say "Installing lm_eval and PySpark $spark_version with pip ..."
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" -q install --no-compile lm_eval==0.4.13 "pyspark==$spark_version" >&2
  touch "$venv/ready"
fi
build_jar
out=$target/lm-eval
rm -rf "$out"
mkdir -p "$out"
unset SPARK_HOME SPARK_CONF_DIR MASTER
export PYTHONPATH=$jar SPARK_LOCAL_IP=127.0.0.1 HF_HUB_OFFLINE=1 HF_HOME=$out/hf
# The tasks name their files relative to this folder.
cd "$root"
check() { "$venv/bin/python3" scripts/lm-eval/check.py "$@" 2>>"$out/log"; }
trap '(($? == 0)) || tail -n 100 "$out/log" >&2' EXIT

status=0
check killed "$out" || status=$?
((status == 137)) || die "The process ended with $status; expected 137, that of SIGKILL"
"$venv/bin/python3" -m mambaspark.lm_eval run --tasks choices,words,pages --include_path scripts/lm-eval \
  --model_args 'model=demo,master=local[2]' --log_samples --output_path "$out/results" 2>>"$out/log"
check compared "$out" "$root/jobs/src/main/resources/io/mambaspark/jobs/demo/tiny-books"
