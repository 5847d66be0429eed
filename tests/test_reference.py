"""Compiling a reference, with grids, bins and fences worked out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data_builders import a_reference, features, make_columns
from driftgauge.codec import pack, unpack
from driftgauge.columns import Columns, Facts
from driftgauge.config import Drift
from driftgauge.errors import ReferenceUnusable
from driftgauge.grid import CLASS, OUTPUT, CategoryGrid, NumericGrid
from driftgauge.reference import CategoryProfile, NumericProfile, Reference, compile_reference

NAN, INF = float("nan"), float("inf")


def number(values: Any, **drift: Any) -> tuple[NumericGrid, NumericProfile]:
    """Compile one numeric column."""
    reference = a_reference(features(x=np.asarray(values, dtype=np.float64)), **drift)
    grid, profile = reference.layout.grids["x"], reference.profiles["x"]
    assert isinstance(grid, NumericGrid)
    assert isinstance(profile, NumericProfile)
    return grid, profile


def category(values: list[str | None], limit: int = 200) -> tuple[CategoryGrid, CategoryProfile]:
    """Compile one categorical column."""
    reference = a_reference(features(x=values), max_categories=limit)
    grid, profile = reference.layout.grids["x"], reference.profiles["x"]
    assert isinstance(grid, CategoryGrid)
    assert isinstance(profile, CategoryProfile)
    return grid, profile


def test_numbers() -> None:
    """Values are counted on their own points; what is no number is missing."""
    grid, profile = number([4.0, 1.0, 2.0, 1.0, NAN, INF])

    assert (profile.rows, profile.missing, profile.constant) == (4, 2, False)
    assert (profile.mean, profile.stddev) == (2.0, pytest.approx(np.std([1, 1, 2, 4])))
    counts = np.diff(profile.ends, prepend=0)
    occupied = {float(grid.points[cell // 2]): int(counts[cell]) for cell in np.flatnonzero(counts)}
    assert occupied == {1.0: 2, 2.0: 1, 4.0: 1}
    assert set(np.flatnonzero(counts) % 2) == {1}


@pytest.mark.parametrize(
    ("description", "values", "drift", "edges"),
    [
        ("quartiles as numpy interpolates them", [1, 2, 3, 4], {"bins": 4}, [1.75, 2.5, 3.25]),
        ("ties merge bins", [0] * 8 + [1, 2], {}, [0.0, 0.2, 1.1]),
        ("equal widths", [0, 1, 2, 10], {"bins": 4, "binning": "uniform"}, [2.5, 5.0, 7.5]),
        ("a constant has one edge", [3, 3, 3], {}, [3.0]),
    ],
)
def test_bin_edges(description: str, values: list[float], drift: dict[str, Any], edges: list[float]) -> None:
    """Each bin ends at the cell of its upper edge, so that the edge belongs to the bin below."""
    grid, profile = number(values, **drift)

    assert grid.points[profile.bin_ends // 2].tolist() == pytest.approx(edges), description
    assert set(profile.bin_ends % 2) == {1}


def test_fences() -> None:
    """The outlier fences are points: quartiles 25 and 75 give -50 and 150."""
    grid, profile = number(np.arange(101))

    assert (grid.points[profile.low // 2], grid.points[profile.high // 2]) == (-50.0, 150.0)


@pytest.mark.parametrize(
    ("description", "values", "rows", "missing", "constant"),
    [
        ("constant", [3, 3, 3], 3, 0, True),
        ("constant but for missing values", [3, NAN], 1, 1, True),
        ("all missing", [NAN, NAN], 0, 2, True),
        ("two values", [3, np.nextafter(3, 4)], 2, 0, False),
    ],
)
def test_degenerate_numbers(description: str, values: list[float], rows: int, missing: int, *, constant: bool) -> None:
    """Columns with fewer than two values are compiled and marked."""
    grid, profile = number(values)

    assert (profile.rows, profile.missing, profile.constant) == (rows, missing, constant), description
    assert len(profile.ends) == grid.cells


def test_many_distinct_values() -> None:
    """Beyond the grid's size points lie at even ranks: less than 1 / grid of the rows between two."""
    values = np.random.default_rng(1).lognormal(size=50_000)

    grid, profile = number(values, grid=100)

    assert grid.points[0] <= values.min()
    assert grid.points[-1] >= values.max()
    counts = np.diff(profile.ends, prepend=0)
    assert counts[::2].max() < 50_000 / 99
    assert np.array_equal(counts, np.bincount(grid.locate(values), minlength=grid.cells))


