"""The inputs and outputs of a model, in any of the shapes that pyfunc allows, as columns of rows.

Tables (data frames, lists of records, mappings of arrays), arrays and tensors, lists and single values become columns.
Nothing is guessed: an output that is neither clearly a prediction nor a probability becomes no column. This module is
pure: it neither calls models nor logs, and recognises libraries by the attributes of their objects.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

import numpy as np

from driftgauge.schema import CLASS_SCORE_PREFIXES, SPELLINGS

# The name of a feature without one: the position in its row, or this when there is one value per row.
SOLE_FEATURE: Final = "input"
_PREDICTIONS: Final = (*SPELLINGS["prediction"], "predictions")
_SCORES: Final = SPELLINGS["score"]
# Checked first, because most features are of these types.
_SINGLE: Final = frozenset({str, int, float, bool, NoneType})
# Rounding allowed in the sum of a row's probabilities.
_ROUNDING: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Inputs:
    """`rows` rows of features; columns: feature -> its `rows` values, {} when a row is not a list of values."""

    rows: int
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outputs:
    """The prediction, the score and the probability of each class per row, as far as the output has them."""

    prediction: Any = None
    score: Any = None
    class_scores: Mapping[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing of the output could be understood."""
        return self.prediction is None and self.score is None and not self.class_scores


def snapshot(features: Any) -> Any:
    """Return a copy, which does not change when the model or the caller writes into the original."""
    if _is_frame(features) and len(features) == 1:
        # One record costs a third of ten columns of one value.
        return [dict(zip(features.columns.tolist(), features.iloc[0].tolist(), strict=True))]
    if isinstance(features, Mapping):
        return {name: _copied(value) for name, value in features.items()}
    if isinstance(features, list | tuple):
        return [_copied(value) for value in features]
    return _copied(features)


def input_columns(features: Any, *, names: Sequence[str] | None = None) -> Inputs:
    """Return the features of every row; `names` are those of the model's signature, for features without any."""
    table = _as_table(features)
    if table is not None:
        return Inputs(
            _length(table), {name: column for name, column in table.items() if getattr(column, "ndim", 1) == 1}
        )
    values = _as_array(features)
    if values is None and hasattr(features, "shape"):
        return Inputs(features.shape[0], {})  # a sparse matrix: dense, it could be of any size
    if values is None or values.ndim == 0:
        return Inputs(1, {SOLE_FEATURE: [features if values is None else values.item()]})
    if values.ndim == 1:
        return Inputs(len(values), {names[0] if names and len(names) == 1 else SOLE_FEATURE: values})
    if values.ndim > 2:
        return Inputs(len(values), {})
    if names is None or len(names) != values.shape[1]:
        names = [str(position) for position in range(values.shape[1])]
    return Inputs(len(values), {name: values[:, position] for position, name in enumerate(names)})


def output_columns(output: Any, *, rows: int, classes: Sequence[Any] | None = None) -> Outputs:
    """Return predictions and probabilities of `rows` rows; `classes` name the probability columns, in order.

    A single column is the prediction. In a table, columns named as `schema` spells them are predictions, scores and
    class probabilities, and others are left out. Columns of numbers that add up to 1 in each row are probabilities.
    """
    table = _as_table(output)
    if table is not None:
        return _from_table(table, classes) if _length(table) == rows else Outputs()
    values = _as_array(output)
    if values is None or values.ndim == 0:
        return Outputs(prediction=[output if values is None else values.item()]) if rows == 1 else Outputs()
    return _from_array(values, classes) if len(values) == rows else Outputs()


def _from_table(table: Mapping[str, Any], classes: Sequence[Any] | None) -> Outputs:
    named = _by_name(table)
    if not named.empty:
        return named
    if len(table) == 1:
        return Outputs(prediction=next(iter(table.values())))
    return _probabilities(_as_array(list(zip(*table.values(), strict=True))), classes or list(table))


def _from_array(values: Any, classes: Sequence[Any] | None) -> Outputs:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return Outputs(prediction=values) if values.ndim == 1 else _probabilities(values, classes)


def _by_name(table: Mapping[str, Any]) -> Outputs:
    return Outputs(
        prediction=next((table[name] for name in _PREDICTIONS if name in table), None),
        score=next((table[name] for name in _SCORES if name in table), None),
        class_scores={
            name.removeprefix(prefix): column
            for name, column in table.items()
            for prefix in CLASS_SCORE_PREFIXES
            if name.startswith(prefix) and name != prefix
        },
    )


def _probabilities(values: Any, classes: Sequence[Any] | None) -> Outputs:
    """Read an array of one column per class: of two classes the second is the positive one."""
    if values is None or values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        return Outputs()
    if not ((values >= 0).all() and (np.abs(values.sum(axis=1) - 1) <= _ROUNDING).all()):
        return Outputs()
    count = values.shape[1]
    if classes is None and count == 2:
        return Outputs(score=values[:, 1])
    names = range(count) if classes is None or len(classes) != count else classes
    return Outputs(class_scores={str(name): values[:, position] for position, name in enumerate(names)})


def _as_table(value: Any) -> dict[str, Any] | None:
    """Return named columns of equal length, None when the value has no names."""
    if isinstance(value, Mapping):
        lengths = {len(column) if _is_column(column) else None for column in value.values()}
        if len(lengths) == 1 and None not in lengths:
            return {str(name): column for name, column in value.items()}
        return {str(name): [cell] for name, cell in value.items()}
    if _is_frame(value):
        return {str(name): column for name, column in value.items()}
    if isinstance(value, list | tuple) and value and all(isinstance(row, Mapping) for row in value):
        names = dict.fromkeys(name for row in value for name in row)
        return {str(name): [row.get(name) for row in value] for name in names}
    return None


def _as_array(value: Any) -> Any:
    """Return an array; of no dimensions for a number, None for a value that is neither an array nor a number."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if isinstance(value, list | tuple):
        return _rows(value)
    if not hasattr(value, "__array__"):
        return None
    return np.asarray(value)


def _rows(values: Iterable[Any]) -> Any:
    """Return rows as an array; when their lengths differ, as an array of one object per row."""
    values = list(values)
    try:
        found = np.asarray(values)
    except ValueError:
        found = None
    if found is not None and found.dtype.kind not in "USO":
        return found
    # As an array of text, numbers next to words would become words.
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def _is_frame(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "iloc")


def _is_column(value: Any) -> bool:
    if type(value) in _SINGLE:
        return False
    return not isinstance(value, str | bytes | Mapping) and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _length(table: Mapping[str, Any]) -> int:
    return len(next(iter(table.values()))) if table else 0


def _copied(value: Any) -> Any:
    if type(value) in _SINGLE:
        return value
    copy = getattr(value, "copy", None) or getattr(value, "clone", None)
    return copy() if callable(copy) else value
