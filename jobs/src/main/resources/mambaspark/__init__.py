"""Perplexity by Mamba language models on Spark, from Python.

The package lies inside the job jar. Give Spark the jar both for the JVM and for Python::

    pyspark --jars mamba-spark-jobs-0.2.0.jar --py-files mamba-spark-jobs-0.2.0.jar

It works through the session's JVM, which a client of Spark Connect has not. There the server is to
be started with the jar and with the SQL extension; its functions then work in every client,
without this package.
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


def _need_jvm(what: str, remote: bool) -> None:
    if remote:
        raise RuntimeError(
            f"{what} needs a session with a JVM, which a client of Spark Connect has not. Start the"
            " Connect server with --jars mamba-spark-jobs-0.2.0.jar --conf"
            f" spark.sql.extensions={_EXTENSION} --conf spark.mambaspark.model=MODEL, and use its"
            " SQL functions mamba_score, mamba_perplexity and mamba_nll"
        )


class _Writer(DefaultParamsWriter):
    """Writes a stage with the fingerprint of its model and, if it says so, with the model."""

    def save(self, path: str) -> None:
        self.instance._java_obj.checkPlace(path, self.shouldOverwrite)
        super().save(path)

    def saveImpl(self, path: str) -> None:
        self.instance._java_obj.copyModel(path)
        super().saveImpl(path)


class _Reader(DefaultParamsReader):
    """Reads a stage; one that was saved with its model takes the model from the same place."""

    def load(self, path: str) -> "MambaPerplexity":
        stage = super().load(path)
        if stage.getOrDefault(stage.saveModel):
            stage.clear(stage.tokenizer)
            stage._transfer_params_to_java()
            stage._java_obj.findModel(path)
            stage._transfer_params_from_java()
        return stage


class MambaPerplexity(JavaTransformer, DefaultParamsReadable, DefaultParamsWritable):
    """Adds ``nll``, ``token_count``, ``perplexity`` and what ``emit`` asks for to rows.

    All columns stay. Parameters have the names, values and defaults of the command line's options:

    >>> MambaPerplexity(model="demo", textColumn="text").transform(corpus)

    A stage is saved with the path and the fingerprint of its model; one that is loaded refuses
    another model at that path. With ``saveModel`` the model's files, tokenizer included, are copied
    into the folder ``model`` of the saved stage; one that is loaded from there takes them, wherever
    that folder has been moved to.

    Needs a session with a JVM; a client of Spark Connect gets a RuntimeError.
    """

    model = _string("model", "checkpoint: a folder, any Hadoop URI, or demo")
    fingerprint = _string("fingerprint", "SHA-256 that the model must have; set when saved")
    saveModel = _boolean("saveModel", "whether saving the stage copies the model's files into it")
    tokensColumn = _string("tokensColumn", "documents as token ids")
    textColumn = _string("textColumn", "documents as text")
    tokenizer = _string("tokenizer", "tokenizer.json or its folder, if not in the model's folder")
    emit = _string("emit", "values to write, such as perplexity,top-k=5")
    prefixToken = _string("prefixToken", "token placed before every row: an id, bos, eos or none")
    maxTokens = _number("maxTokens", "maximum number of tokens of a row that are scored")
    window = _string("window", "full, rolling, strided or chunked")
    windowTokens = _number("windowTokens", "number of tokens of a window")
    stride = _number("stride", "number of tokens between the starts of consecutive strided windows")
    onError = _string("onError", "rows that cannot be scored: quarantine or fail")
    weights = _string("weights", "format of the weights in memory: f32 or bf16")
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
        """Makes a stage; ``explainParams()`` says what each parameter is."""
        super().__init__()
        _need_jvm("MambaPerplexity", is_remote())
        self._java_obj = self._new_java_obj(_STAGE, self.uid)
        self._setDefault(
            saveModel=False,
            emit="perplexity",
            window="full",
            onError="quarantine",
            weights="f32",
            modelDelivery="auto",
        )
        self.setParams(**self._input_kwargs)

    def setParams(self, **params: Any) -> "MambaPerplexity":
        """Sets parameters by their names; those that are None stay as they are."""
        return self._set(**{name: value for name, value in params.items() if value is not None})

    def write(self) -> DefaultParamsWriter:
        """What saves this stage as it is now; its model is opened for that."""
        self._transfer_params_to_java()
        saved = self.copy()
        saved.setParams(fingerprint=self._java_obj.modelFingerprint())
        saved._transfer_params_to_java()
        return _Writer(saved)

    @classmethod
    def read(cls) -> DefaultParamsReader:
        """What loads a stage that was saved from Python."""
        _need_jvm("MambaPerplexity", is_remote())
        return _Reader(cls)

    def _resetUid(self, newUid: Any) -> "MambaPerplexity":
        # The object in Java has a name of its own, which its messages have.
        super()._resetUid(newUid)
        self._java_obj = self._new_java_obj(_STAGE, self.uid)
        return self


def register_functions(spark: SparkSession, model: str) -> None:
    """Makes ``mamba_score``, ``mamba_perplexity`` and ``mamba_nll`` known to a session.

    They are the functions that a session has which was started with
    ``spark.sql.extensions=io.mambaspark.jobs.sql.MambaExtensions``; the model becomes its setting
    ``spark.mambaspark.model``. The argument is a text or a list of token ids. ``mamba_score`` is a
    struct of ``nll``, ``token_count``, ``perplexity`` and ``error``:

    >>> register_functions(spark, "demo")
    >>> spark.sql("SELECT id, mamba_score(text).nll FROM corpus WHERE mamba_perplexity(text) < 500")

    Needs a session with a JVM; a client of Spark Connect gets a RuntimeError.
    """
    _need_jvm("register_functions", not hasattr(spark, "_jsparkSession"))
    spark._jvm.io.mambaspark.jobs.sql.MambaExtensions.register(spark._jsparkSession, model)
