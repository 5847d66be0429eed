"""The slices of a window that became worse: how many, and the worst of them, which do not change at every look.

What is shown depends on the panes that are kept, never on when or how often somebody looked: the window is judged as it
was with its last pane, without it, without the last two, and so on, and a slice keeps its place until it was not among
the worst for some panes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Self

from driftgauge.aggregates.losses import SliceLosses
from driftgauge.aggregates.pane import Pane
from driftgauge.config import Window
from driftgauge.estimate.slices import concept_parts, steady, verdict
from driftgauge.segments import ALL_ROWS
from driftgauge.signals.slices import NAME, FittedSlices
from driftgauge.snapshot.board import Board
from driftgauge.windows import PaneKey, Tiers

# Panes with labelled rows that are looked back at.
_LOOKED_BACK: Final = 12
# So many predictions may all be wrong by chance.
_FEW_ROWS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Visible:
    """The panes of all labelled rows by version, and which of them a window is the sum of at `now` (µs)."""

    by_version: Mapping[str, Mapping[PaneKey, Pane]]
    tiers: Tiers
    windows: Mapping[int, Window]
    now: int

    @classmethod
    def of(cls, outcomes: Mapping[PaneKey, Pane], windows: Sequence[Window], now: int) -> Self:
        """Sort panes by version."""
        found: dict[str, dict[PaneKey, Pane]] = {}
        for key, pane in outcomes.items():
            if key.segment == ALL_ROWS:
                found.setdefault(key.version, {})[key] = pane
        return cls(found, Tiers.of(windows), {window.seconds: window for window in windows}, now)

    def panes(self, version: str, seconds: int) -> tuple[dict[PaneKey, Pane], int]:
        """Return the panes of a window that is this long, and how long its panes are (s)."""
        of = self.by_version.get(version, {})
        keys = self.tiers.visible(of, self.windows[seconds], self.now)
        return {key: of[key] for key in keys}, self.tiers.panes[seconds]


def put_slices(board: Board, signal: FittedSlices, panes: Mapping[PaneKey, Pane], length: int) -> None:
    """Add what a window says of slices; panes: all that it is the sum of, which count as panes of `length` seconds."""
    steps = _steps(panes, length)
    if not steps or _speaks_of_others(signal, steps[-1]):
        return
    verdicts = [verdict(signal.known, losses) for losses in steps]
    now, window = verdicts[-1], steps[-1]
    if not now.judged.any():
        return
    board.put("model_segments_worse", int(now.worse.sum()))
    named: set[str] = set()
    for at in steady([each.ranking for each in verdicts]):
        name = signal.names[at]
        if not now.judged[at] or name in named:
            continue
        named.add(name)
        here, loss = replace(board, segment=name), float(window.means[at])
        here.put("model_segment_rows", int(window.rows[at]))
        here.put("model_segment_performance", 1 - loss if window.is_binary else loss, signal.metric)
        here.put("model_segment_degradation_lower", float(now.lower[at]), signal.metric)


def slice_concepts(signal: FittedSlices, panes: Mapping[PaneKey, Pane]) -> dict[str, float]:
    """Return by name how much of the change of the mean loss each slice of a window brought because its loss did.

    What is left of a column's change is that of its mix. In points of a 0/1 loss, in the unit of errors otherwise.
    """
    found = [losses for pane in panes.values() if (losses := pane.find(NAME, SliceLosses)) is not None]
    if not found:
        return {}
    parts = concept_parts(signal.known, SliceLosses.combine(found), signal.known.of_columns(signal.counts))
    return {name: float(part) for name, part in zip(signal.names, parts, strict=True)}


def _steps(panes: Mapping[PaneKey, Pane], length: int) -> Sequence[SliceLosses]:
    """Return the losses of the window as they were after each of its last panes."""
    by_start: dict[int, list[SliceLosses]] = {}
    for key, pane in panes.items():
        losses = pane.find(NAME, SliceLosses)
        if losses is not None and losses.rows.any():
            by_start.setdefault(key.start // length, []).append(losses)
    groups = [by_start[start] for start in sorted(by_start)]
    first = max(1, len(groups) - _LOOKED_BACK + 1)
    grown = [[each for group in groups[:first] for each in group], *groups[first:]]
    sums = [SliceLosses.combine(group) for group in grown if group]
    return list(accumulate(sums, lambda before, new: SliceLosses.combine([before, new])))


def _speaks_of_others(signal: FittedSlices, window: SliceLosses) -> bool:
    """Tell whether no prediction is right: then labels speak of other classes than predictions."""
    column = window.of_columns(signal.counts)[0]
    rows, wrong = window.rows[column].sum(), window.loss[column].sum()
    return bool(window.is_binary and rows >= _FEW_ROWS and rows == wrong)