@pytest.mark.parametrize("grid", [100, 10_000], ids=["values between the points", "points for all values"])
def test_areas(grid: int) -> None:
    """Summed up to a point, the areas under the distribution function are the mean distance of the values below it."""
    values = np.random.default_rng(1).lognormal(size=1000)

    found, profile = number(values, grid=grid)

    expected = [np.maximum(point - values, 0).mean() for point in found.points[1:]]
    assert profile.areas.cumsum() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.0, 1.0, 1000.0], [*np.linspace(0, 1, 3000), 100.0]], ids=["two", "uneven", "a far one"]
)
def test_wide_gaps_are_divided(values: list[float]) -> None:
    """No cell is wider than a 4096th of the range, and every value is a point."""
    grid, _ = number(values)

    inside = grid.points[(grid.points >= min(values)) & (grid.points <= max(values))]
    assert np.diff(inside).max() <= (max(values) - min(values)) / 4096 * (1 + 1e-9)
    assert set(values) <= set(grid.points)
    assert len(grid.points) < 3 * 4096 + len(values)


def test_categories() -> None:
    """The most frequent categories have cells, ties by name; the others share the last one."""
    grid, profile = category(["c", "b", "b", "e", "d", "c", None, "a"], limit=3)

    assert (grid.categories, grid.others) == (("b", "c", "a"), frozenset({"d", "e"}))
    assert profile.counts.tolist() == [2, 2, 1, 2]
    assert (profile.rows, profile.missing) == (7, 1)


@pytest.mark.parametrize(
    ("values", "once", "twice"), [("aab", 1, 1), ("aabbcdeeef", 3, 2), ("aaabbb", 0, 0), ([None, None], 0, 0)]
)
def test_rare_categories(values: Sequence[str | None], once: int, twice: int) -> None:
    """Categories with one row and with two are counted, whether or not they have a cell of their own."""
    profile = category(list(values), limit=2)[1]

    assert (profile.once, profile.twice) == (once, twice)


def test_chunks() -> None:
    """Columns that only some chunks have are missing in the others; text anywhere makes a category."""
    chunks = [
        features(x=np.array([1.0, 2.0]), code=np.array([1.0, 2.0])),
        features(x=np.array([3.0]), plan=["a"]),
        features(code=["E5"], plan=["b"]),
    ]

    reference = compile_reference(chunks, drift=Drift(), max_features=9, max_categories=9)

    assert reference.rows == 4
    assert reference.kinds == {"x": "numeric", "code": "categorical", "plan": "categorical"}
    found = {name: (profile.rows, profile.missing) for name, profile in reference.profiles.items()}
    assert found == {"x": (3, 1), "code": (1, 3), "plan": (2, 2)}


def test_features_beyond_the_limit() -> None:
    """The first features are kept, and the others named; the output is no feature."""
    rows = make_columns(2, numbers={"a": [1, 2], "b": [1, 2], "c": [1, 2]}, score=[0.1, 0.9])

    reference = a_reference(rows, max_features=2)

    assert list(reference.layout.grids) == ["a", "b", OUTPUT, CLASS]
    assert reference.dropped == ("c",)
    assert set(reference.kinds) == {"a", "b"}


