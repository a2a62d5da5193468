"""Records what lm-evaluation-harness computes for the tasks of this folder with its model hf.

record.py MODEL   writes recorded.jsonl beside this file: versions, then the values of each setting and task

MODEL is the folder tiny-books. scripts/harness.sh runs this file.
"""

import importlib.metadata
import json
import os
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
from tasks import FOLDER, SETTINGS, TASKS, evaluate, with_template

PACKAGES = ("lm_eval", "transformers", "tokenizers", "torch", "datasets")
# Sums of logarithms in float64, as in ../harness/record.py.
ARGUMENTS = {"device": "cpu", "dtype": "float32", "softmax_dtype": "float64"}

model = sys.argv[1]
lines = [{name: importlib.metadata.version(name) for name in PACKAGES}]
with tempfile.TemporaryDirectory() as work:
    with_template(model, work + "/template")
    for name, template, arguments in SETTINGS:
        folder = work + "/template" if template else model
        found = evaluate("hf", {"pretrained": folder, **ARGUMENTS, **arguments})
        lines += [{"setting": name, "task": task, **found[task]} for task in TASKS]
(FOLDER / "recorded.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
