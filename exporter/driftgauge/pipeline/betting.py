"""Rows that a step adds, as bets on what each version's evidence is about.

Only rows that no reading of the model had before are bet on, and each once, so what they bring is written in the very
transaction that takes them. Rows count in the hour of their pane. Of labels that are corrected later the first one has
been bet on: evidence is of what was known then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.expected import Expected
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.estimate.bets import ESTIMATED, EVIDENCE, Bets
from driftgauge.estimate.evidence import HOUR, Evidence
from driftgauge.grid import CLASS, OUTPUT, Layout
from driftgauge.performance import no_class_in_common
from driftgauge.pipeline.delta import Delta
from driftgauge.reference import Reference
from driftgauge.segments import ALL_ROWS
from driftgauge.signals.confidence import FittedBinary, FittedMulticlass, estimator_of
from driftgauge.signals.evidence import right_and_wrong, right_and_wrong_positive
from driftgauge.snapshot import ModelState
from driftgauge.snapshot.outputs import holds_scores
from driftgauge.windows import PaneKey

# Fewer rows may all be predicted wrong, or all be of classes that the reference does not have.
_MANY_ROWS: Final = 20

# By signal.
OfVersion = Mapping[str, Evidence]


def bet_on(state: ModelState, delta: Delta, joined: Mapping[PaneKey, Pane]) -> dict[str, OfVersion]:
    """Return the evidence of the versions that a step has rows of, after these rows.

    joined: panes of the predictions that got their first label. While a model is read again, which of these had it
    before is not known, so none is bet on.
    """
    if EVIDENCE not in state.config.signals:
        return {}
    predictions, labelled = delta.news
    outcomes = [labelled] if state.apart is not None else [labelled, joined]
    seen = _by_hour([predictions])
    judged = _by_hour(outcomes)
    found: dict[str, OfVersion] = {}
    for version in sorted(seen.keys() | judged.keys()):
        known = state.of(version)
        table = _Table(known, dict(state.evidence.get(version, {})))
        for hour, panes in sorted(seen.get(version, {}).items()):
            table.see(hour, panes)
        for hour, panes in sorted(judged.get(version, {}).items()):
            table.judge(hour, panes)
        found[version] = table.evidence
    return found


def with_current(state: ModelState) -> ModelState:
    """Return the state without evidence of bets that are others now, as after another reference."""
    kept = {}
    for version, evidence in state.evidence.items():
        known = state.of(version)
        marks = Bets.of(known.config, known.reference, known.baseline).marks
        kept[version] = {signal: found for signal, found in evidence.items() if marks.get(signal) == found.mark}
    return replace(state, evidence=kept)


def _by_hour(parts: Iterable[Mapping[PaneKey, Pane]]) -> dict[str, dict[int, list[Pane]]]:
    """Return the panes of all rows by version and hour."""
    found: dict[str, dict[int, list[Pane]]] = {}
    for panes in parts:
        for key, pane in sorted(panes.items()):
            if key.segment == ALL_ROWS:
                found.setdefault(key.version, {}).setdefault(key.start // HOUR, []).append(pane)
    return found


class _Table:
    """Where the rows of one version are bet on; `evidence` changes with each hour."""

    def __init__(self, model: ModelState, evidence: dict[str, Evidence]) -> None:
        self.model, self.evidence = model, evidence
        self._bets: dict[tuple[tuple[str, int], ...], Bets] = {}

    def see(self, hour: int, panes: Sequence[Pane]) -> None:
        """Bet on predictions of one hour."""
        self._see_columns(hour, panes)
        bets = self._of({}).falls.get(ESTIMATED)
        if bets and (expected := self._expected(panes)):
            self.evidence[ESTIMATED] = bets.bet(self.evidence.get(ESTIMATED), *expected, hour)

    def _see_columns(self, hour: int, panes: Iterable[Pane]) -> None:
        parts = [found for pane in panes if (found := pane.find("distribution", Distribution))]
        reference = self.model.reference
        if not parts or reference is None:
            return
        distribution = Distribution.combine(parts)
        for signal, bets in self._of(distribution.precision).drifts.items():
            if signal != "prediction" or _is_comparable(reference, distribution):
                counts = bets.bins.counts(distribution)
                if counts.any():
                    self.evidence[signal] = bets.bet(self.evidence.get(signal), counts, hour)

    def judge(self, hour: int, panes: Iterable[Pane]) -> None:
        """Bet on labelled predictions of one hour."""
        outcomes = Outcomes.combine([found for pane in panes if (found := pane.find("outcomes", Outcomes))])
        falls = self._of({}).falls
        rows = {"accuracy": right_and_wrong(outcomes), "f1": right_and_wrong_positive(outcomes)}
        apart = sum(rows["accuracy"]) >= _MANY_ROWS and no_class_in_common(outcomes.confusion) is not None
        for signal, (good, bad) in rows.items():
            # Labels that never agreed may be of other classes than predictions, or spelled otherwise.
            if signal in falls and good + bad and not apart and (good or signal in self.evidence):
                self.evidence[signal] = falls[signal].bet(self.evidence.get(signal), good, bad, hour)

    def _expected(self, panes: Sequence[Pane]) -> tuple[float, float] | None:
        """Return how many predictions are expected to be right and wrong; None where some could not be judged."""
        if self._estimator is None:
            return None
        aggregate = Expected.combine([found for pane in panes if (found := pane.find("estimate", Expected))])
        rows, scored = sum(pane.rows for pane in panes), any(map(holds_scores, panes))
        estimate = self._estimator.estimates(aggregate, rows=rows, scored=scored).get("accuracy")
        if estimate is None:
            return None
        judged = self._estimator.predictions(aggregate)
        return judged * estimate.value, judged * (1 - estimate.value)

    @cached_property
    def _estimator(self) -> FittedBinary | FittedMulticlass | None:
        """What expects how many predictions are right."""
        return estimator_of(self.model.config, self.model.reference)

    def _of(self, bits: Mapping[str, int]) -> Bets:
        key = tuple(sorted(bits.items()))
        if key not in self._bets:
            model = self.model
            self._bets[key] = Bets.of(model.config, model.reference, model.baseline, bits=bits)
        return self._bets[key]


def _is_comparable(reference: Reference, distribution: Distribution) -> bool:
    """Return whether the output of some rows is all of the reference's form, and no class is spelled otherwise."""
    layout = reference.layout
    if OUTPUT not in layout.grids or _has_rows(layout, distribution, CLASS):
        return False
    if any(_has_rows(layout, distribution, name) for name in reference.output if name in reference.roles):
        # What is a feature of live rows was no output in the reference.
        return False
    strangers = distribution.unseen.get(OUTPUT)
    return strangers is None or _has_cells(layout, distribution, OUTPUT)


def _has_rows(layout: Layout, distribution: Distribution, name: str) -> bool:
    return name in distribution.unseen or _has_cells(layout, distribution, name)


def _has_cells(layout: Layout, distribution: Distribution, name: str) -> bool:
    if name not in layout.grids:
        return False
    start = layout.offsets[name]
    first, end = distribution.cells.searchsorted(np.array([start, start + layout.grids[name].cells], np.int32))
    return bool(end > first)