@pytest.mark.parametrize(
    ("description", "fields", "kind"),
    [
        ("a score before a class", {"score": [0.1, NAN], "predicted": ["0", "1"]}, NumericGrid),
        ("a class", {"predicted": ["0", None]}, CategoryGrid),
        ("a regression", {"predicted": np.array([1.0, NAN])}, NumericGrid),
        ("nothing", {}, type(None)),
    ],
)
def test_output(description: str, fields: dict[str, Any], kind: type) -> None:
    """The output is compiled from the first of scores, values and classes that the reference has."""
    reference = a_reference(make_columns(2, numbers={"x": [1, 2]}, **fields))

    assert isinstance(reference.layout.grids.get(OUTPUT), kind), description


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (features(x=np.array([1.0])), "has 1 usable rows; drift needs at least 2"),
        (features(x=np.zeros(0)), "has 0 usable rows"),
        (make_columns(3), "has no feature and no prediction column"),
    ],
    ids=["one row", "no rows", "no columns"],
)
def test_unusable(rows: Columns, message: str) -> None:
    """A reference that nothing can be compared with says so."""
    with pytest.raises(ReferenceUnusable, match=message):
        a_reference(rows)


def test_round_trip() -> None:
    """A stored reference has the same layout and the same counts."""
    rows = make_columns(
        3,
        numbers={"x": [1, 2, NAN], "constant": [1, 1, 1], "missing": [NAN] * 3},
        categories={"plan": ["a", "b", "c"]},
        score=[0.1, 0.5, 0.9],
    )
    one = a_reference(rows, max_features=4, max_categories=2)

    other = Reference.from_state(unpack(pack(one.to_state())))

    assert (one.layout.fingerprint, one.rows, one.dropped) == (other.layout.fingerprint, other.rows, other.dropped)
    for name, profile in one.profiles.items():
        for field in profile.__slots__:
            assert np.array_equal(getattr(profile, field), getattr(other.profiles[name], field)), (name, field)


def test_features_of_a_reference_that_have_a_role_there() -> None:
    """They have counts, and are read like the others, but no batch has to have them; beyond the limit of features."""
    rows = features(a=np.array([1.0, 2.0]), score=np.array([700.0, 300.0]))
    facts = Facts(readings={"a": "numeric", "score": "numeric", "when": "left_out"}, roles={"score": "score"})
    reference = a_reference(replace(rows, facts=facts), max_features=1)
    assert list(reference.layout.grids) == ["a", "score"]
    assert reference.features == ("a",)
    assert reference.kinds == {"a": "numeric", "score": "numeric", "when": "left_out"}
    assert Reference.from_state(reference.to_state()).kinds == reference.kinds


def test_text_of_which_every_value_is_another_is_left_out() -> None:
    """It names rows; of few rows that may be chance."""
    names = [f"customer {number}" for number in range(100)]
    x = np.arange(100.0)
    assert list(a_reference(features(x=x, name=names)).layout.grids) == ["x"]
    assert a_reference(features(x=x, name=names)).kinds["name"] == "left_out"
    assert list(a_reference(features(x=x[:99], name=names[:99])).layout.grids) == ["x", "name"]
    assert list(a_reference(features(x=x, name=[*names[1:], names[1]])).layout.grids) == ["x", "name"]


def test_scores_of_a_reference_without_fractions_in_every_chunk() -> None:
    """In a column of scores 0 and 1 are scores, and no classes."""
    some = replace(make_columns(2, predicted=["0", "1"]), facts=Facts(has_classes=True))
    rest = replace(
        make_columns(2, predicted=["0", "1"], score=[0.25, 0.75]), facts=Facts(has_scores=True, has_classes=False)
    )
    reference = compile_reference([some, rest], drift=Drift(), max_features=9, max_categories=9)
    profile = reference.profiles[OUTPUT]
    assert (profile.rows, reference.profiles[CLASS].rows) == (4, 0)
    assert isinstance(profile, NumericProfile)
    assert profile.mean == 0.5
