"""A pyfunc model that logs what it predicts: `MonitoredModel` loads it, times it, and gives its rows to the logger.

It returns or raises exactly what the model does. A failure of logging never affects a prediction: it is logged once as
a warning. `PredictionLogger` stores and delivers the rows.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self, Unpack

from driftgauge.client.logger import PredictionLogger
from driftgauge.client.options import Settings
from driftgauge.client.shapes import Inputs, Outputs, input_columns, output_columns, snapshot
from driftgauge.client.versions import number_of, pinned
from driftgauge.errors import ConfigError
from driftgauge.schema import UNKNOWN_VERSION

_LOG: Final = logging.getLogger("driftgauge.client")

RequestIds = Any  # a value, a sequence of them, or None


class Predictor(Protocol):
    """The wrapped model: a loaded pyfunc model, or any object with the same `predict`."""

    def predict(self, data: Any, params: Any = None, /) -> Any:
        """Return what is predicted for `data`."""


class Prediction(NamedTuple):
    """What the model returned, and the id of each row by which a label finds it."""

    output: Any
    request_ids: Sequence[str]


class MonitoredModel:
    """A model whose predictions are logged to the MLflow experiment `experiment_name`.

    model_uri: models:/name@alias, models:/name/3, models:/name/Production, models:/<model id>, runs:/<run>/<path> or
    any place MLflow loads models from, or a model that is loaded already. An alias or stage is resolved to a version
    number once, and that version is loaded, from the tracking server and registry MLflow is set to in this process.
    log_sample_rate: share of requests that are logged, chosen by request id.
    model_version: recorded instead of the registry's number; needed for a model that is not registered.
    classes: of the model's probability columns, in order, where its output does not name them.
    settings: those of `PredictionLogger` (redact, hash, spool_dir, tracking_uri, …).

    Raises ConfigError when a setting is wrong, SourceError when the registry has no such version, and what MLflow
    raises when it cannot load it.
    """

    def __init__(
        self,
        model_uri: str | Predictor,
        experiment_name: str,
        log_sample_rate: float = 1.0,
        *,
        model_version: str | None = None,
        classes: Sequence[Any] | None = None,
        **settings: Unpack[Settings],
    ) -> None:
        if "sample_rate" in settings:
            raise ConfigError("MonitoredModel(sample_rate=…) is called log_sample_rate here")
        self.model, self.version = _loaded(model_uri, model_version)
        settings["sample_rate"] = log_sample_rate
        self.logger = PredictionLogger(experiment_name, self.version, **settings)
        self._classes = classes
        self._names = _input_names(self.model)
        self._complained: set[str] = set()

    def predict(self, features: Any, request_id: RequestIds = None, *, params: Mapping[str, Any] | None = None) -> Any:
        """Return exactly what the model returns for `features`, and log it.

        request_id: the id of the row, or a list of one id per row. One id for several rows becomes <id>-0, <id>-1, …;
        without any, ids are generated, which `predict_with_ids` returns.
        """
        return self.predict_with_ids(features, request_id, params=params).output

    def predict_with_ids(
        self, features: Any, request_id: RequestIds = None, *, params: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Do as `predict` and return the rows' ids as well: () when the call could not be logged.

        The latency of each row is the time the model took for the whole call, on a monotonic clock.
        """
        kept = self._kept(features)
        began = time.perf_counter()
        try:
            output = self.model.predict(features) if params is None else self.model.predict(features, params)
        except Exception as error:
            call = _Call(request_id, time.perf_counter() - began, type(error).__name__)
            self._log(kept, None, call)
            raise
        call = _Call(request_id, time.perf_counter() - began, None)
        return Prediction(output, self._log(kept, output, call))

    def flush(self, timeout: float | None = None) -> bool:
        """Do as `PredictionLogger.flush`."""
        return self.logger.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Do as `PredictionLogger.close`."""
        return self.logger.close(timeout)

    def __enter__(self) -> Self:
        """Return the model; it is closed when the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write out what is buffered."""
        self.close()

    def _kept(self, features: Any) -> Any:
        """Copy the features if possible, before the model or the caller can change them."""
        try:
            return snapshot(features)
        except Exception:  # noqa: BLE001 - no failure of logging may cost a prediction
            self._complain("cannot copy the features", show=True)
            return features

    def _log(self, kept: Any, output: Any, call: "_Call") -> Sequence[str]:
        try:
            rows = input_columns(kept, names=self._names)
            answer = Outputs() if call.error else output_columns(output, rows=rows.rows, classes=self._classes)
            if answer.empty and not call.error and rows.rows:
                self._complain("the output is not one prediction, nor probabilities, per row: logged without it")
            return self._log_rows(rows, answer, call)
        except Exception:  # noqa: BLE001 - no failure of logging may cost a prediction
            self._complain("cannot log a prediction", show=True)
            return ()

    def _log_rows(self, rows: Inputs, answer: Outputs, call: "_Call") -> Sequence[str]:
        if rows.rows == 0:
            return ()
        if rows.rows == 1 and not _is_list(call.request_id):
            found = self._log_row(rows, answer, call)
            return () if found is None else (found,)
        return self._log_batch(rows, answer, call)

    def _log_row(self, rows: Inputs, answer: Outputs, call: "_Call") -> str | None:
        scores = {name: _first(column) for name, column in answer.class_scores.items()}
        return self.logger.log(
            {name: _first(column) for name, column in rows.columns.items()},
            None if answer.prediction is None else _first(answer.prediction),
            score=scores or (None if answer.score is None else _first(answer.score)),
            request_id=call.request_id,
            latency=call.latency,
            error=call.error,
        )

    def _log_batch(self, rows: Inputs, answer: Outputs, call: "_Call") -> Sequence[str]:
        ids = _ids(call.request_id, rows.rows)
        if ids is not None and len(ids) != rows.rows:
            self._complain("there are not as many request ids as rows: rows are logged under new ids")
            ids = None
        logged = self.logger.log_batch(
            rows.columns,
            [None] * rows.rows if answer.prediction is None else answer.prediction,
            scores=answer.class_scores or answer.score,
            request_ids=ids,
            latencies=call.latency,
            errors=call.error,
        )
        return () if logged is None else logged

    def _complain(self, message: str, *, show: bool = False) -> None:
        """Log a warning once; `show` the exception that is being handled."""
        if message not in self._complained:
            self._complained.add(message)
            _LOG.warning("%s (said once)", message, exc_info=show)


class _Call(NamedTuple):
    """One call of the model: the ids the caller gave, the seconds it took, and the failure it ended in."""

    request_id: RequestIds
    latency: float
    error: str | None


def _loaded(model: str | Predictor, model_version: str | None) -> tuple[Predictor, str]:
    """Return the model and the version to record."""
    if isinstance(model, str):
        import mlflow  # noqa: PLC0415 - takes seconds, and a loaded model may not need it

        uri = pinned(mlflow.MlflowClient(), model)
        found: Predictor = mlflow.pyfunc.load_model(uri)
    else:
        uri, found = "", model
    version = model_version or _registered(uri, getattr(found, "model_id", None))
    if version is None:
        _LOG.warning(
            'model "%s" is not registered under one name: its predictions are logged as version "%s"; register it, or '
            "pass model_version",
            uri or type(model).__name__,
            UNKNOWN_VERSION,
        )
    return found, version or UNKNOWN_VERSION


def _registered(uri: str, model_id: str | None) -> str | None:
    if not uri and not model_id:
        return None
    import mlflow  # noqa: PLC0415 - as above

    return number_of(mlflow.MlflowClient(), uri, model_id=model_id)


def _input_names(model: Predictor) -> Sequence[str] | None:
    """Return the names of the model's inputs if its signature has any."""
    schema = getattr(getattr(model, "metadata", None), "get_input_schema", lambda: None)()
    names: Sequence[str] | None = schema.input_names() if schema is not None and schema.has_input_names() else None
    return names


def _ids(request_id: RequestIds, rows: int) -> Sequence[Any] | None:
    """Return the ids of a batch: those given, or numbered ones of a request that has one id."""
    if request_id is None or _is_list(request_id):
        return None if request_id is None else list(request_id)
    return [f"{request_id}-{number}" for number in range(rows)]


def _is_list(request_id: RequestIds) -> bool:
    return hasattr(request_id, "__len__") and not isinstance(request_id, str)


def _first(column: Any) -> Any:
    """Return the first value of an array, a list, or a Series whatever its index."""
    return column.iloc[0] if hasattr(column, "iloc") else column[0]
