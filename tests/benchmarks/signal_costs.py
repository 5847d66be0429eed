"""B12: what signals cost: a million decoded rows x 20 floats folded with the basic signals, with one more, with all.

The reference has labels and scores, so that every signal of a classifier is learned from it; that is not timed.
"""

from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.columns import Columns
from driftgauge.families import BASIC_SIGNALS, OPTIONAL_SIGNALS

from . import datasets, product
from .measuring import Contestant, Figures, Notes, Target, child, compared, expect, interleaved, timed

_REFERENCE_ROWS: Final = 100_000
_BASIC: Final = "basic signals only"
_ALL: Final = "all signals"
# Each of the others takes less than a tenth of the basic ones.
_COSTLY: Final = ("reconstruction", "multivariate", "anomalies")


def run(notes: Notes) -> None:
    """Measure and note the line."""
    found = child("signal_costs", "fold")
    for name, rounds in found.items():
        if name != _BASIC:
            work, target = f"fold 1M rows x 20 floats, {name}", Target(most=2.2) if name == _ALL else None
            notes.add(compared("B12", work, ours=rounds, reference=found[_BASIC], name=_BASIC, target=target))


def fold() -> dict[str, list[Figures]]:
    """Fold with each choice of signals in turn; return the rounds of each by its name."""
    known = {name: values[:_REFERENCE_ROWS] for name, values in datasets.read(datasets.reference()).items()}
    reference = product.compiled(_labelled(product.columns(known)))
    rows = product.columns(datasets.read(datasets.current()))
    pieces = product.chunks(rows)
    chosen = {_BASIC: [], **{f"these and `{name}`": [name] for name in _COSTLY}, _ALL: list(OPTIONAL_SIGNALS)}

    def once(signals: list[str]) -> None:
        by = product.terms(reference, signals=[*BASIC_SIGNALS, *signals])
        expect(product.folded(pieces, by).totals.versions["1"].predictions, len(rows), "rows")

    return interleaved(
        [Contestant(name, partial(timed, partial(once, signals)), 5) for name, signals in chosen.items()]
    )


STEPS: Final = {"fold": fold}


def _labelled(rows: Columns) -> Columns:
    """Return the same rows with labels that their scores are the chances of."""
    drawn = np.random.default_rng(12).random(len(rows)) < rows.score
    return replace(rows, label=pa.array(np.where(drawn, "1", "0")))
