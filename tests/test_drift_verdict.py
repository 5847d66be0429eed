"""When a column counts as drifted, and how often that is a false or a missed alarm."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from data_builders import compared, features
from drift_shapes import CATEGORIES, NUMBERS, SHAPES, SHIFTS, Draw, Share, caught, uniform, without_drift, zipf
from driftgauge.config import Drift
from driftgauge.drift import ColumnDrift, Evidence, benjamini_hochberg, flags

SEED = 20260105


def column(pvalue: float = 1e-6, rows: int = 100, known: int = 1000, **effects: float) -> ColumnDrift:
    """Return a compared column, by default a significant one of a hundred rows without effect."""
    return ColumnDrift(rows, known, {}, (Evidence(pvalue, effects),), None, None)


def twice_judged(*evidence: tuple[float, float]) -> ColumnDrift:
    """Return a column with several tests, each a p-value and a total variation distance."""
    tests = tuple(Evidence(pvalue, {"tvd": effect}) for pvalue, effect in evidence)
    return ColumnDrift(100, 1000, {}, tests, None, None)


VERDICTS = [
    ("far and significant", column(ks=0.1), {}, True),
    ("not far enough", column(ks=0.0999, psi=0.1999), {}, False),
    ("far by PSI alone", column(ks=0.05, psi=0.2), {}, True),
    ("far by total variation", column(tvd=0.1), {}, True),
    ("far by luck", column(pvalue=0.01, ks=0.9), {}, False),
    ("just significant", column(pvalue=0.0099, ks=0.9), {}, True),
    ("a milder level", column(pvalue=0.02, ks=0.9), {"significance": 0.05}, True),
    ("other effect sizes", column(ks=0.3, psi=0.3), {"ks": 0.4, "psi": 0.4}, False),
    ("just enough rows", column(rows=50, ks=0.9), {}, True),
    ("too few rows", column(rows=49, ks=0.9), {}, None),
    ("fewer rows are enough when configured", column(rows=49, ks=0.9), {"min_samples": 10}, True),
    ("nothing to test", ColumnDrift(100, 1000, {}, (), None, None), {}, None),
    ("a small reference may be unlucky", column(pvalue=0.0051, known=500, ks=0.9), {}, False),
    ("a small reference, but beyond doubt", column(pvalue=0.0049, known=500, ks=0.9), {}, True),
    ("a small reference under the plain rule", column(pvalue=0.0099, known=2), {"rule": "significance"}, True),
    ("one of two tests is enough", twice_judged((0.0049, 0.2), (0.9, 0.0)), {}, True),
    ("each of two tests has half the level", twice_judged((0.0051, 0.2), (0.9, 0.0)), {}, False),
    ("effect and significance are of one test", twice_judged((1e-9, 0.05), (0.9, 0.5)), {}, False),
    ("significance alone", column(pvalue=0.009), {"rule": "significance"}, True),
    ("significance alone, of two tests", twice_judged((0.0051, 0.2), (0.9, 0.0)), {"rule": "significance"}, False),
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
        ("corrected over the features", {"significance": 0.05}, {"a", "b", "c"}),
        ("at a stricter level", {"significance": 0.03}, set()),
        ("uncorrected", {"significance": 0.02, "correction": "none"}, {"a"}),
        ("the plain rule does not correct", {"significance": 0.02, "rule": "significance"}, {"a"}),
    ],
)
def test_correction(description: str, drift: dict[str, Any], flagged: set[str]) -> None:
    """p-values are corrected over the features that are judged."""
    columns = {name: column(pvalue, ks=0.5) for name, pvalue in FOUR.items()}

    found = flags(columns, Drift(**drift))

    assert {name for name, drifted in found.items() if drifted} == flagged, description


def test_columns_without_verdict_are_left_out_of_the_correction() -> None:
    """A hundred columns with too few rows do not cost the others their significance."""
    sparse = {f"sparse{number}": column(0.9, rows=10, ks=0.5) for number in range(100)}

    assert flags(sparse | {"x": column(0.004, ks=0.5)}, Drift()) == {"x": True}


def test_benjamini_hochberg_by_hand() -> None:
    """P · n / rank, made monotone from the largest down."""
    assert benjamini_hochberg(list(FOUR.values())) == pytest.approx([0.04, 0.04, 0.04, 0.2])
    assert benjamini_hochberg([]) == []


def test_a_column_without_effect_does_not_help_the_others() -> None:
    """However certain a shift that does not matter is, it makes no other more certain."""
    certain = {f"x{number}": column(1e-9, ks=0.05) for number in range(9)}

    assert flags(certain | {"y": column(0.009, ks=0.5)}, Drift())["y"] is False


@given(pvalues=st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_benjamini_hochberg(pvalues: list[float]) -> None:
    """Each adjusted value is the smallest p · n / rank of those at least as large (Benjamini and Hochberg, 1995)."""
    ordered = sorted(pvalues)
    steps = [(p, p * len(ordered) / rank) for rank, p in enumerate(ordered, start=1)]
    expected = [min(1.0, *(step for other, step in steps if other >= p)) for p in pvalues]

    assert benjamini_hochberg(pvalues) == pytest.approx(expected)


def at_most(share: Share, limit: float = 0.01) -> bool:
    """Whether so many flags are no more than this share of them and luck, which explains all but one in a thousand."""
    return share.flagged <= binom.ppf(0.999, share.judged, limit)


# Few rows are where luck is great, and many where a bias would show.
SOME_WINDOWS = [50] * 6 + [200] * 3 + [1000] * 2 + [20_000]


@pytest.mark.no_cover
@pytest.mark.parametrize("shape", SHAPES)
def test_no_false_alarm(shape: str) -> None:
    """Without drift at most 1 % of the windows are flagged, of few rows and of many, against few rows and many."""
    seed = list(SHAPES).index(shape)
    found: dict[int, Share] = dict.fromkeys(SOME_WINDOWS, Share())
    for references, rows in ((3, 50), (3, 1000), (2, 5000), (1, 50_000)):
        more = without_drift({shape: SHAPES[shape]}, references=references, rows=rows, windows=SOME_WINDOWS, seed=seed)
        found = {size: found[size] + share for size, share in more.items()}

    assert sum((share for share in found.values()), Share()).judged == 9 * len(SOME_WINDOWS)
    assert all(at_most(share) for share in found.values()), found


@pytest.mark.no_cover
@pytest.mark.parametrize("draw", [uniform(50), uniform(200), zipf(200)], ids=["uniform 50", "uniform 200", "Zipf 200"])
def test_no_false_alarm_where_the_limit_cuts(draw: Draw) -> None:
    """Of few categories with a count of their own, those that the reference has too many of are chosen by luck."""
    for rows in (1000, 5000):
        found = without_drift({"x": draw}, references=10, rows=rows, windows=[50, 200, 1000, 5000], seed=rows, limit=20)

        assert at_most(sum(found.values(), Share())), found


@pytest.mark.no_cover
@pytest.mark.parametrize("shapes", [CATEGORIES, NUMBERS], ids=["categories", "numbers"])
def test_no_false_alarm_of_many_columns(shapes: dict[str, Any]) -> None:
    """The columns of one model are flagged no more often, corrected over all of them."""
    found = without_drift(shapes, references=2, rows=5000, windows=[50] * 4 + [1000] * 2, seed=99)

    assert all(at_most(share) for share in found.values()), found


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("shift", "share"), [(name, 0.9 if "0.3" in name or "one of twenty" in name else 0.95) for name in SHIFTS]
)
def test_no_missed_alarm(shift: str, share: float) -> None:
    """In 500 rows a shift of 0.3 deviations is found nine times in ten, a new or risen category nineteen in twenty."""
    columns, moved = SHIFTS[shift]
    found = caught(columns, moved, references=4, rows=5000, windows=[500] * 10, seed=list(SHIFTS).index(shift))

    assert found.judged - found.flagged <= binom.ppf(0.99, found.judged, 1 - share), found


def test_a_wobble_in_a_million_rows_is_no_alarm() -> None:
    """0.03 sigma in a million rows is significant beyond doubt, and too small to matter."""
    rng = np.random.default_rng(SEED)
    found = compared(features(x=rng.normal(size=20_000)), features(x=rng.normal(0.03, 1, 1_000_000)))

    assert found["x"].statistics["ks_pvalue"] < 0.001
    assert flags(found, Drift()) == {"x": False}
    assert flags(found, Drift(rule="significance")) == {"x": True}
