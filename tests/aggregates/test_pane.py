"""What a pane of predictions holds."""

from dataclasses import astuple, replace

import numpy as np
import pyarrow as pa
import pytest

from data_builders import a_reference, features, make_columns
from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.columns import Columns
from driftgauge.grid import OUTPUT

NAN = float("nan")
REFERENCE = a_reference(features(x=np.array([0.0, 1.0, 2.0])))
ROWS = make_columns(
    4,
    score=[0.25, 0.75, NAN, 0.5],
    predicted=["0", "1", None, "1"],
    failed=[False, False, True, False],
    latency=[0.01, NAN, 0.03, 0.02],
    numbers={"x": [1.0, 3.0, NAN, 2.0]},
    categories={"plan": ["a", None, "b", None]},
)


def folded(rows: Columns) -> PredictionPane:
    """Fold rows on the reference's layout."""
    return PredictionPane.fold(rows, REFERENCE.layout, category_limit=9)


def test_fold() -> None:
    """A pane counts rows, failures, latencies, present values and cells."""
    pane = folded(ROWS)

    assert (pane.rows, pane.failed) == (4, 1)
    assert pane.latency.total == 3
    assert pane.latency_sketch.quantile(0.5) == pytest.approx(0.02)
    assert pane.moments.columns == {
        "x": Moment(3, 2.0, 2.0),
        "plan": Moment(others=2),
        OUTPUT: Moment(3, 0.5, 0.125),
    }
    assert pane.distribution is not None
    assert pane.distribution.counts.sum() == 3


def test_without_a_reference() -> None:
    """Without a reference everything but the distribution is there."""
    pane = PredictionPane.fold(ROWS, None, category_limit=9)

    assert pane.distribution is None
    assert PredictionPane.combine([pane, pane]).rows == 8
    assert PredictionPane.from_state(pane.to_state()).distribution is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (make_columns(2, predicted=np.array([1.0, 3.0])), Moment(2, 2.0, 2.0)),
        (make_columns(3, predicted=["a", "b", None]), Moment(others=2)),
        (make_columns(3, predicted=["1", "0", None], score=np.array([0.9, np.nan, np.nan])), Moment(1, 0.9, 0.0, 1)),
    ],
    ids=["regression", "classes", "scores and classes"],
)
def test_output_moments(rows: Columns, expected: Moment) -> None:
    """Numbers have a mean; classes without a number are only counted."""
    assert PredictionPane.fold(rows, None, category_limit=9).moments.columns == {OUTPUT: expected}


def test_another_layout_starts_the_counts_anew() -> None:
    """With a new reference the cells are emptied, and everything else is kept."""
    pane, layout = folded(ROWS), a_reference(features(x=np.array([5.0, 6.0]))).layout

    recounted = pane.recounted_on(layout, category_limit=9)

    assert recounted.distribution is not None
    assert recounted.distribution.fingerprint == layout.fingerprint
    assert recounted.distribution.counts.sum() == 0
    assert (recounted.rows, recounted.moments) == (pane.rows, pane.moments)
    assert pane.recounted_on(None, category_limit=9).distribution is None


def mixed(seed: int, count: int) -> Columns:
    """Return rows with every kind of value: missing, infinite, huge, repeated, and categories nobody knows."""
    random = np.random.default_rng(seed)
    wild = random.choice([NAN, np.inf, -np.inf, 1e308, 0.0, 1.0, 2.0], count)
    score = np.where(random.random(count) < 0.3, NAN, random.random(count))
    words = [*"abcdefgh", None]
    return make_columns(
        count,
        score=score,
        predicted=random.choice(np.array(["0", "1", None]), count).tolist(),
        failed=random.random(count) < 0.1,
        latency=np.where(random.random(count) < 0.2, NAN, random.random(count)),
        numbers={"x": np.where(wild == 0, NAN, random.normal(size=count)), "wild": wild, "new": random.random(count)},
        categories={"plan": random.choice(np.array(words), count).tolist(), "late": ["z"] * count},
    )


@pytest.mark.parametrize("group_rows", [1, 7, 5000], ids=["single rows", "few rows", "many rows"])
@pytest.mark.parametrize("task", ["scores", "regression"])
def test_groups_are_folded_as_if_alone(group_rows: int, task: str) -> None:
    """Counting many groups in one pass gives each the pane that folding its rows alone gives."""
    known = features(
        x=np.random.default_rng(1).normal(size=4000), wild=np.arange(3.0), plan=[*"ab"] * 200, gone=["g"] * 400
    )
    reference = a_reference(known)
    rows = mixed(2, 3 * group_rows + 1)
    if task == "regression":
        rows = replace(rows, predicted=pa.array(np.random.default_rng(3).normal(size=len(rows))))
    order = np.random.default_rng(4).permutation(len(rows))[1:]
    groups = np.split(order, [group_rows, 2 * group_rows])

    panes = PredictionPane.fold_groups(rows, groups, reference.layout, category_limit=3)

    for at, pane in zip(groups, panes, strict=True):
        alone = PredictionPane.fold(rows.take(at), reference.layout, category_limit=3)
        assert (pane.rows, pane.failed) == (alone.rows, alone.failed)
        assert np.array_equal(pane.latency.counts, alone.latency.counts)
        assert np.array_equal(pane.latency_sketch.keys, alone.latency_sketch.keys)
        assert pane.moments.columns.keys() == alone.moments.columns.keys()
        for name, moment in pane.moments.columns.items():
            assert astuple(moment) == pytest.approx(astuple(alone.moments.columns[name]), nan_ok=True), name
        assert pane.distribution is not None
        assert alone.distribution is not None
        assert pane.distribution.cells.tolist() == alone.distribution.cells.tolist()
        assert pane.distribution.counts.tolist() == alone.distribution.counts.tolist()
        assert pane.distribution.sums == pytest.approx(alone.distribution.sums)
        assert pane.distribution.unseen == alone.distribution.unseen


def test_no_groups() -> None:
    """Rows that belong to no pane make none."""
    assert PredictionPane.fold_groups(ROWS, [], REFERENCE.layout, category_limit=9) == []
