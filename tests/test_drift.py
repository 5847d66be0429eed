"""Every drift statistic against scipy or tables computed by hand."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from data_builders import a_reference, compared, counted, features
from driftgauge.columns import Columns, FloatArray
from driftgauge.config import Drift
from driftgauge.drift import ColumnDrift, compare
from driftgauge.families import STATISTICS
from driftgauge.grid import NumericGrid
from driftgauge.reference import NumericProfile
from driftgauge.statistics import TABLE, NumericPair, wasserstein_distance

NAN = float("nan")
SEED = 20260105
Draw = Callable[[np.random.Generator, int], FloatArray]


def numeric(reference: Any, window: Any, **drift: Any) -> ColumnDrift:
    """Compare two samples of one number."""
    rows = [features(x=np.asarray(values, dtype=np.float64)) for values in (reference, window)]
    return compared(*rows, **drift)["x"]


def categorical(reference: Sequence[str | None], window: Sequence[str | None]) -> ColumnDrift:
    """Compare two samples of one category."""
    return compared(features(x=list(reference)), features(x=list(window)))["x"]


def ks(reference: FloatArray, window: FloatArray) -> tuple[float, float]:
    """Return scipy's distance and p-value."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        found = stats.ks_2samp(reference, window)
    return float(found.statistic), float(found.pvalue)


def assert_ks(reference: FloatArray, window: FloatArray) -> None:
    """Assert scipy's distance to 1e-12 and its p-value to 1e-9 relative, NaN left out."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful")
        found = numeric(reference, window).statistics
    distance, pvalue = ks(reference[~np.isnan(reference)], window[~np.isnan(window)])
    assert found["ks_statistic"] == pytest.approx(distance, rel=0, abs=1e-12)
    assert found["ks_pvalue"] == pytest.approx(pvalue, rel=1e-9, abs=1e-300)


DRAWS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, n),
    "integers": lambda rng, n: rng.poisson(3, n).astype(np.float64),
    "two values": lambda rng, n: rng.integers(0, 2, n).astype(np.float64),
    "bimodal": lambda rng, n: np.where(rng.random(n) < 0.5, rng.normal(-5, 0.1, n), rng.normal(5, 0.1, n)),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.95, 0.0, rng.normal(size=n)),
    "uniform": lambda rng, n: rng.random(n),
}
SIZES = [(20, 7), (50, 200), (300, 2), (2, 300), (1000, 999), (9000, 50), (9000, 20_000), (3000, 10_001)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", DRAWS)
def test_ks(name: str, sizes: tuple[int, int]) -> None:
    """Without and with a shift, exact and asymptotic, D and p are scipy's."""
    rng = np.random.default_rng(SEED)
    reference, window = (DRAWS[name](rng, size) for size in sizes)
    reference[:2] = 0, 1  # never constant

    assert_ks(reference, window)
    assert_ks(reference, window * 1.2 + 0.3)


few_values = st.integers(0, 6).map(float) | st.just(NAN)
any_values = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(
    reference=st.lists(few_values, max_size=40) | st.lists(any_values, max_size=40),
    window=st.lists(few_values, max_size=40) | st.lists(any_values, max_size=40),
)
def test_ks_of_small_samples(reference: list[float], window: list[float]) -> None:
    """Ties, missing values and samples of any two sizes give scipy's exact p-value."""
    assert_ks(np.array([0.0, 1.0, *reference]), np.array([2.0, 3.0, *window]))


@pytest.mark.parametrize(
    ("description", "reference", "window"),
    [
        ("disjoint, below", np.arange(30.0), np.arange(-50.0, -20.0)),
        ("disjoint, above", np.arange(30.0), np.arange(40.0, 95.0)),
        ("window in a gap of the reference", np.array([0.0] * 20 + [10.0] * 20), np.full(40, 5.0)),
        ("the same sample", np.arange(100.0), np.arange(100.0)),
        ("next to each other", np.array([1.0, np.nextafter(1, 2)]), np.array([1.0, 1.0])),
        ("both zeros", np.array([-0.0, 0.0, 1.0]), np.array([0.0, -0.0])),
    ],
)
def test_ks_at_extremes(description: str, reference: FloatArray, window: FloatArray) -> None:
    """Samples that touch nowhere or everywhere are no special case."""
    assert_ks(reference, window)
    assert numeric(reference, window).rows == len(window), description


