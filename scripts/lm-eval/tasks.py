"""Evaluates the tasks of this folder with a model, for record.py and check.py."""

import json
import shutil
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

FOLDER = Path(__file__).parent
TASKS = ("choices", "words", "pages")

# Name, whether the tokenizer's template adds a bos token, and arguments that both models have.
SETTINGS = [
    ("plain", False, {}),
    ("length", False, {"max_length": 16}),
    ("prefix", False, {"prefix_token_id": 9, "max_length": 24}),
    ("template", True, {}),
    ("template-none", True, {"add_bos_token": False, "max_length": 24}),
]


def with_template(model, folder):
    """Copies a model, and lets its tokenizer add the token 0 at the beginning of texts."""
    shutil.copytree(model, folder)
    bos = "<|endoftext|>"
    first = {"SpecialToken": {"id": bos, "type_id": 0}}
    texts = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    path = Path(folder, "tokenizer.json")
    tokenizer = json.loads(path.read_text())
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [first, texts[0]],
        "pair": [first, *texts],
        "special_tokens": {bos: {"id": bos, "ids": [0], "tokens": [bos]}},
    }
    path.write_text(json.dumps(tokenizer))


def evaluate(model, arguments, tasks=TASKS, **options):
    """Evaluates tasks, and returns what the function task returns for each."""
    results = simple_evaluate(
        model=model,
        model_args=arguments,
        tasks=list(tasks),
        task_manager=TaskManager(include_path=str(FOLDER), include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
        **options,
    )
    return {name: task(results["results"][name], results["samples"][name]) for name in tasks}


def task(metrics, samples):
    """Returns a task's metrics, and the responses in the order of its documents.

    The arguments are as the harness returns and writes them.
    """
    return {
        "metrics": {
            name: value
            for name, value in metrics.items()
            if name.endswith(",none") and "stderr" not in name
        },
        "responses": [
            [response for [response] in sample["resps"]]
            for sample in sorted(samples, key=lambda sample: sample["doc_id"])
        ],
    }
