"""Computes perplexity with Mamba language models on Spark.

The package is inside the job jar. Give Spark the jar both for the JVM and for Python::

    pyspark --jars mamba-spark-jobs-0.2.0.jar --py-files mamba-spark-jobs-0.2.0.jar

The package requires a session with a JVM, which a Spark Connect client does not have. For such
clients, start the Connect server with the jar and the SQL extension. The extension's functions then
work in every client, without this package.
"""

from typing import Any, Optional

from pyspark import keyword_only
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.util import (
    DefaultParamsReadable,
    DefaultParamsReader,
    DefaultParamsWritable,
    DefaultParamsWriter,
)
from pyspark.ml.wrapper import JavaTransformer
from pyspark.sql import SparkSession
from pyspark.sql.utils import is_remote

__all__ = ["MambaPerplexity", "register_functions"]

_EXTENSION = "io.mambaspark.jobs.sql.MambaExtensions"
_STAGE = "io.mambaspark.jobs.ml.MambaPerplexity"


def _string(name: str, doc: str) -> "Param[str]":
    return Param(Params._dummy(), name, doc, typeConverter=TypeConverters.toString)


def _number(name: str, doc: str) -> "Param[int]":
    return Param(Params._dummy(), name, doc, typeConverter=TypeConverters.toInt)


def _boolean(name: str, doc: str) -> "Param[bool]":
    return Param(Params._dummy(), name, doc, typeConverter=TypeConverters.toBoolean)


def _require_jvm(what: str, remote: bool) -> None:
    if remote:
        raise RuntimeError(
            f"{what} requires a session with a JVM, which a Spark Connect client does not have;"
            " start the Connect server with --jars mamba-spark-jobs-0.2.0.jar --conf"
            f" spark.sql.extensions={_EXTENSION} --conf spark.mambaspark.model=MODEL, and use the"
            " SQL functions mamba_score, mamba_perplexity and mamba_nll"
        )


class _Writer(DefaultParamsWriter):
    """Writes a stage with the fingerprint of its model and, if ``saveModel`` is set, the model."""

    def save(self, path: str) -> None:
        self.instance._java_obj.checkPlace(path, self.shouldOverwrite)
        super().save(path)

    def saveImpl(self, path: str) -> None:
        self.instance._java_obj.copyModel(path)
        super().saveImpl(path)


class _Reader(DefaultParamsReader):
    """Reads a stage. A stage that was saved with its model uses the saved model."""

    def load(self, path: str) -> "MambaPerplexity":
        stage = super().load(path)
        if stage.getOrDefault(stage.saveModel):
            stage.clear(stage.tokenizer)
            stage._transfer_params_to_java()
            stage._java_obj.findModel(path)
            stage._transfer_params_from_java()
        return stage


