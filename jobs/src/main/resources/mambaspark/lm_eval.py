"""Runs likelihood tasks of lm-evaluation-harness on Spark.

The model ``mambaspark`` of the harness scores requests in Spark jobs. The jar on the Python path is
enough; lm_eval without its extra for torch, and pyspark, come from PyPI::

    export PYTHONPATH=mamba-spark-jobs-0.2.0.jar
    python -m mambaspark.lm_eval run --tasks lambada_openai --model_args model=MODEL,master=spark://HOST:7077
"""

import os
import sys
import time
from typing import Any, Dict, List, Optional, Tuple

import pyspark
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from py4j.java_gateway import JavaObject, JavaPackage
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.types import StructType
from pyspark.sql.utils import is_remote
from tqdm import tqdm

from mambaspark import _require_jvm

__all__ = ["MambaSparkLM"]

_JAR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Requests per core of the first job. Each job that takes less than _LONG seconds doubles the next.
_FIRST = 32
_LONG = 10.0
_PARTITIONS = 4


@register_model("mambaspark")
class MambaSparkLM(LM):
    """Scores requests of lm-evaluation-harness as its model ``hf`` does, in Spark jobs.

    The results of each job are added to the harness's cache (``--use_cache``) when the job ends.

    :param model: a folder, any Hadoop URI, or demo
    :param master: Spark's master; by default that of Spark's settings, or else ``local[*]``
    :param tokenizer: tokenizer.json or its folder, if not in the model's folder
    :param weights: format of the weights in memory: f32, bf16, int8, int8-out16 or int16
    :param max_length: as of ``hf``; by default the length that the model's files name, or else 2048
    :param prefix_token_id: as of ``hf``; by default bos, or else eos
    :param add_bos_token: False encodes texts without the special tokens of the tokenizer's template
    :param conf: Spark's settings, such as ``spark.driver.memory``, for a new session
    :raises ValueError: if an argument is not known or not supported
    """

    def __init__(
        self,
        model: str,
        master: Optional[str] = None,
        tokenizer: Optional[str] = None,
        weights: str = "f32",
        max_length: Optional[int] = None,
        prefix_token_id: Optional[int] = None,
        add_bos_token: Optional[bool] = None,
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: Any = None,
        **conf: Any,
    ) -> None:
        """Starts or finds a session, and opens the model.

        The harness always gives ``batch_size``, ``max_batch_size`` and ``device``. They change nothing.
        """
        super().__init__()
        unknown = [name for name in conf if not name.startswith("spark.")]
        if unknown:
            raise ValueError(
                f"Unknown arguments of the model mambaspark: {', '.join(unknown)}; expected model,"
                " master, tokenizer, weights, max_length, prefix_token_id, add_bos_token, or a setting"
                " of Spark, such as spark.driver.memory"
            )
        if add_bos_token:
            raise ValueError(
                "add_bos_token=True is not supported: the template of tokenizer.json decides which"
                " special tokens are added. Remove add_bos_token, or give add_bos_token=False for texts"
                " without special tokens"
            )
        self._spark = _session(master, conf)
        entry = self._spark._jvm.io.mambaspark.jobs.MambaScorer
        if isinstance(entry, JavaPackage):
            raise RuntimeError(
                "The running Spark session does not have mamba-spark's job jar; start the session with"
                " --jars mamba-spark-jobs-0.2.0.jar"
            )
        scorer = entry.load(model).options(
            {"tokenizer": tokenizer, "weights": weights, "add-special-tokens": add_bos_token is None}
        )
        length = max_length or scorer.length()
        prefix = None if prefix_token_id is None else str(prefix_token_id)
        pairs = scorer.contextAndContinuationColumns("context", "continuation")
        self._with_context = pairs.options({"max-length": length, "keep-columns": ["request"]})
        self._without_context = self._with_context.options({"prefix-token": prefix})
        self._rolling = scorer.textColumn("text").options(
            {
                "window": "rolling",
                "window-tokens": length,
                "prefix-token": prefix,
                "keep-columns": ["request"],
            }
        )

    def loglikelihood(self, requests: List[Instance]) -> List[Tuple[float, bool]]:
        """Returns the log-likelihood of each continuation, in nats, and whether all of it is greedy."""
        found = {}
        # The harness puts its prefix token only before continuations without a context.
        for scorer, given in ((self._without_context, False), (self._with_context, True)):
            keys = [request.args for request in requests if (request.args[0].strip() != "") == given]
            found.update(self._score(scorer, "loglikelihood", ("context", "continuation"), keys))
        return [found[request.args] for request in requests]

    def loglikelihood_rolling(self, requests: List[Instance]) -> List[float]:
        """Returns the log-likelihood of each text, in nats."""
        keys = [request.args for request in requests]
        found = self._score(self._rolling, "loglikelihood_rolling", ("text",), keys)
        return [found[key] for key in keys]

    def generate_until(self, requests: List[Instance]) -> List[str]:
        """Refuses requests to generate text."""
        tasks = sorted({str(request.task_name) for request in requests})
        raise NotImplementedError(
            f"The model mambaspark computes likelihoods and cannot generate text, which"
            f" {', '.join(tasks)} requires (generate_until). Remove these tasks from --tasks, or run"
            " them with --model hf"
        )

    def _score(
        self, scorer: JavaObject, kind: str, columns: Tuple[str, ...], keys: List[Tuple[str, ...]]
    ) -> Dict[Tuple[str, ...], Any]:
        """Scores requests, which are tuples of texts, and adds each job's results to the cache."""
        # Consecutive rows with one context share its state. Neighbours in this order have one.
        distinct = sorted(set(keys))
        found = {}
        size = _FIRST * self._spark.sparkContext.defaultParallelism
        with tqdm(total=len(distinct), desc=f"Scoring {kind} requests") as progress:
            while len(found) < len(distinct):
                chunk = distinct[len(found) : len(found) + size]
                start = time.monotonic()
                rows = self._rows([(i, *key) for i, key in enumerate(chunk)], columns)
                scored = DataFrame(scorer.score(rows), self._spark).collect()
                if time.monotonic() - start < _LONG:
                    size *= 2
                # Cache the results of a job before one of its errors ends the run.
                for row in sorted(scored, key=lambda row: _error(row, kind) is not None):
                    key = chunk[row.request]
                    found[key] = _value(row, kind, key)
                    self.cache_hook.add_partial(kind, key, found[key])
                progress.update(len(chunk))
        return found

    def _rows(self, rows: List[Tuple[Any, ...]], columns: Tuple[str, ...]) -> JavaObject:
        """Makes a DataFrame in the JVM; createDataFrame would need Python on the executors."""
        context = self._spark.sparkContext
        # Several partitions per core, because contexts and so rows differ in length.
        partitions = min(len(rows), _PARTITIONS * context.defaultParallelism)
        util = context._jvm.SerDeUtil
        pickled = context.parallelize(rows, partitions)._jrdd
        schema = StructType().add("request", "integer")
        for column in columns:
            schema = schema.add(column, "string")
        return self._spark._jsparkSession.applySchemaToPythonRDD(
            util.toJavaArray(util.pythonToJava(pickled, True)).rdd(), schema.json()
        )


