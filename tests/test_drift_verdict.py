"""When a column counts as drifted, and how often that is a false or a missed alarm.

`pytest -s tests/test_drift_verdict.py -k alarm` prints the figures that docs/statistics.md quotes.
"""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_builders import a_reference, compared, counted, features, make_columns
from driftgauge.columns import Columns
from driftgauge.config import Drift
from driftgauge.drift import ColumnDrift, benjamini_hochberg, compare, flags

SEED = 20260105
NUMBERS, CATEGORIES = 16, 4


def column(pvalue: float | None = 1e-6, rows: int = 100, **statistics: float) -> ColumnDrift:
    """Return a compared column, by default a significant one of a hundred rows without effect."""
    return ColumnDrift(rows, statistics, pvalue, None, None)


VERDICTS = [
    ("far and significant", column(ks_statistic=0.1), {}, True),
    ("not far enough", column(ks_statistic=0.0999, psi=0.1999), {}, False),
    ("far by PSI alone", column(ks_statistic=0.05, psi=0.2), {}, True),
    ("far by total variation", column(total_variation_distance=0.1), {}, True),
    ("the Wasserstein distance is no effect size", column(wasserstein_distance=9.0, js_distance=0.9), {}, False),
    ("far by luck", column(pvalue=0.05, ks_statistic=0.9), {}, False),
    ("just significant", column(pvalue=0.0499, ks_statistic=0.9), {}, True),
    ("a stricter level", column(pvalue=0.02, ks_statistic=0.9), {"significance": 0.01}, False),
    ("other effect sizes", column(ks_statistic=0.3, psi=0.3), {"ks": 0.4, "psi": 0.4}, False),
    ("just enough rows", column(rows=50, ks_statistic=0.9), {}, True),
    ("too few rows", column(rows=49, ks_statistic=0.9), {}, None),
    ("fewer rows are enough when configured", column(rows=49, ks_statistic=0.9), {"min_samples": 10}, True),
    ("nothing to test", column(pvalue=None), {}, None),
    ("significance alone", column(pvalue=0.049), {"rule": "significance"}, True),
    ("significance alone is not enough rows", column(pvalue=0.0, rows=49), {"rule": "significance"}, None),
    ("far is not enough under the plain rule", column(pvalue=0.06, psi=9.0), {"rule": "significance"}, False),
]


@pytest.mark.parametrize(("description", "found", "drift", "flagged"), VERDICTS)
def test_verdict(description: str, found: ColumnDrift, drift: dict[str, Any], *, flagged: bool | None) -> None:
    """A column drifted when effect, significance and rows say so; with too few rows there is no verdict."""
    assert flags({"x": found}, Drift(**drift)).get("x") == flagged, description


# Four p-values, by hand: p · 4 / rank is 0.04, 0.06, 0.04, 0.2, and no value exceeds a later one.
FOUR = {"a": 0.01, "b": 0.03, "c": 0.03, "d": 0.2}


@pytest.mark.parametrize(
    ("description", "drift", "flagged"),
    [
        ("corrected over the features", {}, {"a", "b", "c"}),
        ("at a stricter level", {"significance": 0.03}, set()),
        ("uncorrected", {"significance": 0.02, "correction": "none"}, {"a"}),
        ("the plain rule does not correct", {"significance": 0.02, "rule": "significance"}, {"a"}),
    ],
)
def test_correction(description: str, drift: dict[str, Any], flagged: set[str]) -> None:
    """p-values are corrected over the features that are judged."""
    columns = {name: column(pvalue, ks_statistic=0.5) for name, pvalue in FOUR.items()}

    found = flags(columns, Drift(**drift))

    assert {name for name, drifted in found.items() if drifted} == flagged, description


def test_columns_without_verdict_are_left_out_of_the_correction() -> None:
    """A hundred columns with too few rows do not cost the others their significance."""
    sparse = {f"sparse{number}": column(0.9, rows=10, ks_statistic=0.5) for number in range(100)}

    assert flags(sparse | {"x": column(0.04, ks_statistic=0.5)}, Drift()) == {"x": True}


