"""Signals folded into panes, and what they say of one."""

from dataclasses import astuple, replace

import numpy as np
import pyarrow as pa
import pytest

from data_builders import a_model, a_pane, a_reference, features, fitted, make_columns
from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.latency import Latency
from driftgauge.aggregates.moments import Moment, Moments
from driftgauge.aggregates.pane import Pane
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.families import BASIC_SIGNALS
from driftgauge.grid import OUTPUT
from driftgauge.signals import AGGREGATES, Basis, current, fit_all, fold, pane_samples

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


def latency(pane: Pane) -> Latency:
    """Return this signal's aggregate."""
    found = pane.find("latency", Latency)
    assert found is not None
    return found


def moments(pane: Pane) -> Moments:
    """Return this signal's aggregate."""
    found = pane.find("moments", Moments)
    assert found is not None
    return found


def distribution(pane: Pane) -> Distribution:
    """Return this signal's aggregate."""
    found = pane.find("distribution", Distribution)
    assert found is not None
    return found


def test_fold() -> None:
    """A pane counts rows, failures, latencies, present values and cells."""
    pane = a_pane(ROWS, REFERENCE)

    assert (pane.rows, latency(pane).rows, latency(pane).failed) == (4, 4, 1)
    assert latency(pane).buckets.total == 3
    assert latency(pane).sketch.quantile(0.5) == pytest.approx(0.02)
    assert moments(pane).columns == {"x": Moment(3, 2.0, 2.0), "plan": Moment(others=2), OUTPUT: Moment(3, 0.5, 0.125)}
    assert (moments(pane).rows, moments(pane).answered) == (4, 3)
    assert distribution(pane).counts.sum() == 3


def test_without_a_reference() -> None:
    """Without a reference everything that needs none is there."""
    pane = a_pane(ROWS)

    for found in (pane, Pane.combine([pane, pane]), Pane.from_state(pane.to_state(), AGGREGATES)):
        assert "distribution" not in found.aggregates
        assert {"latency", "moments"} <= found.aggregates.keys()


def test_a_new_reference_starts_the_counts_again() -> None:
    """With a new reference, or another limit, the distribution goes, and everything else is kept."""
    pane, other = a_pane(ROWS, REFERENCE), a_reference(features(x=np.array([5.0, 6.0])))

    for now in (fitted(other), fitted(REFERENCE, category_limit=3), fitted()):
        kept = current(pane, now)
        assert "distribution" not in kept.aggregates
        assert (kept.rows, moments(kept)) == (pane.rows, moments(pane))
    assert current(pane, fitted(REFERENCE)) is pane


def test_samples_of_signals() -> None:
    """A signal says what it can alone: labels are those after model, version and window."""
    found = pane_samples(a_pane(ROWS, REFERENCE), fitted(REFERENCE))

    values = {(name, *one.labels): getattr(one, "value", None) for name, of in found.items() for one in of}
    assert values["model_error_ratio",] == 0.25
    assert values["model_latency_quantile_seconds", "0.5"] == pytest.approx(0.02)
    assert values["model_feature_mean", "x"] == 2
    assert values["model_feature_missing_ratio", "plan"] == 0.5
    assert values["model_prediction_missing_ratio",] == 0
    assert values["model_missing_ratio",] == pytest.approx(3 / 8)
    assert pane_samples(Pane(), fitted()) == {}


def test_signals_that_are_left_out() -> None:
    """A model has the basic signals and those that its configuration lists."""
    found = fit_all(Basis(a_model(signals=[]), Limits(), REFERENCE))

    assert tuple(found) == BASIC_SIGNALS


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
        x=np.random.default_rng(1).normal(size=4000), wild=np.arange(4000) % 3.0, plan=[*"ab"] * 2000, gone=["g"] * 4000
    )
    signals = fitted(a_reference(known), category_limit=3)
    rows = mixed(2, 3 * group_rows + 1)
    if task == "regression":
        rows = replace(rows, predicted=pa.array(np.random.default_rng(3).normal(size=len(rows))))
    order = np.random.default_rng(4).permutation(len(rows))[1:]
    groups = np.split(order, [group_rows, 2 * group_rows])

    panes = fold(rows, groups, signals, "predictions")

    for at, pane in zip(groups, panes, strict=True):
        (alone,) = fold(rows.take(at), [np.arange(len(at))], signals, "predictions")
        assert (pane.rows, latency(pane).failed) == (alone.rows, latency(alone).failed)
        assert np.array_equal(latency(pane).buckets.counts, latency(alone).buckets.counts)
        assert np.array_equal(latency(pane).sketch.keys, latency(alone).sketch.keys)
        assert (moments(pane).rows, moments(pane).answered) == (moments(alone).rows, moments(alone).answered)
        assert moments(alone).columns.keys() <= moments(pane).columns.keys()
        for name, moment in moments(pane).columns.items():
            of_alone = moments(alone).columns.get(name, Moment())
            assert astuple(moment) == pytest.approx(astuple(of_alone), nan_ok=True), name
        one, other = distribution(pane), distribution(alone)
        assert one.cells.tolist() == other.cells.tolist()
        assert one.counts.tolist() == other.counts.tolist()
        assert one.sums == pytest.approx(other.sums)
        assert one.unseen == other.unseen


def test_no_groups() -> None:
    """Rows that belong to no pane make none."""
    assert fold(ROWS, [], fitted(REFERENCE), "predictions") == []
