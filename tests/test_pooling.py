"""Tables of categories that tests of drift hold for, by hand and against scipy and simulations."""

from collections.abc import Mapping

import numpy as np
import pytest
from scipy import stats

from data_builders import a_reference, counted, features
from drift_shapes import uniform, zipf
from driftgauge.aggregates.distribution import Unseen
from driftgauge.pooling import CategoryCounts
from driftgauge.reference import CategoryProfile

SEED = 20260105


def column(reference: Mapping[str, int], window: Mapping[str, int], limit: int = 200) -> CategoryCounts:
    """Return a column of categories with so many rows on either side, `limit` of them with a cell of their own."""
    sides = [features(x=[name for name, rows in side.items() for _ in range(rows)]) for side in (reference, window)]
    compiled = a_reference(sides[0], max_categories=limit)
    found = counted(compiled, sides[1])
    profile = compiled.profiles["x"]
    assert isinstance(profile, CategoryProfile)
    (grid,) = compiled.layout.grids.values()
    return CategoryCounts(profile, found.dense(0, grid.cells)[0], found.unseen.get("x", Unseen({})))


def test_rare_categories_are_joined() -> None:
    """A third of all rows is the window's: d, e, f, g and h, of which fewer than 15 are there, are one."""
    known, live = (
        {"a": 50, "b": 30, "c": 10, "d": 6, "e": 2, "f": 1, "g": 1},
        {"a": 25, "b": 14, "c": 6, "d": 2, "h": 3},
    )

    pair = column(known, live).pooled()

    # f and g were seen once, so two rows of a hundred are of what the reference has not seen: of each of seven 2 / 7.
    assert pair.reference_counts == pytest.approx([50 - 2 / 7, 30 - 2 / 7, 10 - 2 / 7, 10 + 6 / 7])
    assert pair.counts.tolist() == [25, 14, 6, 5]


def test_too_few_others_join_the_rarest() -> None:
    """What is left has to be expected as well: 2 rows are not, so they are counted with b."""
    pair = column({"a": 60, "b": 40}, {"a": 55, "b": 43, "c": 2}).pooled()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([60, 40], [55, 45])


def test_nothing_is_frequent() -> None:
    """Where nearly every row has a category of its own there is one table cell, which says nothing."""
    names = [f"user {number}" for number in range(198)]

    pair = column({"a": 2} | dict.fromkeys(names[:98], 1), dict.fromkeys(names[98:], 1)).pooled()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([100], [100])


def test_the_limit_of_categories_cuts_among_equals() -> None:
    """Of b, c and d, with 20 rows each, two have a cell by their names alone; they are all one, as none is frequent."""
    pair = column({"a": 40, "b": 20, "c": 20, "d": 20}, {"a": 40, "b": 20, "c": 20, "d": 20}, limit=3).pooled()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([40, 60], [40, 60])


@pytest.mark.parametrize("rows", [200, 1000, 5000])
@pytest.mark.parametrize("draw", [uniform(400), zipf(400), zipf(5000)], ids=["uniform 400", "Zipf 400", "Zipf 5000"])
def test_what_the_reference_has_not_seen(draw: object, rows: int) -> None:
    """On average the reference's share of what has no cell, or was never seen, is nearly that of the window."""
    assert callable(draw)
    rng = np.random.default_rng(SEED)
    differences, naive = [], []
    for _ in range(60):
        reference = a_reference(features(x=draw(rng, rows).to_pylist()))
        window = counted(reference, features(x=draw(rng, 2000).to_pylist()))
        profile = reference.profiles["x"]
        assert isinstance(profile, CategoryProfile)
        cells, seen = CategoryCounts(profile, window.dense(0, len(profile.counts))[0], Unseen({}))._corrected()
        live = window.dense(0, len(profile.counts))[0][:-1][seen].sum() / 2000
        differences.append(live - cells.sum() / rows)
        naive.append(live - profile.counts[:-1][seen].sum() / rows)

    error = np.std(differences) / np.sqrt(len(differences))
    assert abs(np.mean(differences)) < 4 * error + 0.15 * abs(np.mean(naive))
    assert np.mean(naive) < -4 * error


def test_the_limit_cuts_among_frequent_categories() -> None:
    """One category has 101 to 110 rows, and as many are there by luck: 101 rows in ten counts."""
    known = {"a": 300, "d": 105, "b": 100, "c": 95}

    pair = column(known, known, limit=3).pooled()

    assert pair.reference_counts == pytest.approx([300 - 10.1 / 2, 105 - 10.1 / 2, 195 + 10.1])
    assert pair.counts.tolist() == [300, 105, 195]


def test_the_category_that_rose_most() -> None:
    """50 of 500 rows have a category that 5,000 did not: each has a chance of 1 in 11 to be in the window."""
    known, live = {"a": 3000, "b": 2000}, {"a": 270, "b": 180, "new": 50}

    pair, pvalue = column(known, live).risen()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([0, 5000], [50, 450])
    # Among a, b, new, and all that was never seen.
    assert pvalue == pytest.approx(4 * (1 / 11) ** 50)


def test_a_known_category_that_rose() -> None:
    """The tail is the binomial one, which is never below the exact, hypergeometric one."""
    pair, pvalue = column({"a": 4990, "b": 10}, {"a": 480, "b": 20}).risen()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([10, 4990], [20, 480])
    assert pvalue == pytest.approx(3 * stats.binom.sf(19, 30, 1 / 11))
    assert pvalue > 3 * stats.hypergeom.sf(19, 5500, 30, 500)


def test_all_that_is_new_counts_together() -> None:
    """Thirty new categories with a row each are many where the reference saw two of its rows once."""
    known = {"a": 900, "b": 98, "c": 1, "d": 1}
    live = {"a": 400, "b": 70} | {f"new {number}": 1 for number in range(30)}

    pair, pvalue = column(known, live).risen()

    assert (pair.reference_counts.tolist(), pair.counts.tolist()) == ([2, 998], [30, 470])
    assert pvalue == pytest.approx(35 * stats.binom.sf(29, 32, 1 / 3))


def test_nothing_rose() -> None:
    """A window that lies wholly among the categories without a cell says nothing of one category."""
    assert column({"a": 2, "b": 1, "c": 1}, {"b": 2, "c": 1}, limit=1).risen()[1] == 1
