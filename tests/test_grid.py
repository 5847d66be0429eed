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


@pytest.mark.parametrize("decimals", [1, 17], ids=["values are points", "hardly a value is a point"])
@pytest.mark.parametrize("rows", [1, 40, 9001, 60_000])
@pytest.mark.parametrize("points", [3, 200, 5000])
def test_tallies_equal_a_loop(points: int, rows: int, decimals: int) -> None:
    """Unsorted values of several groups, one of them empty, are counted and summed up as a search of each does it."""
    rng = np.random.default_rng(1)
    grid = NumericGrid(np.unique(rng.normal(0, 500, points).round(decimals)))
    values = rng.normal(0, 600, rows).round(decimals)
    values[::7] = rng.choice(grid.points, len(values[::7]))
    ends = np.array([rows // 3, rows // 3, rows // 3 + 1, rows])

    found = grid.tallies(values, ends)

    assert len(found) == len(ends)
    for (cells, counts, sums), part in zip(found, np.split(values, ends[:-1]), strict=True):
        each = 2 * grid.points.searchsorted(part) + np.isin(part, grid.points)
        expected, by_cell, times = np.unique(each, return_inverse=True, return_counts=True)
        assert cells.tolist() == expected.tolist()
        assert counts.tolist() == times.tolist()
        assert sums == pytest.approx(np.bincount(by_cell, part - grid.center, len(expected)), rel=1e-12, abs=1e-9)


def test_what_is_not_finite_is_not_counted() -> None:
    """NaN and infinities fall on no cell, in whichever group they are; huge values overflow a sum silently."""
    values = np.array([np.nan, 0.5, np.inf, np.nan, -np.inf, 1e308, 1e308, 2.0])

    found = GRID.tallies(values, np.array([3, 5, 8]))

    assert [[array.tolist() for array in tally] for tally in found] == [
        [[4], [1], [0.5]],
        [[], [], []],
        [[5, 6], [1, 2], [2.0, np.inf]],
    ]


def test_no_values() -> None:
    """Groups without values have empty tallies."""
    assert [[len(array) for array in tally] for tally in GRID.tallies(np.zeros(0), np.array([0, 0]))] == [[0] * 3] * 2


def test_a_grid_travels_without_its_table() -> None:
    """What is sent to another process is the points only, and the copy counts the same."""
    rng = np.random.default_rng(1)
    large, values = NumericGrid(np.unique(rng.normal(size=5000))), rng.normal(size=20_000)
    before = large.locate(values)

    assert len(pickle.dumps(large)) < 1.1 * len(pickle.dumps(large.points))
    assert copy.copy(large).locate(values).tolist() == before.tolist()


def test_tallies_without_points() -> None:
    """On a grid without points everything falls on its one cell."""
    ((cells, counts, sums),) = NumericGrid(np.zeros(0)).tallies(np.array([-1.0, 0.5]), np.array([2]))
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
