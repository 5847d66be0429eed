"""Distributions of features in the bins of PSI, as histograms of shares."""

import numpy as np
import pytest

from data_builders import MICROS, a_model, a_pane, a_reference, features
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.collector import validate
from driftgauge.config import Limits, Window
from driftgauge.samples import HistogramSample
from driftgauge.snapshot import ModelState, model_samples
from driftgauge.windows import PaneKey

NOW = 1_767_609_000 * MICROS
FAMILY = "model_feature_distribution"


def published(before: np.ndarray, now: np.ndarray, *, publish: bool = True) -> dict[tuple[str, ...], HistogramSample]:
    """Return the histograms of a model with a numeric feature `x` and a categorical one."""
    texts = [["a", "b"] * (len(side) // 2) + ["a"] * (len(side) % 2) for side in (before, now)]
    reference = a_reference(features(x=before, plan=texts[0]))
    panes = {PaneKey("1", NOW // MICROS // 120 * 120, 120): a_pane(features(x=now, plan=texts[1]), reference)}
    totals = Totals(versions={"1": VersionTotals(last_prediction=NOW)})
    model = ModelState(a_model(publish_bins=publish), reference=reference, totals=totals, predictions=panes)
    found = model_samples(model, windows=[Window("1h", 3600)], limits=Limits(), now=NOW)
    validate(found)

    return {one.labels[3:]: one for one in found.get(FAMILY, []) if isinstance(one, HistogramSample)}


def test_shares_of_bins() -> None:
    """Both sides have the same bounds, the quantiles of the reference, and shares as numpy counts them."""
    rng = np.random.default_rng(95)
    before, now = rng.normal(size=2000), rng.normal(0.7, 1, 301)
    edges = np.quantile(before, np.linspace(0.1, 0.9, 9))

    found = published(before, now)

    assert found.keys() == {("x", "window"), ("x", "reference")}
    for kind, values in (("window", now), ("reference", before)):
        one = found["x", kind]
        assert one.bounds == pytest.approx(edges)
        shares = np.bincount(np.searchsorted(edges, values), minlength=10) / len(values)
        assert one.counts == pytest.approx(shares, abs=1e-12)
        assert one.sum == pytest.approx(values.mean())


def test_only_when_asked_for() -> None:
    """By default there is nothing; a feature without values has nothing either."""
    values = np.arange(100.0)

    assert published(values, values, publish=False) == {}
    assert published(values, np.full(50, np.nan)) == {}
    assert published(np.full(50, np.nan), values) == {}


def test_constant_and_huge_values() -> None:
    """A constant has one bin edge; where a mean is no number that side is absent."""
    constant = published(np.full(50, 3.0), np.array([3.0, 4.0]))
    assert constant["x", "window"].counts == (0.5, 0.5)
    huge = published(np.array([1e308, -1e308, 0.0, 1.0]), np.array([1e308, 1.7e308, 1.7e308]))
    assert all(np.isfinite(one.sum) for one in huge.values())
