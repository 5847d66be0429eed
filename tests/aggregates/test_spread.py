"""Sums of fourth powers and of products, against the rows themselves; the laws are checked with `Outcomes`."""

from dataclasses import astuple

import numpy as np
import pytest

from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.spread import Spread


@pytest.mark.parametrize("offset", [0.0, 1e7], ids=["around zero", "far from it"])
def test_parts_add_up_to_the_whole(offset: float) -> None:
    """Sums around the mean of all follow from those around the means of parts."""
    rng = np.random.default_rng(71)
    label = offset + np.concatenate([rng.gamma(2, 3, 40), rng.normal(50, 4, 60)])
    error = rng.standard_t(5, 100)
    parts = [slice(0, 7), slice(7, 7), slice(7, 55), slice(55, 100)]
    known = []
    for part in parts:
        labels = Moment.fold(label[part])
        known.append((Spread.of_errors(error[part], label[part], labels.mean), labels, float((error[part] ** 2).sum())))
    distance = label - label.mean()
    products = [error**4, error**2 * distance, error**2 * distance**2, distance**3, distance**4]

    found = astuple(Spread.combine(known, float(label.mean())))

    assert found == pytest.approx([0, 0, *(product.sum() for product in products)], rel=1e-6)
    assert Spread.combine([], 3.0) == Spread()


def test_losses_are_added() -> None:
    """Squares of losses are plain sums."""
    parts = [(Spread(1.0, 0.5), Moment(), 0.0), (Spread(2.0, 0.25), Moment(), 0.0)]
    assert Spread.combine(parts, 0.0) == Spread(3.0, 0.75)


def test_overflow_is_no_exception() -> None:
    """Errors and labels near the largest double give sums that are not finite."""
    label, error = np.array([1e200, -1e200]), np.array([1e160, 1.0])
    one = Spread.of_errors(error, label, 0.0)
    assert not np.isfinite(astuple(Spread.combine([(one, Moment.fold(label), np.inf)] * 2, 0.0))).all()
