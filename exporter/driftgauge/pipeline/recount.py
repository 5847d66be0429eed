"""Corrected labels: the outcomes of the intervals they touch, counted again from the stored rows.

Nothing is ever subtracted. A stretch is as long as the longest panes, so that it is made of whole panes, whichever of
them its rows have moved to; all outcomes that were joined from label files in it are replaced at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from driftgauge.aggregates.pane import Pane
from driftgauge.pipeline.delta import Terms
from driftgauge.pipeline.labels import refold
from driftgauge.pipeline.panes import coded
from driftgauge.segments import ALL_ROWS
from driftgauge.store import Transaction
from driftgauge.store.join import labelled_in
from driftgauge.windows import MICROSECONDS, PaneKey

# Rows that are read back at a time, some hundred bytes each.
_PORTION: Final = 1_000_000

# Version and start (s) of a stretch.
Stretch = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Recount:
    """`panes` take the place of those in `replaced`: all that was joined in `stretches`, each `length` s long."""

    length: int = 0
    stretches: frozenset[Stretch] = frozenset()
    panes: Mapping[PaneKey, Pane] = field(default_factory=dict)
    replaced: frozenset[PaneKey] = frozenset()

    def outside(self, panes: Mapping[PaneKey, Pane]) -> dict[PaneKey, Pane]:
        """Return the panes that were not counted again."""
        return {key: pane for key, pane in panes.items() if _stretch(key, self.length) not in self.stretches}


NOTHING: Final = Recount()


def recount(tx: Transaction, corrected: pa.Table, outcomes: Mapping[PaneKey, Pane], terms: Terms) -> Recount:
    """Count again the intervals that `corrected` labels (`store.join.Joined`) leave or enter.

    outcomes: the panes so far.
    """
    length = terms.tiers.lengths[-1]
    stretches = _touched(corrected, terms, length)
    if not stretches:
        return NOTHING
    replaced = [key for key in outcomes if _stretch(key, length) in stretches]
    rows = dict.fromkeys(sorted(stretches), 0)
    for key in (key for key in replaced if key.segment == ALL_ROWS):
        rows[key.version, key.start // length * length] += outcomes[key].rows
    panes: dict[PaneKey, Pane] = {}
    for portion in _portions(rows):
        labelled = labelled_in(
            tx,
            pa.table({"version": [at[0] for at in portion], "start": [at[1] * MICROSECONDS for at in portion]}),
            length=length * MICROSECONDS,
            by_label_time=terms.by_label_time,
        )
        panes |= refold(labelled, terms)
    return Recount(length, frozenset(stretches), panes, frozenset(replaced))


def _stretch(key: PaneKey, length: int) -> Stretch | None:
    """Return where a pane of joined outcomes lies."""
    return (key.version, key.start // length * length) if key.rebuilt and length else None


def _touched(corrected: pa.Table, terms: Terms, length: int) -> set[Stretch]:
    """Return the stretches that corrected labels leave or enter and that a window still covers."""
    names, versions = coded(corrected["version"])
    oldest = terms.tiers.ends(terms.now)[-1]
    found: set[Stretch] = set()
    for column in ("old_time", "new_time") if terms.by_label_time else ("time",):
        seconds = corrected[column].to_numpy() // MICROSECONDS
        at = np.stack([versions, seconds // length * length])[:, seconds >= oldest]
        found |= {(names[version], start) for version, start in np.unique(at, axis=1).T.tolist()}
    return found


def _portions(rows: Mapping[Stretch, int]) -> Iterator[list[Stretch]]:
    """Divide intervals, each with its number of rows, into portions that fit into memory; each is a query."""
    portion: list[Stretch] = []
    size = 0
    for stretch, count in rows.items():
        if portion and size + count > _PORTION:
            yield portion
            portion, size = [], 0
        portion.append(stretch)
        size += count
    yield portion