@pytest.mark.parametrize("grid", [100, 1000])
def test_ks_on_a_coarse_grid(grid: int) -> None:
    """With more distinct reference values than points, D is at most 1/grid too small."""
    rng = np.random.default_rng(SEED)
    reference = rng.normal(size=20_000)
    for window in (rng.normal(size=5000), rng.normal(0.02, 1, 5000), np.repeat(reference[:50], 3)):
        found = numeric(reference, window, grid=grid).statistics["ks_statistic"]

        assert 0 <= ks(reference, window)[0] - found <= 1 / grid


@pytest.mark.parametrize(
    "sizes", [(20, 2), (50, 500), (1000, 2), (1000, 20_000), (5000, 300), (20_000, 100_000)], ids=str
)
@pytest.mark.parametrize("name", ["normal", "lognormal", "integers", "bimodal", "uniform", "heavy tails"])
def test_wasserstein(name: str, sizes: tuple[int, int]) -> None:
    """Divided by the reference's deviation, it is scipy's distance within 1e-3."""
    rng = np.random.default_rng(SEED)
    reference, window = (DRAWS[name](rng, size) for size in sizes)
    shifted = window + 1 if name == "integers" else window * 1.1 + 0.1

    for values in (window, shifted):
        expected = stats.wasserstein_distance(reference, values) / reference.std()
        assert numeric(reference, values).statistics["wasserstein_distance"] == pytest.approx(expected, rel=1e-3)


def test_wasserstein_of_values_between_the_references() -> None:
    """Windows that pile up on values the reference does not have, deep in its gaps, are within 1 %."""
    rng = np.random.default_rng(SEED)
    reference = rng.poisson(3, 5000).astype(np.float64)
    for shift in (0.05, 0.3, 0.5):
        window = rng.poisson(3, 1000) + shift
        expected = stats.wasserstein_distance(reference, window) / reference.std()

        assert numeric(reference, window).statistics["wasserstein_distance"] == pytest.approx(expected, rel=1e-2)


def test_wasserstein_where_the_functions_cross_inside_a_cell() -> None:
    """A window spread between two reference values: |1/2 - x| over [0, 1] is 1/4, in deviations of 1/2."""
    profile = NumericProfile(
        ends=np.array([0, 1, 1, 2, 2], np.int32),
        areas=np.array([0.5]),
        rows=2,
        missing=0,
        mean=0.5,
        stddev=0.5,
        bin_ends=np.array([1]),
        low=1,
        high=3,
        constant=False,
    )
    # From the grid's center on, which is 1.
    counts, sums = np.array([0, 0, 10, 0, 0]), np.array([0, 0, -5.0, 0, 0])

    pair = NumericPair(NumericGrid(np.array([0.0, 1.0])), profile, counts, sums)

    assert wasserstein_distance(pair) == pytest.approx(0.5)


def test_a_column_is_compared_as_if_alone() -> None:
    """Whatever other columns there are, also ones that have nothing to compare."""
    rng = np.random.default_rng(SEED)

    def rows(count: int, scale: float, *, absent: Sequence[str] = ()) -> Columns:
        numbers = {name: draw(rng, count) * scale for name, draw in DRAWS.items()}
        numbers |= {"constant": np.full(count, 2.0)} | {name: np.full(count, NAN) for name in absent}
        return features(**numbers, city=[str(n % 3) for n in range(count)])

    known = rows(400, 1)
    reference = a_reference(known)
    for window in (rows(2, 1), rows(90, 1.2, absent=["normal", "uniform"]), rows(1500, 1), rows(1, 1)):
        found = compare(reference, counted(reference, window))

        for name, numbers in window.numbers.items():
            assert found[name] == compared(features(x=known.numbers[name]), features(x=numbers))["x"]


def test_mean_shift() -> None:
    """The difference of the means, in deviations (ddof = 0) of the reference: (4 - 2) / sqrt(2 / 3)."""
    shift = numeric([1, 2, 3], [3, 5]).statistics["mean_shift"]

    assert shift == pytest.approx(2 / math.sqrt(2 / 3))


@pytest.mark.parametrize("offset", [1.7e9, 1.7e12, 1.7e15], ids="{:g}".format)
def test_large_numbers_with_a_small_spread(offset: float) -> None:
    """A million times stamps, of which ten differ, say of themselves what they say without their large offset."""
    rng = np.random.default_rng(SEED)
    reference, window = rng.integers(0, 10, 5000).astype(np.float64), rng.integers(0, 10, 1_000_000).astype(np.float64)

    found, small = numeric(reference + offset, window + offset).statistics, numeric(reference, window).statistics

    # The reference's mean is a double, and of these there are a few between neighbouring stamps only.
    assert found["mean_shift"] == pytest.approx(small["mean_shift"], abs=np.spacing(offset))
    for name in ("wasserstein_distance", "ks_statistic", "psi"):
        assert found[name] == pytest.approx(small[name], rel=1e-6)


