"""What pictures are drawn of: shares by hand, what is in no bin, and which categories are called by their name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from data_builders import a_reference, counted, features
from driftgauge.report.shapes import BINS, FEW_ROWS, OTHER, OTHERS, shape_of


def shape(reference: Any, window: Any) -> Mapping[str, Any]:
    """Return the shape of one column, numbers or texts."""
    compiled = a_reference(features(x=reference))
    found = shape_of(compiled, "x", counted(compiled, features(x=window)))
    assert found is not None
    return found


def test_bins_are_a_histogram() -> None:
    """Shares are those of numpy over the same edges; the first and the last are of all that is beyond."""
    random = np.random.default_rng(5)
    reference, window = random.normal(0, 1, 3_000), random.normal(1, 2, 1_000)
    found = shape(reference, window)
    edges = np.array([-np.inf, *found["edges"], np.inf])

    assert len(edges) == BINS + 3
    assert found["edges"][0] == pytest.approx(np.quantile(reference, 0.005), abs=0.06)
    for side, values in (("reference", reference), ("window", window)):
        expected = np.histogram(values, edges)[0] / len(values)
        # A value between two points of the grid stands in the middle of them.
        assert np.abs(np.array(found[side]) - expected).max() < 0.01
        assert sum(found[side]) == pytest.approx(1, abs=1e-4)
    assert found["window"][-1] == pytest.approx((window > found["edges"][-1]).mean(), abs=0.002)


@pytest.mark.parametrize(
    ("reference", "window", "labels", "shares"),
    [
        ([1.0, 2, 2, 3], [2.0, 2], ["1", "2", "3"], ([0.25, 0.5, 0.25], [0, 1, 0])),
        ([7.0] * 5, [7.0, 8, 9, -1], ["7", OTHER], ([1, 0], [0.25, 0.75])),
    ],
    ids=["few values", "constant"],
)
def test_few_numbers_are_bars(
    reference: Sequence[float], window: Sequence[float], labels: list[str], shares: tuple[list[float], list[float]]
) -> None:
    """A value of the reference has a bar of its own, and all others have one."""
    found = shape(np.array(reference), np.array(window))

    assert (found["labels"], found["reference"], found["window"]) == (labels, *shares)


def test_huge_values() -> None:
    """Edges are evenly spaced also where the distance of the outermost is no number."""
    found = shape(np.linspace(-1, 1, 200) * 1.7e308, np.array([1e308, 0.0]))

    assert np.isfinite(found["edges"]).all()
    assert np.diff(np.array(found["edges"]) / 2) == pytest.approx([0.99 * 1.7e308 / BINS] * BINS, rel=0.01)


@pytest.mark.parametrize(
    "window", [np.array([]), np.array([1e308, -1e308] * 30), np.full(40, 5.0)], ids=["no rows", "huge", "one value"]
)
def test_extremes(window: Any) -> None:
    """Shares stay shares, whatever the values."""
    found = shape(np.linspace(0, 1, 200), window)

    for side in ("reference", "window"):
        assert found[side] is None or all(0 <= share <= 1 for share in found[side])
    assert (found["window"] is None) == (not len(window))


def test_rare_categories_have_no_name() -> None:
    """A category of fewer than 20 rows on both sides may name a person; new ones are marked."""
    reference = ["common"] * 200 + [f"person {n}" for n in range(10)] + ["rare"] * (FEW_ROWS - 1)
    found = shape(reference, ["common"] * 60 + ["new"] * FEW_ROWS + ["someone"])

    assert found["labels"] == ["common", "new", OTHERS]
    assert found["unseen"] == [False, True, False]
    assert found["reference"] == [pytest.approx(200 / 229, abs=1e-5), 0, pytest.approx(29 / 229, abs=1e-5)]
    assert found["window"] == [
        pytest.approx(60 / 81, abs=1e-5),
        pytest.approx(20 / 81, abs=1e-5),
        pytest.approx(1 / 81, abs=1e-5),
    ]


def test_without_the_column() -> None:
    """There is no shape of what the reference does not have."""
    assert shape_of(a_reference(features(x=np.arange(9.0))), "y", None) is None
