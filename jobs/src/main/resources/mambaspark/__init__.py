"""Perplexity by Mamba language models on Spark, from Python.

The package lies inside the job jar. Give Spark the jar both for the JVM and for Python::

    pyspark --jars mamba-spark-jobs-0.1.0.jar --py-files mamba-spark-jobs-0.1.0.jar
"""

from typing import Optional

from pyspark import keyword_only
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.ml.wrapper import JavaTransformer
from pyspark.sql import SparkSession

__all__ = ["MambaPerplexity", "register_function"]


def _string(name: str, doc: str) -> Param:
    return Param(Params._dummy(), name, doc, typeConverter=TypeConverters.toString)


def _number(name: str, doc: str) -> Param:
    return Param(Params._dummy(), name, doc, typeConverter=TypeConverters.toInt)


class MambaPerplexity(JavaTransformer, DefaultParamsReadable, DefaultParamsWritable):
    """Adds ``nll``, ``token_count``, ``perplexity`` and what ``emit`` asks for to rows.

    All columns stay. Parameters have the names, values and defaults of the command line's options:

    >>> MambaPerplexity(model="demo", textColumn="text").transform(corpus)
    """

    model = _string("model", "checkpoint: a folder, any Hadoop URI, or demo")
    tokensColumn = _string("tokensColumn", "documents as token ids")
    textColumn = _string("textColumn", "documents as text")
    tokenizer = _string("tokenizer", "tokenizer.json or its folder, if not beside the model")
    emit = _string("emit", "what to add, such as perplexity,top-k=5")
    prefixToken = _string("prefixToken", "put in front of every row: an id, bos, eos or none")
    maxTokens = _number("maxTokens", "tokens of a row that are scored")
    window = _string("window", "full, rolling, strided or chunked")
    windowTokens = _number("windowTokens", "length of a window")
    stride = _number("stride", "from a strided window to the next")
    onError = _string("onError", "rows that cannot be scored: quarantine or fail")
    weights = _string("weights", "in memory: f32 or bf16")
    modelDelivery = _string("modelDelivery", "auto, broadcast or file")

    @keyword_only
    def __init__(
        self,
        *,
        model: Optional[str] = None,
        tokensColumn: Optional[str] = None,
        textColumn: Optional[str] = None,
        tokenizer: Optional[str] = None,
        emit: str = "perplexity",
        prefixToken: Optional[str] = None,
        maxTokens: Optional[int] = None,
        window: str = "full",
        windowTokens: Optional[int] = None,
        stride: Optional[int] = None,
        onError: str = "quarantine",
        weights: str = "f32",
        modelDelivery: str = "auto",
    ) -> None:
        super().__init__()
        self._java_obj = self._new_java_obj("io.mambaspark.jobs.ml.MambaPerplexity", self.uid)
        self._setDefault(
            emit="perplexity",
            window="full",
            onError="quarantine",
            weights="f32",
            modelDelivery="auto",
        )
        self.setParams(**self._input_kwargs)

    def setParams(self, **params: object) -> "MambaPerplexity":
        """Sets parameters by their names; those that are None stay as they are."""
        return self._set(**{name: value for name, value in params.items() if value is not None})


def register_function(spark: SparkSession, name: str, model: str) -> None:
    """Makes a SQL function of a text or a list of token ids known to a session.

    It returns a struct of ``nll``, ``token_count``, ``perplexity`` and ``error``:

    >>> register_function(spark, "mamba_score", "demo")
    >>> spark.sql("SELECT id, mamba_score(text).perplexity FROM corpus")
    """
    functions = spark._jvm.io.mambaspark.jobs.MambaFunctions
    functions.register(spark._jsparkSession, name, model)
