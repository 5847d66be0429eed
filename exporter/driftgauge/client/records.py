"""Logged rows as tables that the exporter reads without any mapping: one column per role and per feature.

The names are those of `schema`. Rows in memory stay as the caller passed them; a background thread converts them with
the functions here. This module knows neither files nor threads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from driftgauge.client.privacy import Privacy
from driftgauge.client.times import time_column
from driftgauge.client.values import Array, array_column, column, floats, is_missing, joined, plain, texts
from driftgauge.errors import DriftgaugeError
from driftgauge.schema import CLASS_SCORE_PREFIXES, FEATURE_PREFIXES, SPELLINGS

REQUEST_ID: Final = SPELLINGS["request_id"][0]
TIMESTAMP: Final = SPELLINGS["timestamp"][0]
VERSION: Final = SPELLINGS["version"][0]
PREDICTION: Final = SPELLINGS["prediction"][0]
SCORE: Final = SPELLINGS["score"][0]
LABEL: Final = SPELLINGS["label"][0]
LATENCY: Final = "latency_seconds"
ERROR: Final = SPELLINGS["error"][0]
_FEATURE: Final = FEATURE_PREFIXES[0]
_CLASS_SCORE: Final = CLASS_SCORE_PREFIXES[0]
# The exporter refuses files of more than 2,000 columns and ignores names of more than 1,000 characters.
MAX_FEATURES: Final = 1_500
MAX_CLASSES: Final = 400
MAX_NAME: Final = 500

# One call of `log`: request id, time, features, prediction, score, latency, error.
Row = tuple[str, Any, Mapping[Any, Any], Any, Any, Any, Any]
Columns = dict[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One call of `log_batch`: `rows` rows by column; `at` is when it was logged (s since 1970).

    features: name -> (rows,) array. scores: None, (rows,) or class -> (rows,). timestamps, latencies, errors: None,
    (rows,) or one for all rows.
    """

    rows: int
    at: float
    request_ids: Sequence[str]
    features: Mapping[str, Any]
    predictions: Any
    scores: Any = None
    timestamps: Any = None
    latencies: Any = None
    errors: Any = None

    def check(self) -> None:
        """Raise DriftgaugeError when something has another length than the batch."""
        _check_lengths(self.rows, self.features, "feature")
        _check_lengths(self.rows, self.scores if isinstance(self.scores, Mapping) else {"scores": self.scores}, "score")
        others = {"request_ids": self.request_ids, "predictions": self.predictions, "timestamps": self.timestamps}
        _check_lengths(self.rows, {**others, "latencies": self.latencies, "errors": self.errors}, "argument")


@dataclass(frozen=True, slots=True, eq=False)
class LabelBatch:
    """One call of `log_labels`, as `Batch`."""

    rows: int
    at: float
    request_ids: Sequence[str]
    labels: Any
    timestamps: Any = None

    def check(self) -> None:
        """Raise DriftgaugeError when there are more or fewer labels or times than request ids."""
        _check_lengths(self.rows, {"labels": self.labels, "timestamps": self.timestamps}, "argument")


def predictions_table(items: Iterable[Row | Batch], version: str, privacy: Privacy, now: float) -> Any:
    """Return rows and batches, in their order, as one table. `now` replaces times that cannot be read."""
    segments = [
        _batch_columns(segment, now) if isinstance(segment, Batch) else _row_columns(segment, now)
        for segment in _segments(items)
    ]
    return _table(segments, privacy, version=version)


def labels_table(items: Iterable[LabelBatch], privacy: Privacy, now: float) -> Any:
    """Return labels as one table."""
    segments = [
        {
            REQUEST_ID: column(list(item.request_ids)),
            TIMESTAMP: _times(item.timestamps, item, now),
            LABEL: array_column(item.labels),
        }
        for item in items
    ]
    return _table(segments, privacy, version=None)


def _check_lengths(rows: int, arrays: Mapping[str, Any], what: str) -> None:
    for name, values in arrays.items():
        if values is not None and not _is_single(values) and len(values) != rows:
            raise DriftgaugeError(f"{what} {name} has {len(values)} values for {rows} rows; pass one per row")


def _is_single(values: Any) -> bool:
    """Return whether a value is one for all rows of a batch."""
    return isinstance(values, str) or not hasattr(values, "__len__")


def _spread(values: Any, rows: int) -> Any:
    return [values] * rows if _is_single(values) else values


def _segments(items: Iterable[Row | Batch]) -> Iterator[list[Row] | Batch]:
    rows: list[Row] = []
    for item in items:
        if isinstance(item, Batch):
            if rows:
                yield rows
                rows = []
            yield item
        else:
            rows.append(item)
    if rows:
        yield rows


