#!/usr/bin/env bash
# Records what lm-evaluation-harness computes for the demo's model, tiny-books, and for variants of its
# tokenizer's files. Tests compare mamba-spark with these values. Writes JSON lines to
# jobs/src/test/resources/harness; README.md in that folder describes them. Writes
# scripts/lm-eval/recorded.jsonl, too, for scripts/lm-eval.sh. Not part of CI: the values change only with
# the versions below or with record.py.
#
#   - lm_eval 0.4.13, transformers 5.24.0 and PyTorch 2.9.1, on a CPU: all values
#   - transformers 4.57.6: only which special tokens its tokenizers add
#
# Requires Python 3.10 to 3.13 with venv, x86-64 Linux, and 8 GB under target/, because PyTorch's wheel
# requires NVIDIA's libraries even on a CPU. Takes five minutes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

venv=$target/harness-venv
# A folder that precedes the packages of $venv.
four=$target/harness-transformers-4
if [[ ! -e $venv/ready ]]; then
  say "Installing lm_eval with pip ..."
  rm -rf "$venv" "$four"
  python3 -m venv "$venv"
  "$venv/bin/pip" -q install --no-compile lm_eval==0.4.13 transformers==5.24.0 tokenizers==0.23.3 \
    torch==2.9.1 accelerate==1.15.0 peft==0.21.2 datasets==5.2.0 >&2
  "$venv/bin/pip" -q install --no-compile --no-deps --target "$four" \
    transformers==4.57.6 tokenizers==0.22.2 huggingface-hub==0.36.2 >&2
  touch "$venv/ready"
fi
cases=$root/jobs/src/test/resources/cases/harness
model=$root/jobs/src/main/resources/io/mambaspark/jobs/demo/tiny-books
out=$root/jobs/src/test/resources/harness
rm -f "$out"/*.jsonl
record() { "$venv/bin/python3" "$root/scripts/harness/record.py" "$@" "$model" "$cases" "$out"; }
PYTHONPATH=$four record tokenizers
record tokenizers
record scores
(cd "$root" && "$venv/bin/python3" scripts/lm-eval/record.py "$model")
