"""What the rows of a model are compared with: one reference for all, and those of single versions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from driftgauge.aggregates.pane import Pane
from driftgauge.config import Limits
from driftgauge.pipeline import baseline
from driftgauge.pipeline.delta import Signals, own_key, signals_for
from driftgauge.reference import Compiled
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import SIGNALS, Basis, Rows, current, fit_all
from driftgauge.snapshot import ModelState, Slice, Standard
from driftgauge.windows import PaneKey

# Versions that may have references of their own, for each that is published.
LOOKED_AT: Final = 4


def compared_with(state: ModelState, references: Mapping[str, Compiled]) -> ModelState:
    """Return the state with the reference, its slices and their baselines, as far as there are any."""

    def baseline_of(found: Compiled | None) -> Mapping[str, float]:
        return baseline.effective(found.metrics if found else {}, state.config)

    whole = references.get(ALL_ROWS)
    slices = [(each.segment, references.get(each.segment.identity)) for each in state.slices]
    return replace(
        state,
        reference=whole.reference if whole else None,
        baseline=baseline_of(whole),
        slices=tuple(
            Slice(segment, found.reference if found else None, baseline_of(found)) for segment, found in slices
        ),
    )


def fitted_signals(state: ModelState, limits: Limits) -> Signals:
    """Return by what rows are folded that are compared with these references."""
    references = {ALL_ROWS: state.reference} | {each.segment.name: each.reference for each in state.slices}
    for version, own in state.own.items():
        references[own_key(version, ALL_ROWS)] = own.reference
        references |= {own_key(version, each.segment.name): each.reference for each in own.slices}
    return {name: fit_all(Basis(state.config, limits, reference)) for name, reference in references.items()}


def with_own(state: ModelState, version: str, references: Mapping[str, Compiled]) -> ModelState:
    """Return the state with a reference for one version."""
    own = compared_with(state, references)
    if own.reference is None:
        return state
    return replace(state, own={**state.own, version: Standard(own.reference, own.baseline, own.slices)})


def with_signals(state: ModelState, fitted: Signals) -> ModelState:
    """Drop from panes what other signals folded than these: that does not add to what these fold."""
    return replace(
        state,
        predictions={key: _current(key, pane, fitted) for key, pane in state.predictions.items()},
        outcomes={key: _current(key, pane, fitted) for key, pane in state.outcomes.items()},
    )


def _current(key: PaneKey, pane: Pane, fitted: Signals) -> Pane:
    return current(pane, signals_for(fitted, key.version, key.segment))


def is_stale(state: ModelState, fitted: Signals, limits: Limits) -> bool:
    """Return whether panes of versions that may be published lack what these signals would have folded."""
    published = set(state.totals.newest(LOOKED_AT * limits.max_versions))
    kinds: tuple[tuple[Rows, Mapping[PaneKey, Pane]], ...]
    kinds = (("predictions", state.predictions), ("labelled", state.outcomes))
    return any(
        pane.fingerprints.get(name) != signal.fingerprint
        for rows, panes in kinds
        for key, pane in panes.items()
        if key.version in published
        for name, signal in signals_for(fitted, key.version, key.segment).items()
        if SIGNALS[name].rows == rows
    )