def _value(row: Row, kind: str, key: Tuple[str, ...]) -> Any:
    """Returns a request's result; the harness expects one for each request, so an error ends the run."""
    error = _error(row, kind)
    if error is not None:
        raise ValueError(
            f"Cannot score the {kind} request {repr(key)[-400:]}: {error}"
        )
    return -row.nll if kind == "loglikelihood_rolling" else (-row.nll, row.is_greedy)


def _error(row: Row, kind: str) -> Optional[str]:
    """Returns why a request could not be scored, or None."""
    if row.error is None and kind == "loglikelihood" and row.is_greedy is None:
        return "the continuation has no token"
    return row.error


def _session(master: Optional[str], conf: Dict[str, Any]) -> SparkSession:
    """Returns the running session, or starts one that has the jar."""
    _require_jvm("mambaspark.lm_eval", is_remote())
    settings = {"spark.ui.showConsoleProgress": "false"}
    settings.update({name: str(value) for name, value in conf.items()})
    if os.path.isfile(_JAR):
        settings["spark.jars"] = ",".join(filter(None, (_JAR, settings.get("spark.jars"))))
    if pyspark.__version__ < "4":
        # Spark 4 starts its JVMs with the module of the Vector API.
        for process in ("driver", "executor"):
            settings.setdefault(
                f"spark.{process}.defaultJavaOptions", "--add-modules=jdk.incubator.vector"
            )
    builder = SparkSession.builder.appName("lm-evaluation-harness")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return (builder.master(master) if master else builder).getOrCreate()


def main(arguments: List[str]) -> None:
    """Runs the command of lm-evaluation-harness with the model mambaspark."""
    from lm_eval.__main__ import cli_evaluate

    # Like the harness, takes arguments without a command as those of run.
    if len(arguments) > 1 and (arguments[0] == "run" or arguments[0].startswith("-")):
        arguments = ["run", "--model", "mambaspark", *arguments[arguments[0] == "run" :]]
    sys.argv[1:] = arguments
    cli_evaluate()


if __name__ == "__main__":
    main(sys.argv[1:])
