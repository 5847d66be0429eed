"""Signals at work: fitted for a model, folded into panes, and read from a pane as samples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Columns, IntArray
from driftgauge.config import ModelConfig
from driftgauge.estimate.coding import LEARNED, coding_of
from driftgauge.reference import Reference
from driftgauge.samples import HistogramSample, Sample, Samples
from driftgauge.signals.joint import JointFitted, fold_jointly
from driftgauge.signals.signal import Basis, Fitted, Learned, Rows
from driftgauge.signals.table import SIGNALS


def learn_all(
    chunks: Sequence[Columns], reference: Reference, model: ModelConfig, whole: Reference | None = None
) -> dict[str, Learned]:
    """Return by signal what is to be stored with the reference, which was compiled from these rows.

    whole: the reference that this one is a segment's slice of. Then it has the coding of that, and to learn from, what
    was learned of that.
    """
    shared: dict[str, Learned] = {LEARNED: coding_of(whole).to_state()} if whole else {}
    reference = replace(reference, learned={**(whole.learned if whole else {}), **shared})
    return shared | {
        name: signal.learn(chunks, reference, model)
        for name, signal in SIGNALS.items()
        if signal.learn and name in model.signals
    }


def fit_all(basis: Basis) -> dict[str, Fitted]:
    """Return the signals of a model that can be folded, by name."""
    found = {name: signal.fit(basis) for name, signal in SIGNALS.items() if name in basis.model.signals}
    return {name: fitted for name, fitted in found.items() if fitted is not None}


def fold(rows: Columns, groups: Sequence[IntArray], fitted: Mapping[str, Fitted], of: Rows) -> list[Pane]:
    """Return the pane of each group of rows, given by their positions, with the signals of such rows.

    No group is empty, unless it is the only one.
    """
    if not groups:
        return []
    order, ends = np.concatenate(groups), np.cumsum([len(group) for group in groups])
    # Mostly, rows come in the order of time.
    rows = rows if np.array_equal(order, np.arange(len(rows))) else rows.take(order)
    chosen = {name: signal for name, signal in fitted.items() if SIGNALS[name].rows == of}
    fingerprints = {name: signal.fingerprint for name, signal in chosen.items()}
    joint = {name: signal for name, signal in chosen.items() if isinstance(signal, JointFitted)}
    folded = {name: signal.fold(rows, ends) for name, signal in chosen.items() if name not in joint}
    folded |= fold_jointly(joint, rows, ends)
    return [
        Pane(len(group), {name: aggregates[at] for name, aggregates in folded.items()}, fingerprints)
        for at, group in enumerate(groups)
    ]


def fold_one(rows: Columns, fitted: Mapping[str, Fitted], of: Rows) -> Pane:
    """Return the pane of all rows."""
    (pane,) = fold(rows, [np.arange(len(rows))], fitted, of)
    return pane


def current(pane: Pane, fitted: Mapping[str, Fitted]) -> Pane:
    """Return the pane without what was folded by signals that are others now: it does not add up."""
    return pane.only({name: signal.fingerprint for name, signal in fitted.items()})


def pane_samples(pane: Pane, fitted: Mapping[str, Fitted]) -> Samples:
    """Return what the signals say of a pane on their own; labels are those after model, version and window."""
    found: dict[str, Sequence[Sample | HistogramSample]] = {}
    for name, aggregate in pane.aggregates.items():
        if name in fitted:
            found |= SIGNALS[name].values(aggregate, fitted[name])
    return found