def test_benjamini_hochberg_by_hand() -> None:
    """P · n / rank, made monotone from the largest down."""
    assert benjamini_hochberg(list(FOUR.values())) == pytest.approx([0.04, 0.04, 0.04, 0.2])
    assert benjamini_hochberg([]) == []


@given(pvalues=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg(pvalues: list[float]) -> None:
    """Each adjusted value is the smallest p · n / rank of those at least as large (Benjamini and Hochberg, 1995)."""
    ordered = sorted(pvalues)
    steps = [(p, p * len(ordered) / rank) for rank, p in enumerate(ordered, start=1)]
    expected = [min(1.0, *(step for other, step in steps if other >= p)) for p in pvalues]

    assert benjamini_hochberg(pvalues) == pytest.approx(expected)


def draw(rng: np.random.Generator, rows: int, *, shift: float = 0.0) -> Columns:
    """Return rows of several distributions; `shift` moves the first column, in standard deviations."""
    numbers = {}
    for number in range(NUMBERS):
        values = rng.normal(size=rows) if number % 3 < 2 else rng.poisson(5, rows).astype(np.float64)
        numbers[f"x{number}"] = np.exp(values) if number % 3 == 1 else values
    numbers["x0"] += shift
    names = np.array([f"c{code}" for code in range(8)])
    weights = np.arange(1, 9) / 36
    categories = {f"plan{number}": names[rng.choice(8, rows, p=weights)] for number in range(CATEGORIES)}
    return make_columns(rows, numbers=numbers, categories=categories)


def tell(line: str) -> None:
    """Write a figure for whoever runs this with `-s`."""
    sys.stdout.write(f"{line}\n")


@pytest.mark.no_cover
@pytest.mark.parametrize(("rows", "windows"), [(50, 60), (1000, 40), (10_000, 10), (100_000, 2)])
def test_false_alarms(rows: int, windows: int) -> None:
    """Without drift at most 1 % of the features are flagged, at any size."""
    rng = np.random.default_rng(SEED)
    reference = a_reference(draw(rng, 5000))
    flagged = judged = 0
    for _ in range(windows):
        found = flags(compare(reference, counted(reference, draw(rng, rows))), Drift())
        flagged, judged = flagged + sum(found.values()), judged + len(found)

    tell(f"no drift, {rows} rows: {flagged} of {judged} features flagged")
    assert judged == windows * (NUMBERS + CATEGORIES)
    assert flagged <= 0.01 * judged


@pytest.mark.no_cover
def test_missed_alarms() -> None:
    """A shift of 0.3 sigma of one among twenty features is caught in 500 rows at least 9 times in 10."""
    rng = np.random.default_rng(SEED)
    windows = caught = others = 0
    for _ in range(10):
        reference = a_reference(draw(rng, 5000))
        for _ in range(10):
            found = flags(compare(reference, counted(reference, draw(rng, 500, shift=0.3))), Drift())
            windows, caught = windows + 1, caught + found.pop("x0")
            others += sum(found.values())

    tell(f"0.3 sigma in 500 rows: caught in {caught} of {windows} windows, {others} other features flagged")
    assert caught >= 0.9 * windows
    assert others <= 0.01 * windows * (NUMBERS + CATEGORIES - 1)


def test_a_wobble_in_a_million_rows_is_no_alarm() -> None:
    """0.03 sigma in a million rows is significant beyond doubt, and too small to matter."""
    rng = np.random.default_rng(SEED)
    found = compared(features(x=rng.normal(size=20_000)), features(x=rng.normal(0.03, 1, 1_000_000)))

    tell(f"0.03 sigma in a million rows: p = {found['x'].pvalue:.1e}, not an alarm")
    assert found["x"].pvalue is not None
    assert found["x"].pvalue < 0.001
    assert flags(found, Drift()) == {"x": False}
    assert flags(found, Drift(rule="significance")) == {"x": True}
