"""The model's output in a window: which of its forms it has, scores or classes, and with what it can be compared.

A column of predictions that showed fractions holds scores, so that 0 and 1 in it are scores as well, also in files that
have nothing else. That is known of a version as long as its longest window has such rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.drift import ColumnDrift
from driftgauge.grid import CLASS, OUTPUT, CategoryGrid, NumericGrid
from driftgauge.reference import CategoryProfile, Reference

_SCORES: Final = {"0": 0.0, "1": 1.0}
# Fewer rows may all have a class that the reference happens not to have.
_MANY_ROWS: Final = 20


def holds_scores(pane: Pane) -> bool:
    """Tell whether the column of predictions of some rows showed that it holds scores."""
    moments = pane.find("moments", Moments)
    return moments is not None and moments.scored > 0


def as_scores(pane: Pane, reference: Reference | None) -> Pane:
    """Return the pane of a version whose predictions are scores: 0 and 1 without a score are scores."""
    aggregates = dict(pane.aggregates)
    if outcomes := pane.find("outcomes", Outcomes):
        aggregates["outcomes"] = outcomes.as_scores()
    if moments := pane.find("moments", Moments):
        aggregates["moments"] = moments.joined(OUTPUT, CLASS)
    if reference and (distribution := pane.find("distribution", Distribution)):
        aggregates["distribution"] = _scores_counted(distribution, reference)
    return replace(pane, aggregates=aggregates)


def comparable(
    columns: Mapping[str, ColumnDrift], reference: Reference, window: Distribution, *, scored: bool
) -> dict[str, ColumnDrift]:
    """Return how far columns have moved, of the output in the form that window and reference both have, if any.

    scored: the version's predictions are scores. Without any score, its classes are compared with the reference's.
    """
    found = {name: column for name, column in columns.items() if name != CLASS}
    output, classes = columns.get(OUTPUT), columns.get(CLASS)
    if output is None:
        return found
    profile = reference.profiles.get(CLASS)
    if classes and not scored and not output.rows and isinstance(profile, CategoryProfile) and profile.rows:
        found[OUTPUT] = classes
    name = CLASS if found[OUTPUT] is classes else OUTPUT
    features = {name for name in reference.roles if name in columns and columns[name].rows}
    # What is a feature of live rows was no output in the reference.
    is_feature = (
        any(reference.roles[path] == "prediction" for path in features)
        if name == CLASS
        else not (features.isdisjoint(reference.output))
    )
    if is_feature or is_apart(found[OUTPUT], window, name):
        del found[OUTPUT]
    return found


def is_apart(output: ColumnDrift, window: Distribution, name: str = OUTPUT) -> bool:
    """Tell whether a window's classes are others than the reference's: no, yes against 0, 1."""
    strangers = window.unseen.get(name)
    several = strangers is not None and len(strangers.named) > 1
    return several and output.rows >= _MANY_ROWS and output.unseen == output.rows


def _scores_counted(distribution: Distribution, reference: Reference) -> Distribution:
    """Count the classes 0 and 1 of rows without a score as scores."""
    layout = reference.layout
    scores, classes = layout.grids.get(OUTPUT), layout.grids.get(CLASS)
    if not (isinstance(scores, NumericGrid) and isinstance(classes, CategoryGrid)):
        return distribution
    start = layout.offsets[CLASS]
    counts, _ = distribution.dense(start, start + classes.cells)
    named = distribution.unseen[CLASS].named if CLASS in distribution.unseen else {}
    rows = {
        name: int(counts[classes.positions[name]]) if name in classes.positions else named.get(name, 0)
        for name in _SCORES
    }
    values = np.array([_SCORES[name] for name, count in rows.items() if count])
    of_each = np.array([count for count in rows.values() if count], np.int64)
    cells = layout.offsets[OUTPUT] + scores.locate(values)
    tally = cells, of_each, of_each * (values - scores.center)
    if len(cells) > 1 and cells[0] == cells[1]:
        tally = cells[:1], of_each.sum(keepdims=True), tally[2].sum(keepdims=True)
    added = Distribution.of(distribution.fingerprint, distribution.limit, tally, {})
    return Distribution.combine([distribution, added])
