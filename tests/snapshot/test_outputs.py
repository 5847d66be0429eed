"""The output in its forms, with scipy on the plain values as the oracle."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from data_builders import a_pane, a_reference, make_columns
from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Columns, Facts
from driftgauge.drift import ColumnDrift, compare
from driftgauge.grid import OUTPUT
from driftgauge.reference import Reference
from driftgauge.snapshot.outputs import as_scores, comparable, holds_scores

RNG = np.random.default_rng(32)
SCORES = RNG.random(600).round(3)
X = RNG.normal(size=600)


def rows(score: Any = None, predicted: Any = None, x: Any = None, **facts: Any) -> Columns:
    """Return rows of a binary model; classes of numbers follow from scores unless they are given."""
    count = len(score if score is not None else predicted)
    values = X[:count] if x is None else x
    if predicted is None:
        predicted, facts = (np.asarray(score) >= 0.5).astype(int), {"has_classes": False, **facts}
    found = make_columns(count, score=score, predicted=[str(name) for name in predicted], numbers={"x": values})
    return replace(found, facts=Facts(**facts))


def output_of(reference: Reference, *parts: Columns, scored: bool = False) -> ColumnDrift | None:
    """Return the output's drift in a window of these parts."""
    pane = Pane.combine([a_pane(part, reference) for part in parts])
    pane = as_scores(pane, reference) if scored else pane
    window = pane.find("distribution", Distribution)
    assert window is not None
    return comparable(compare(reference, window), reference, window, scored=scored).get(OUTPUT)


def tvd(known: Any, seen: Any) -> float:
    """Return the distance of two shares of class 1."""
    return float(abs(np.mean(np.asarray(known) == 1) - np.mean(np.asarray(seen) == 1)))


def test_what_live_rows_have_is_compared() -> None:
    """Of a reference with classes and scores: scores with scores, else classes with classes."""
    classes = (SCORES >= 0.5).astype(int)
    reference = a_reference(rows(SCORES, classes))
    live = RNG.random(200).round(3)
    moved = (live >= 0.3).astype(int)

    only_class, only_score, both = (
        output_of(reference, part) for part in (rows(predicted=moved), rows(live), rows(live, moved))
    )

    assert only_class is not None
    assert only_score is not None
    assert both is not None
    assert only_class.statistics["total_variation_distance"] == pytest.approx(tvd(classes, moved))
    assert only_score.statistics["ks_statistic"] == pytest.approx(ks_2samp(SCORES, live).statistic)
    assert both.statistics == only_score.statistics


def test_forms_that_do_not_meet() -> None:
    """Classes are not compared with scores, nor with what follows from scores."""
    classes = (SCORES >= 0.5).astype(int)
    missing = output_of(a_reference(rows(SCORES)), rows(predicted=classes))
    assert missing is None or not missing.rows
    missing = output_of(a_reference(rows(predicted=classes)), rows(SCORES))
    assert missing is None or not missing.rows


def test_zero_and_one_in_a_column_of_scores() -> None:
    """They are scores, in files that have nothing else as well: the distance is that of all values."""
    reference = a_reference(rows(np.where(SCORES < 0.2, 0.0, SCORES), has_scores=True))
    live = RNG.random(300).round(3)
    bare = [0, 1, 1, 0, 1]

    found = output_of(reference, rows(live, has_scores=True), rows(predicted=bare), scored=True)

    assert found is not None
    expected = ks_2samp(np.where(SCORES < 0.2, 0.0, SCORES), np.concatenate([live, bare]))
    assert found.rows == 305
    assert found.statistics["ks_statistic"] == pytest.approx(expected.statistic)


def test_the_mean_of_scores_is_that_of_all() -> None:
    """A mean of the fractions alone would be biased."""
    scored, bare = rows([0.25, 0.75], has_scores=True), rows(predicted=[1, 1, 0])
    pane = Pane.combine([a_pane(scored), a_pane(bare)])
    assert holds_scores(pane)
    assert not holds_scores(a_pane(bare))
    moments = as_scores(pane, None).find("moments", Moments)
    assert moments is not None
    output = moments.columns[OUTPUT]
    assert (output.count, output.mean, output.present) == (5, pytest.approx(0.6), 5)
    assert output.variance == pytest.approx(np.var([0.25, 0.75, 1, 1, 0]))


def test_a_feature_that_is_called_like_the_output() -> None:
    """Where live rows have the column as a feature, the reference's is no output."""
    known = rows(SCORES)
    known = replace(
        known,
        numbers={**known.numbers, "score": SCORES},
        facts=Facts(has_classes=False, roles={"score": "score"}, output=("score",)),
    )
    reference = a_reference(known)
    live = rows(SCORES[:200])
    assert output_of(reference, live) is not None
    assert output_of(reference, replace(live, numbers={**live.numbers, "score": SCORES[:200]})) is None


def test_classes_that_the_reference_does_not_have() -> None:
    """Other names for the same classes are no drift; few rows of new classes are."""
    reference = a_reference(rows(predicted=["no", "yes"] * 50))
    assert output_of(reference, rows(predicted=["0", "1"] * 20)) is None
    assert output_of(reference, rows(predicted=["0", "1", "yes"] * 20)) is not None
    assert output_of(reference, rows(predicted=["maybe"] * 40)) is not None