@pytest.mark.parametrize("binning", ["quantile", "uniform"])
@pytest.mark.parametrize(
    "values",
    [[-1.7e308, 1.7e308], [-1.7e308, -1.7e308, 1.7e308], [-1e308, 0.0, 1e308, 1.7e308], [0.0, 5e-324, 1e-323, 0.0]],
    ids=str,
)
def test_distances_that_are_no_number(values: list[float], binning: str) -> None:
    """Of values farther apart, or nearer, than doubles can say the shares are right; what overflows is absent."""
    sample = np.array(values)

    found = numeric(sample, sample, binning=binning)

    assert (found.rows, found.outliers) == (len(values), 0)
    assert [found.statistics[name] for name in ("ks_statistic", "psi", "js_distance")] == [0, 0, 0]
    assert numeric(sample, sample[[0, 0]]).statistics["ks_statistic"] == pytest.approx(np.mean(sample > sample[0]))


# Bins are right-closed between numpy's quantiles; p and q are written out, empty shares as the floor 1e-4.
FLOOR = 1e-4
PSI = [
    ("eight of ten below the median", [1, 2, 3, 4], [1] * 8 + [4] * 2, {"bins": 2}, [0.5, 0.5], [0.8, 0.2]),
    ("a value on an edge is below it", [1, 2, 3, 4], [2.5] * 3, {"bins": 4}, [0.25] * 4, [FLOOR, 1, FLOOR, FLOOR]),
    ("open ends", [1, 2, 3, 4], [-9e9, 9e9], {"bins": 4}, [0.25] * 4, [0.5, FLOOR, FLOOR, 0.5]),
    ("ties merge bins", [0] * 8 + [1, 2], [0] * 5, {}, [0.8, FLOOR, 0.1, 0.1], [1, FLOOR, FLOOR, FLOOR]),
    ("equal widths", [0, 1, 2, 10], [0, 6, 7, 8], {"bins": 2, "binning": "uniform"}, [0.75, 0.25], [0.25, 0.75]),
    ("equal widths, on an edge", [0, 4], [2, 2], {"bins": 2, "binning": "uniform"}, [0.5, 0.5], [1, FLOOR]),
]


@pytest.mark.parametrize(("description", "reference", "window", "drift", "p", "q"), PSI)
def test_psi_of_numbers(
    description: str, reference: list[float], window: list[float], drift: Any, p: list[float], q: list[float]
) -> None:
    """PSI over hand-made shares."""
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))

    assert numeric(reference, window, **drift).statistics["psi"] == pytest.approx(expected, rel=1e-12), description


@pytest.mark.parametrize("name", DRAWS)
def test_bins_of_numbers(name: str) -> None:
    """On ten quantile bins counted by hand, JS distance is scipy's and PSI the formula's."""
    rng = np.random.default_rng(SEED)
    reference, window = DRAWS[name](rng, 2000), DRAWS[name](rng, 500) + 1
    edges = np.unique(np.quantile(reference, np.linspace(0.1, 0.9, 9)))
    p, q = (
        np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1) / len(values)
        for values in (reference, window)
    )

    found = numeric(reference, window).statistics

    assert found["js_distance"] == pytest.approx(jensenshannon(p, q, base=2), rel=1e-12)
    p, q = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    assert found["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=1e-9)


def test_outliers() -> None:
    """Outliers lie outside the reference's fences, a value on a fence does not: quartiles 25, 75, fences -50, 150."""
    assert numeric(np.arange(101), [-50, -50.1, 150, 150.1, 50, 1e9, NAN]).outliers == 3


categories = st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=30)


@settings(deadline=None)
@given(reference=categories, window=categories)
def test_categories(reference: list[str | None], window: list[str | None]) -> None:
    """On the union of categories, unseen ones included, all five statistics are scipy's or the formula's."""
    reference, window = ["a", "b", *reference], ["a", "unseen", *window]
    union = sorted({name for name in reference + window if name is not None})
    table = np.array([[sample.count(name) for name in union] for sample in (reference, window)])
    p, q = table / table.sum(axis=1, keepdims=True)
    oracle = stats.chi2_contingency(table, correction=False)
    floored = np.maximum(p, FLOOR), np.maximum(q, FLOOR)
    expected = {
        "chi2_statistic": oracle.statistic,
        "chi2_pvalue": oracle.pvalue,
        "js_distance": jensenshannon(p, q, base=2),
        "total_variation_distance": np.abs(p - q).sum() / 2,
        "psi": ((floored[1] - floored[0]) * np.log(floored[1] / floored[0])).sum(),
    }

    found = categorical(reference, window)

    assert expected == pytest.approx(dict(found.statistics), rel=1e-9, abs=1e-12)
    assert found.unseen == window.count("unseen") + ("c" not in reference) * window.count("c") + (
        "d" not in reference
    ) * window.count("d")


