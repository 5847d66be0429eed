"""Rows placed and counted on a layout."""

import numpy as np
import pytest

from data_builders import a_reference, counted, features, make_columns, on_layout
from driftgauge.aggregates.distribution import Distribution, Unseen
from driftgauge.codec import pack, unpack
from driftgauge.grid import OUTPUT, CategoryGrid, Layout, NumericGrid

NAN, INF = float("nan"), float("inf")
# Cells: x has 0..4 (below 1, 1, between, 2, above), plan 5..7 (a, b, others).
LAYOUT = Layout({"x": NumericGrid(np.array([1.0, 2.0])), "plan": CategoryGrid(("a", "b"), frozenset({"rare"}))})


def test_counts_and_sums() -> None:
    """Every value is counted on its cell, with the sum of what they exceed 2 by there; missing ones on none."""
    rows = features(x=np.array([0.5, 1.0, 1.25, 1.5, 9.0, NAN, INF]), plan=["a", "a", "rare", "new", None, "b", "a"])

    found = on_layout(LAYOUT, rows)

    counts, sums = found.dense(0, LAYOUT.cells)
    assert counts.tolist() == [1, 1, 2, 0, 1, 3, 1, 1]
    assert sums.tolist() == [-1.5, -1.0, -1.25, 0.0, 7.0, 0.0, 0.0, 0.0]
    assert found.unseen == {"plan": Unseen({"new": 1})}
    assert found.cells.tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_cells_are_added() -> None:
    """Counts, sums and unseen names of the same cells add, and cells of one part only are kept."""
    one = on_layout(LAYOUT, features(x=np.array([1.5, 9.0]), plan=["a", "new"]))
    other = on_layout(LAYOUT, features(x=np.array([1.25, 1.0]), plan=["a", "new"]))

    both = Distribution.combine([one, other, one])

    counts, sums = both.dense(0, LAYOUT.cells)
    assert counts.tolist() == [0, 1, 3, 0, 2, 3, 0, 0]
    assert sums.tolist() == [0.0, -1.0, -1.75, 0.0, 14.0, 0.0, 0.0, 0.0]
    assert both.unseen == {"plan": Unseen({"new": 3})}


def test_counts_of_any_size() -> None:
    """A cell takes 16 bytes at most, and counts grow beyond what their narrow types hold."""
    part = on_layout(LAYOUT, features(x=np.full(30_000, 1.0), plan=["a"] * 30_000))
    for times, width in ((1, 2), (2, 4), (100_000, 8)):
        whole = Distribution.combine([part] * min(times, 2))
        while int(whole.counts[0]) < times * 30_000:
            whole = Distribution.combine([whole, whole])
        assert whole.counts.dtype.itemsize == width
        assert whole.cells.nbytes + whole.sums.nbytes == 12 * len(whole.cells)
        assert int(whole.dense(0, LAYOUT.cells)[0][1]) >= times * 30_000


def test_a_column_the_batch_lacks_is_missing() -> None:
    """Columns that are not there are counted on no cell; columns the layout lacks are not counted."""
    found = on_layout(LAYOUT, features(x=np.array([1.0, 2.0]), other=np.array([1.0, 2.0])))

    assert found.dense(0, LAYOUT.cells)[0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("rows", [1, 10_000], ids=["few rows on many cells", "many rows on few cells"])
def test_counting_sparsely_and_densely(rows: int) -> None:
    """Both ways of counting and adding give the counts of a direct loop."""
    rng = np.random.default_rng(1)
    reference = a_reference(features(x=rng.normal(size=200).round(2)))
    parts = [rng.normal(size=rows).round(2) for _ in range(3)]

    whole = Distribution.combine([counted(reference, features(x=part)) for part in parts])

    counts, sums = whole.dense(0, reference.layout.cells)
    grid = reference.layout.grids["x"]
    assert isinstance(grid, NumericGrid)
    for cell, point in zip(range(1, grid.cells, 2), grid.points, strict=True):
        on_it = np.concatenate(parts) == point
        assert counts[cell] == on_it.sum()
        assert sums[cell] == pytest.approx((point - grid.center) * on_it.sum())
    assert counts.sum() == 3 * rows
    assert sums.sum() == pytest.approx((np.concatenate(parts) - grid.center).sum())


def test_cells_far_apart_are_stored() -> None:
    """Stored are the steps from cell to cell, of any length; what comes back is the same."""
    cells = np.array([3, 4, 200, 70_000, 2**31 - 1])
    tally = cells, np.arange(1, 6), np.linspace(-1, 1, 5)
    known = Distribution.of("f", 9, tally, {"plan": Unseen({"w": 1}, rest=2)})

    found = Distribution.from_state(unpack(pack(known.to_state())))

    assert (found.cells.tolist(), found.counts.tolist(), found.sums.tolist()) == tuple(a.tolist() for a in tally)
    assert (found.fingerprint, found.limit, found.unseen) == (known.fingerprint, known.limit, known.unseen)


def test_unseen_names_beyond_the_limit_are_pooled() -> None:
    """Of many unseen categories the alphabetically first keep their counts, the others are counted together."""
    found = on_layout(LAYOUT, features(plan=["z", "y", "x", "x", "w"], x=np.zeros(5)), limit=2)

    assert found.unseen == {"plan": Unseen({"w": 1, "x": 2}, rest=2)}
    assert found.unseen["plan"].total == 5


def test_output_classes_are_counted_as_categories() -> None:
    """Predicted classes are counted under the output's own name."""
    layout = Layout({OUTPUT: CategoryGrid(("0", "1"))})

    found = on_layout(layout, make_columns(4, predicted=["1", "1", "0", "2"]))

    assert found.dense(0, layout.cells)[0].tolist() == [1, 2, 0]
    assert found.unseen == {OUTPUT: Unseen({"2": 1})}
