"""Compares the model mambaspark with recorded.jsonl. scripts/lm-eval.sh runs this file.

check.py killed OUT          ends its own process with SIGKILL in the third job of the task words
check.py compared OUT MODEL  compares what the command wrote; goes on with the cache of the killed process;
                             evaluates the tasks with every setting; tests refusals
"""

import glob
import importlib.util
import json
import math
import os
import signal
import sys

from sqlitedict import SqliteDict

import mambaspark.lm_eval
from tasks import FOLDER, SETTINGS, TASKS, evaluate, task, with_template

# Nats per request, and relative to a metric.
NATS = 1e-4
RELATIVE = 1e-5

# Executors cannot start Python, which clusters need not have.
MODEL = {
    "model": "demo",
    "master": "local[2]",
    "spark.driver.memory": "2g",
    "spark.pyspark.python": "/nonexistent",
}
VERSIONS, *LINES = map(json.loads, (FOLDER / "recorded.jsonl").open())
RECORDED = {(line["setting"], line["task"]): line for line in LINES}


def flat(responses):
    """Returns log-likelihoods with greedy flags, also of texts, as which the harness writes both.

    Rolling requests have no flag.
    """
    values = [value for document in responses for value in document]
    pairs = [value if isinstance(value, (list, tuple)) else (value, None) for value in values]
    return [(float(value), {"True": True, "False": False}.get(flag, flag)) for value, flag in pairs]


def compare(setting, found):
    for name in found:
        expected = RECORDED[setting, name]
        pairs = list(zip(flat(found[name]["responses"]), flat(expected["responses"]), strict=True))
        for (value, greedy), (other, other_greedy) in pairs:
            what = (setting, name, value, other)
            assert abs(value - other) <= NATS and greedy == other_greedy, what
        metrics = found[name]["metrics"]
        assert metrics.keys() == expected["metrics"].keys(), (setting, name, metrics)
        for metric, value in metrics.items():
            other = expected["metrics"][metric]
            assert math.isclose(value, other, rel_tol=RELATIVE), (setting, name, metric, value, other)
        difference = max(abs(value - other) for (value, _), (other, _) in pairs)
        print(f"{setting}, {name}: {len(pairs)} requests as of hf, to {difference:.1e} nats")


def refused(what, attempt, *parts):
    try:
        attempt()
    except Exception as error:
        assert all(part in str(error) for part in parts), (what, error)
        print(f"{what}: refused")
    else:
        raise SystemExit(f"{what}: expected a refusal")


def scores(model, out):
    assert importlib.util.find_spec("torch") is None, "this environment has torch"
    assert ".jar/" in mambaspark.lm_eval.__file__, mambaspark.lm_eval.__file__
    with_template(model, out + "/template")
    for name, template, arguments in SETTINGS:
        folder = {"model": out + "/template"} if template else {}
        compare(name, evaluate("mambaspark", {**MODEL, **folder, **arguments}))

    def run(tasks, **arguments):
        return lambda: evaluate("mambaspark", {**MODEL, **arguments}, tasks=tasks)

    refused("text to generate", run(["written"]), "cannot generate text", "written", "--model hf")
    refused("a continuation that is too long", run(["choices"], max_length=2), "loglikelihood request")
    refused("an unknown argument", run(["words"], pretrained="demo"), "pretrained", "expected model")
    refused("add_bos_token=True", run(["words"], add_bos_token=True), "add_bos_token=False")


def killed(out):
    mambaspark.lm_eval._FIRST = 4
    score = mambaspark.lm_eval.MambaSparkLM._rows
    jobs = []

    def rows(model, *arguments):
        jobs.append(arguments)
        if len(jobs) == 3:
            # The cache writes in a thread; this waits for what the other jobs have added.
            model.cache_hook.dbdict.commit()
            os.kill(os.getpid(), signal.SIGKILL)
        return score(model, *arguments)

    mambaspark.lm_eval.MambaSparkLM._rows = rows
    evaluate("mambaspark", MODEL, tasks=["words"], use_cache=out + "/cache")


def resumed(cache):
    distinct = {json.dumps(line) for line in (FOLDER / "words.jsonl").open()}
    with SqliteDict(cache + "_rank0.db", flag="r") as found:
        cached = len(found)
    assert 0 < cached < len(distinct), cached
    scored = []
    score = mambaspark.lm_eval.MambaSparkLM._rows

    def rows(model, given, *arguments):
        scored.extend(given)
        return score(model, given, *arguments)

    mambaspark.lm_eval.MambaSparkLM._rows = rows
    compare("plain", evaluate("mambaspark", MODEL, tasks=["words"], use_cache=cache))
    assert len(scored) == len(distinct) - cached, (len(scored), cached)
    print(f"a killed run: {cached} results in the cache, {len(scored)} scored when it goes on")
    compare("plain", evaluate("mambaspark", MODEL, use_cache=cache))
    count = len(scored)
    compare("plain", evaluate("mambaspark", MODEL, use_cache=cache))
    assert len(scored) == count, "a run whose results are cached has scored"
    mambaspark.lm_eval.MambaSparkLM._rows = score


def written(folder):
    [results] = glob.glob(f"{folder}/*/results_*.json")
    metrics = json.load(open(results))["results"]
    found = {}
    for name in TASKS:
        [samples] = glob.glob(f"{folder}/*/samples_{name}_*.jsonl")
        found[name] = task(metrics[name], [json.loads(line) for line in open(samples)])
    compare("plain", found)


def compared(out, model):
    written(out + "/results")
    resumed(out + "/cache")
    scores(model, out)


globals()[sys.argv[1]](*sys.argv[2:])