class MambaPerplexity(JavaTransformer, DefaultParamsReadable, DefaultParamsWritable):
    """Adds scores to rows: ``nll``, ``token_count`` and ``perplexity``, or the columns of ``emit``.

    All input columns are kept. Parameters have the names, values and defaults of the command line's
    options:

    >>> MambaPerplexity(model="demo", textColumn="text").transform(corpus)

    A stage is saved with the path and the fingerprint of its model. A loaded stage refuses a
    different model at that path. With ``saveModel``, the model's files and its tokenizer are copied
    into the folder ``model`` of the saved stage. A stage loaded from there uses the copy, even
    after the saved stage was moved.

    Requires a session with a JVM; raises RuntimeError in a Spark Connect client.
    """

    model = _string("model", "checkpoint: a folder, any Hadoop URI, or demo")
    fingerprint = _string("fingerprint", "SHA-256 that the model must have; set when saved")
    saveModel = _boolean("saveModel", "whether saving the stage copies the model's files into it")
    tokensColumn = _string("tokensColumn", "documents as token ids")
    textColumn = _string("textColumn", "documents as text")
    contextColumn = _string("contextColumn", "contexts whose continuations are scored")
    continuationColumn = _string("continuationColumn", "continuations to score after the contexts")
    tokenizer = _string("tokenizer", "tokenizer.json or its folder, if not in the model's folder")
    addSpecialTokens = _boolean("addSpecialTokens", "whether to add the tokenizer's special tokens")
    emit = _string("emit", "values to write, such as perplexity,top-k=5")
    segmentBy = _string("segmentBy", "parts of documents to score: newline, blank-line or tokens=N")
    prefixToken = _string("prefixToken", "token placed before every row: an id, bos, eos or none")
    maxTokens = _number("maxTokens", "maximum number of tokens of a row that are scored")
    maxLength = _number("maxLength", "keep the last N + 1 tokens of a context and its continuation")
    window = _string("window", "full, rolling, strided or chunked")
    windowTokens = _number("windowTokens", "number of tokens of a window")
    stride = _number("stride", "number of tokens between the starts of consecutive strided windows")
    onError = _string("onError", "rows that cannot be scored: quarantine or fail")
    weights = _string("weights", "format of the weights in memory: f32, bf16, int8, int8-out16 or int16")
    modelDelivery = _string("modelDelivery", "how executors get the model: auto, broadcast or file")

    @keyword_only
    def __init__(
        self,
        *,
        model: Optional[str] = None,
        fingerprint: Optional[str] = None,
        saveModel: bool = False,
        tokensColumn: Optional[str] = None,
        textColumn: Optional[str] = None,
        contextColumn: Optional[str] = None,
        continuationColumn: Optional[str] = None,
        tokenizer: Optional[str] = None,
        addSpecialTokens: bool = False,
        emit: str = "perplexity",
        segmentBy: Optional[str] = None,
        prefixToken: Optional[str] = None,
        maxTokens: Optional[int] = None,
        maxLength: Optional[int] = None,
        window: str = "full",
        windowTokens: Optional[int] = None,
        stride: Optional[int] = None,
        onError: str = "quarantine",
        weights: str = "f32",
        modelDelivery: str = "auto",
    ) -> None:
        """Creates a stage; ``explainParams()`` describes each parameter."""
        super().__init__()
        _require_jvm("MambaPerplexity", is_remote())
        self._java_obj = self._new_java_obj(_STAGE, self.uid)
        self._setDefault(
            saveModel=False,
            addSpecialTokens=False,
            emit="perplexity",
            window="full",
            onError="quarantine",
            weights="f32",
            modelDelivery="auto",
        )
        self.setParams(**self._input_kwargs)

    def setParams(self, **params: Any) -> "MambaPerplexity":
        """Sets parameters by their names. A value of None does not change its parameter."""
        return self._set(**{name: value for name, value in params.items() if value is not None})

    def write(self) -> DefaultParamsWriter:
        """Opens the model, and returns a writer that saves this stage in its current state."""
        self._transfer_params_to_java()
        saved = self.copy()
        saved.setParams(fingerprint=self._java_obj.modelFingerprint())
        saved._transfer_params_to_java()
        return _Writer(saved)

    @classmethod
    def read(cls) -> DefaultParamsReader:
        """Returns a reader for stages that were saved from Python."""
        _require_jvm("MambaPerplexity", is_remote())
        return _Reader(cls)

    def _resetUid(self, newUid: Any) -> "MambaPerplexity":
        # Recreate the Java object, because its messages contain its own uid.
        super()._resetUid(newUid)
        self._java_obj = self._new_java_obj(_STAGE, self.uid)
        return self


def register_functions(spark: SparkSession, model: str) -> None:
    """Registers ``mamba_score``, ``mamba_perplexity`` and ``mamba_nll`` in a session.

    A session started with ``spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions`` already
    has these functions. This function also sets the session's ``spark.mambaspark.model`` to the
    model. The functions take a text or a list of token ids. ``mamba_score`` returns a struct of
    ``nll``, ``token_count``, ``perplexity`` and ``error``, and of the signals that the session's
    ``spark.mambaspark.emit`` lists:

    >>> register_functions(spark, "demo")
    >>> spark.sql("SELECT id, mamba_score(text).nll FROM corpus WHERE mamba_perplexity(text) < 500")

    Requires a session with a JVM; raises RuntimeError in a Spark Connect client.
    """
    _require_jvm("register_functions", not hasattr(spark, "_jsparkSession"))
    spark._jvm.io.mambaspark.jobs.sql.MambaExtensions.register(spark._jsparkSession, model)
