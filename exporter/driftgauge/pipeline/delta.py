"""What some rows add to counters, to panes, and to the tables of predictions and labels that wait to be joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import pyarrow as pa

from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals
from driftgauge.columns import BoolArray, Columns
from driftgauge.config import ModelConfig, Window
from driftgauge.estimate.coding import Coding
from driftgauge.segments import ALL_ROWS, Segment
from driftgauge.signals import Fitted, FittedOnCodes
from driftgauge.windows import AHEAD, PaneKey, Tiers

Panes = Mapping[PaneKey, Pane]
# Where rows were read: run id and experiment id.
Origin = tuple[str, str]
# By segment, and under `ALL_ROWS`: the fitted signals by name. Those of a version with a reference of its own are there
# by `own_key`.
Signals = Mapping[str, Mapping[str, Fitted]]


def own_key(version: str, segment: str) -> str:
    """Return where the signals of a version that has a reference of its own are among `Signals`."""
    return f"{version}\0{segment}"


def signals_for(signals: Signals, version: str, segment: str) -> Mapping[str, Fitted]:
    """Return by what the rows of a version and segment are folded."""
    own = signals.get(own_key(version, segment))
    return signals[segment] if own is None else own


@dataclass(frozen=True, eq=False)
class Terms:
    """By what rows are folded: the fitted signals of all rows and of each of the `segments`, and `now` in µs.

    names: the numbers that versions' aliases and stages mean. ahead: how far (µs) after `now` a row may be.
    """

    model: ModelConfig
    windows: Sequence[Window]
    fitted: Signals
    now: int
    segments: tuple[Segment, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    ahead: int = AHEAD

    @cached_property
    def tiers(self) -> Tiers:
        """The panes of these windows."""
        return Tiers.of(self.windows)

    def coding(self, version: str) -> Coding | None:
        """Return how a version's rows are coded that wait for labels, None where no signal needs their features."""
        fitted = signals_for(self.fitted, version, ALL_ROWS)
        return next((each.coding for each in fitted.values() if isinstance(each, FittedOnCodes)), None)

    def members(self, rows: Columns) -> list[BoolArray]:
        """Return for each segment which rows (n,) are in it."""
        return [segment.members(rows) for segment in self.segments]

    @property
    def by_label_time(self) -> bool:
        """Whether outcomes count when their label came, rather than when the prediction was made."""
        return self.model.labels is None or self.model.labels.window_by == "label_time"


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """Additions, and the tables of keyed predictions and labels still to be joined.

    answers: counts of labels that came with their predictions. repeated: of rows that had counted before.
    torn: files with rows that could not be read at all.
    new: see `news`, None where it is all of the panes.
    """

    totals: Totals = field(default_factory=Totals)
    predictions: Mapping[PaneKey, Pane] = field(default_factory=dict)
    outcomes: Mapping[PaneKey, Pane] = field(default_factory=dict)
    waiting: tuple[pa.Table, ...] = ()
    labels: tuple[pa.Table, ...] = ()
    torn: tuple[int, ...] = ()
    rows_read: int = 0
    answers: Totals = field(default_factory=Totals)
    repeated: Totals = field(default_factory=Totals)
    new: tuple[Panes, Panes] | None = None

    @property
    def news(self) -> tuple[Panes, Panes]:
        """Panes of predictions, and of labelled ones, with rows only that no earlier reading had."""
        return (self.predictions, self.outcomes) if self.new is None else self.new

    @classmethod
    def combine(cls, parts: Sequence[Self]) -> Self:
        """Add deltas; tables keep the order of the parts."""
        return cls(
            totals=Totals.combine([part.totals for part in parts]),
            predictions=merged([part.predictions for part in parts]),
            outcomes=merged([part.outcomes for part in parts]),
            waiting=tuple(table for part in parts for table in part.waiting),
            labels=tuple(table for part in parts for table in part.labels),
            torn=tuple(file for part in parts for file in part.torn),
            rows_read=sum(part.rows_read for part in parts),
            answers=Totals.combine([part.answers for part in parts]),
            repeated=Totals.combine([part.repeated for part in parts]),
            new=_news(parts),
        )


def _news(parts: Sequence[Delta]) -> tuple[Panes, Panes] | None:
    """Return what is new of several deltas; None where all of it is."""
    if all(part.new is None for part in parts):
        return None
    predictions, outcomes = zip(*(part.news for part in parts), strict=True)
    return merged(predictions), merged(outcomes)


def merged(parts: Sequence[Mapping[PaneKey, Pane]]) -> dict[PaneKey, Pane]:
    """Combine panes key by key."""
    found: dict[PaneKey, list[Pane]] = {}
    for part in parts:
        for key, pane in part.items():
            found.setdefault(key, []).append(pane)
    return {key: Pane.combine(panes) for key, panes in found.items()}