def _row_columns(rows: list[Row], now: float) -> Columns:
    ids, times, features, predictions, scores, latencies, errors = zip(*rows, strict=True)
    found = {REQUEST_ID: column(ids), TIMESTAMP: time_column(times, now)}
    for name in dict.fromkeys(chain.from_iterable(features)):
        found.setdefault(f"{_FEATURE}{name}", column([record.get(name) for record in features]))
    found[PREDICTION] = column(predictions)
    found |= _score_columns(scores)
    found[LATENCY] = floats(column(latencies))
    found[ERROR] = column([_error(error) for error in errors])
    return found


def _score_columns(scores: Sequence[Any]) -> Columns:
    """Return the column of single scores and, where rows have a mapping from class to probability, one per class."""
    if not any(issubclass(kind, Mapping) for kind in set(map(type, scores))):
        return {SCORE: floats(column(scores))}
    mappings = [score if isinstance(score, Mapping) else {} for score in scores]
    single = [None if isinstance(score, Mapping) else score for score in scores]
    classes = dict.fromkeys(chain.from_iterable(mappings))
    found = {f"{_CLASS_SCORE}{name}": floats(column([score.get(name) for score in mappings])) for name in classes}
    return {**found, SCORE: floats(column(single))}


def _batch_columns(batch: Batch, now: float) -> Columns:
    rows = batch.rows
    found = {REQUEST_ID: column(list(batch.request_ids)), TIMESTAMP: _times(batch.timestamps, batch, now)}
    for name, values in batch.features.items():
        found.setdefault(f"{_FEATURE}{name}", _one_per_row(values, rows))
    found[PREDICTION] = _one_per_row(batch.predictions, rows)
    if isinstance(batch.scores, Mapping):
        scores = {f"{_CLASS_SCORE}{name}": values for name, values in batch.scores.items()}
    else:
        scores = {SCORE: batch.scores}
    found |= {name: floats(_one_per_row(values, rows)) for name, values in scores.items()}
    found[LATENCY] = floats(_one_per_row(_spread(batch.latencies, rows), rows))
    found[ERROR] = column([_error(error) for error in _spread(batch.errors, rows)])
    return found


def _one_per_row(values: Any, rows: int) -> Array:
    """Return values as a column; all missing without values, or with several per row, as in a matrix."""
    array = pa.nulls(rows) if values is None else array_column(values)
    return array if len(array) == rows else pa.nulls(rows)


def _times(timestamps: Any, batch: Batch | LabelBatch, now: float) -> Array:
    if timestamps is None:
        return time_column([batch.at], now).take(pa.array([0] * batch.rows, pa.int32()))
    return time_column(_spread(timestamps, batch.rows), now)


def _error(error: Any) -> str | None:
    """Return an error as text; of an exception or another object only its class, since its text may contain anything.

    None, NaN, false, 0 and empty values mean that there was no error.
    """
    if error is None:
        return None
    known = plain(error)
    if known is not None:
        return str(known) if known else None
    nothing = hasattr(error, "dtype") or isinstance(error, float) or (isinstance(error, Sized) and len(error) == 0)
    return None if nothing or is_missing(error) else type(error).__name__


def _table(segments: list[Columns], privacy: Privacy, *, version: str | None) -> Any:
    sizes = [len(segment[REQUEST_ID]) for segment in segments]
    names = _bounded_names(dict.fromkeys(name for segment in segments for name in segment))
    table: Columns = {}
    for name in names:
        parts = (segment.get(name, pa.nulls(size)) for segment, size in zip(segments, sizes, strict=True))
        whole = pa.concat_arrays(parts) if name == TIMESTAMP else joined(list(parts))
        if whole.null_count == len(whole) and not name.startswith(_FEATURE):
            continue
        kept = privacy.kept(name.removeprefix(_FEATURE), texts(whole) if name in (REQUEST_ID, ERROR) else whole)
        if kept is not None:
            table[name] = kept
    if version is not None:
        table[VERSION] = pa.repeat(version, sum(sizes))
    return pa.table(table)


def _bounded_names(names: Iterable[str]) -> list[str]:
    """Return the names that fit into a file: the first `MAX_FEATURES` and `MAX_CLASSES`, none over `MAX_NAME`."""
    room = {_FEATURE: MAX_FEATURES, _CLASS_SCORE: MAX_CLASSES}
    kept = []
    for name in names:
        prefix = next((prefix for prefix in room if name.startswith(prefix)), None)
        if prefix is not None:
            room[prefix] -= 1
        if len(name) <= MAX_NAME and (prefix is None or room[prefix] >= 0):
            kept.append(name)
    return kept
