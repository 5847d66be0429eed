"""The labels of a window counted on the cells of the reference's labels; what they say of drift, `drift` computes.

Labels are a column of their own layout rather than of that of the features: they are of other rows, of labelled ones,
and a model whose reference has no labels is the same as before. What compares any column compares them, classes as well
as the numbers of a regression.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from driftgauge.aggregates.distribution import Distribution, as_floats
from driftgauge.columns import Columns, IntArray
from driftgauge.config import ModelConfig
from driftgauge.grid import DOUBLE, LABEL, Layout
from driftgauge.reference import MIN_REFERENCE_ROWS, Reference, compile_column, names_each_row
from driftgauge.signals.signal import Basis, Learned, Signal

# Of more classes, the less frequent ones of the reference are counted together.
_CLASSES: Final = 1_000
# What is said of a reference some of whose labels cannot be read: the others may be a biased remainder.
_UNREADABLE: Final = "reference_bad_label"


@dataclass(frozen=True, slots=True, eq=False)
class FittedLabels:
    """Counts on the layout of `reference`, which has one column; of new classes at most `limit` by name."""

    reference: Reference
    limit: int

    @property
    def fingerprint(self) -> str:
        """Counts on different grids do not add."""
        return f"{self.reference.layout.fingerprint}:{self.limit}"

    def fold(self, rows: Columns, ends: IntArray) -> Sequence[Distribution]:
        """Count the labels of each group."""
        is_number = pa.types.is_floating(rows.label.type)
        numbers = {LABEL: as_floats(rows.label)} if is_number else {}
        texts = {} if is_number else {LABEL: rows.label}
        return Distribution.fold(self.reference.layout, numbers, texts, ends, limit=self.limit, precision={})


def learn(chunks: Sequence[Columns], _: Reference, model: ModelConfig) -> Learned:
    """Return the labels of the reference compiled to a reference of one column; or, as `reason`, why there are none."""
    if any(note.reason == _UNREADABLE for chunk in chunks for note in chunk.notes):
        return {"reason": "has labels that cannot be read, so the others may be a biased part"}
    labels = pa.concat_arrays([chunk.label for chunk in chunks])
    is_number = pa.types.is_floating(labels.type)
    known = len(labels) - labels.null_count
    if known < MIN_REFERENCE_ROWS or (not is_number and names_each_row(labels)):
        return {"reason": f"needs {MIN_REFERENCE_ROWS} labelled reference rows whose labels are no identifiers"}
    values = as_floats(labels) if is_number else labels
    grid, profile = compile_column(values, model.drift, DOUBLE, _CLASSES)
    return Reference(Layout({LABEL: grid}), {LABEL: profile}, known, ()).to_state()


def labels_of(reference: Reference | None) -> Reference | None:
    """Return what a reference knows of its labels, as a reference of one column; None where it knows nothing."""
    learned = reference.learned.get("labels") if reference else None
    return None if learned is None or "reason" in learned else Reference.from_state(dict(learned))


def fit(basis: Basis) -> FittedLabels | None:
    """Return the signal on the layout of the reference's labels, None without any."""
    reference = labels_of(basis.reference)
    return FittedLabels(reference, basis.limits.max_categories) if reference else None


SIGNAL: Final = Signal("labels", "labelled", Distribution, fit, learn=learn)