def test_categories_by_hand() -> None:
    """Shares (3/4, 1/4, 0) against (1/4, 1/4, 2/4)."""
    found = categorical("aaab", "abzz")

    assert found.statistics["total_variation_distance"] == 0.5
    assert found.statistics["psi"] == pytest.approx(-0.5 * math.log(1 / 3) + (0.5 - FLOOR) * math.log(0.5 / FLOOR))
    # Expected counts are the means of each column (2, 1, 1): (1 + 1) / 2 + 0 + (1 + 1) / 1.
    assert found.statistics["chi2_statistic"] == pytest.approx(3)
    assert (found.rows, found.unseen) == (4, 2)


@pytest.mark.parametrize(
    ("description", "found", "rows"),
    [
        ("a reference without values", numeric([NAN, NAN], [1, 2, 3]), 3),
        ("a window without values", numeric([1, 2, 3], [NAN, NAN]), 0),
        ("one value", numeric([1, 2, 3], [2, NAN]), 1),
        ("a window without categories", categorical("aab", [None, None]), 0),
    ],
)
def test_what_cannot_be_compared(description: str, found: ColumnDrift, rows: int) -> None:
    """Without two values on both sides there are no statistics, and no exception."""
    assert (found.statistics, found.evidence, found.rows) == ({}, (), rows), description


def test_a_constant_reference() -> None:
    """Only what divides by the deviation is absent: D, PSI and JS distance are defined, and so are categories."""
    numbers, names = numeric([3.0] * 100, [1, 2, 3, 3]), categorical("aaa", "aab")

    assert numbers.statistics.keys() == {"ks_statistic", "ks_pvalue", "psi", "js_distance"}
    assert numbers.statistics["ks_statistic"] == 0.5
    assert numbers.statistics["psi"] == 0  # 1 and 2 are in the open bin that ends at 3
    assert numeric([3.0] * 100, [4, 3]).statistics["psi"] == pytest.approx(
        (0.5 - FLOOR) * math.log(0.5 / FLOOR) - 0.5 * math.log(0.5)
    )
    assert names.statistics["total_variation_distance"] == pytest.approx(1 / 3)
    assert names.statistics["chi2_pvalue"] == pytest.approx(
        stats.chi2_contingency([[3, 0], [2, 1]], correction=False).pvalue
    )


def test_one_category_on_both_sides() -> None:
    """A table of one column has chi-square 0 and, as scipy says, a p-value of 1."""
    found = categorical("aaa", "aa").statistics

    assert (found["chi2_statistic"], found["chi2_pvalue"]) == (0, stats.chi2_contingency([[3], [2]]).pvalue)


def test_equal_samples_are_at_distance_zero() -> None:
    """A window that equals the reference has distance 0 by every measure, but for rounding, and a p-value of 1."""
    shares = categorical("aab", "aab").statistics
    numbers = numeric(np.arange(100), np.arange(100)).statistics

    assert {name: value for name, value in shares.items() if value} == {"chi2_pvalue": 1.0}
    assert {name: value for name, value in numbers.items() if value > 1e-14} == {"ks_pvalue": 1.0}


def test_every_statistic_has_a_family() -> None:
    """What the table computes can be published, by a name that is in it once for each kind."""
    assert {row.name for row in TABLE} <= STATISTICS.keys()
    for kind in ("numeric", "categorical"):
        names = [row.name for row in TABLE if kind in row.kinds]
        assert len(names) == len(set(names))


def test_what_rows_of_the_table_name_exists() -> None:
    """Effects are settings of `drift`, and each kind has one p-value that it is judged by."""
    assert {row.effect for row in TABLE if row.effect} <= Drift.model_fields.keys()
    for kind in ("numeric", "categorical"):
        rows = [row for row in TABLE if kind in row.kinds]
        (pvalue,) = (row.pvalue for row in rows if row.pvalue)
        assert pvalue in {row.name for row in rows}
