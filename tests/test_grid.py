"""Cells of grids, and layouts that know whether their counts may be added."""

import copy
import pickle

import numpy as np
import pytest

from driftgauge.grid import CategoryGrid, Layout, NumericGrid

NEXT = float(np.nextafter(2, 3))
GRID = NumericGrid(np.array([-1.0, 0.0, 2.0]))


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-1e308, 0), (-1.5, 0), (-1.0, 1), (-0.5, 2), (-0.0, 3), (0.0, 3), (1e-320, 4), (2.0, 5), (NEXT, 6), (1e308, 6)],
)
def test_locate(value: float, cell: int) -> None:
    """Cells alternate between the gaps and the points themselves."""
    assert GRID.locate(np.array([value])).tolist() == [cell]


def test_cells() -> None:
    """A grid without points has one cell for everything; each point adds itself and the gap above."""
    assert GRID.cells == 7
    assert GRID.cell_at(2.0) == 5
    assert NumericGrid(np.zeros(0)).cells == 1
    assert NumericGrid(np.zeros(0)).locate(np.array([3.0, -3.0])).tolist() == [0, 0]


def test_tally_equals_a_loop() -> None:
    """Counting sorted values gives the cells and sums of looking up each, whether values or points are the fewer."""
    rng = np.random.default_rng(1)
    points = np.unique(rng.normal(size=100).round(1))
    for size in (0, 1, len(points) // 2, len(points) + 1, 5000):
        values = np.sort(np.concatenate([rng.normal(size=size).round(2), rng.choice(points, size)]))
        grid = NumericGrid(points)
        cells, counts, sums = grid.tally(values)
        looked_up = grid.locate(values)
        assert cells.tolist() == sorted(set(looked_up.tolist()))
        assert counts.tolist() == [np.count_nonzero(looked_up == cell) for cell in cells]
        assert sums == pytest.approx([values[looked_up == cell].sum() for cell in cells], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 17], ids=["values are points", "hardly a value is a point"])
def test_counting_equals_tallying_each_part(decimals: int) -> None:
    """Unsorted values counted in parts, one of them empty, give the tallies of the sorted parts."""
    rng = np.random.default_rng(1)
    grid = NumericGrid(np.unique(rng.normal(0, 500, 5000).round(decimals)))
    values = rng.normal(0, 600, 9001).round(decimals)
    ends = np.array([4000, 4000, 4001, 9001])

    found = grid.count(values, ends, scratch=np.empty(len(values)))

    for (cells, counts, sums), part in zip(found, np.split(values, ends[:-1]), strict=True):
        expected = grid.tally(np.sort(part))
        assert cells.tolist() == expected[0].tolist()
        assert counts.tolist() == expected[1].tolist()
        assert sums == pytest.approx(expected[2], rel=1e-12)
    nothing = grid.count(np.zeros(0), np.array([0, 0]), scratch=np.zeros(0))
    assert [[len(array) for array in tally] for tally in nothing] == [[0, 0, 0]] * 2


def test_counting_is_for_grids_of_many_points() -> None:
    """A grid of few points has no table; one that has travelled makes its own again."""
    rng = np.random.default_rng(1)
    large = NumericGrid(np.unique(rng.normal(size=5000)))

    assert not GRID.is_quick_to_count(3)
    with pytest.raises(ValueError, match="3 points"):
        GRID.count(np.zeros(1), np.array([1]), scratch=np.empty(1))
    assert [rows for rows in (100, 2_000, 20_000, 200_000) if large.is_quick_to_count(rows)] == [20_000]
    assert len(pickle.dumps(large)) < 1.1 * len(pickle.dumps(large.points))
    assert copy.copy(large).is_quick_to_count(20_000)


def test_tally_without_points() -> None:
    """On a grid without points everything falls on its one cell."""
    cells, counts, sums = NumericGrid(np.zeros(0)).tally(np.array([-1.0, 0.5]))
    assert (cells.tolist(), counts.tolist(), sums.tolist()) == ([0], [2], [-0.5])


def test_category_positions() -> None:
    """Categories have a cell each; those beyond the limit share the last."""
    grid = CategoryGrid(("b", "a"), frozenset({"rare", "rarer"}))

    assert grid.positions == {"b": 0, "a": 1, "rare": 2, "rarer": 2}
    assert grid.cells == 3


def test_layout_offsets() -> None:
    """Columns lie side by side in the order given."""
    layout = Layout({"plan": CategoryGrid(("a",)), "x": GRID, "y": NumericGrid(np.zeros(0))})

    assert layout.offsets == {"plan": 0, "x": 2, "y": 9}
    assert layout.cells == 10
    assert Layout().cells == 0


BASE = {"x": GRID, "plan": CategoryGrid(("a", "b"), frozenset({"c"}))}


@pytest.mark.parametrize(
    ("description", "grids"),
    [
        ("another point", BASE | {"x": NumericGrid(np.array([-1.0, 0.0, NEXT]))}),
        ("one point more", BASE | {"x": NumericGrid(np.array([-1.0, 0.0, 2.0, 3.0]))}),
        ("another order of categories", BASE | {"plan": CategoryGrid(("b", "a"), frozenset({"c"}))}),
        ("another category beyond the limit", BASE | {"plan": CategoryGrid(("a", "b"), frozenset({"d"}))}),
        ("another order of columns", dict(reversed(BASE.items()))),
        ("another name", {"z": BASE["x"], "plan": BASE["plan"]}),
        ("a column less", {"x": GRID}),
    ],
)
def test_fingerprints_differ(description: str, grids: dict[str, NumericGrid | CategoryGrid]) -> None:
    """Layouts on which equal cells mean different things have different fingerprints."""
    assert Layout(BASE).fingerprint != Layout(grids).fingerprint, description


def test_fingerprints_agree() -> None:
    """Layouts made twice from the same values may share counts."""
    again = {"x": NumericGrid(GRID.points.copy()), "plan": CategoryGrid(("a", "b"), frozenset({"c"}))}

    assert Layout(BASE).fingerprint == Layout(again).fingerprint
