"""The uncertainty of an area under the curve against all pairs, scikit-learn and numbers of an outside prototype."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from driftgauge.estimate.areas import area_interval, delong, newcombe


def in_cells(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Count negatives and positives (k, 2) at each distinct score."""
    _, at = np.unique(scores, return_inverse=True)
    return np.array([np.bincount(at[~positive], minlength=at.max() + 1), np.bincount(at, positive)]).T.astype(np.int64)


def drawn(seed: int, rows: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rounded scores, so that there are ties, and which rows are positive."""
    rng = np.random.RandomState(seed)
    positive = rng.rand(rows) < 0.3
    return np.round(rng.randn(rows) + apart * positive, 1), positive


def test_delong_of_the_prototype() -> None:
    """Area and standard error are the digits that were found outside the product."""
    area, error = delong(in_cells(*drawn(0, 300, 1.2))) or (0, 0)

    assert (round(area, 9), round(error, 9)) == (0.840761206, 0.025678435)


@pytest.mark.parametrize(("seed", "rows", "apart"), [(11, 40, 0.5), (12, 300, 1.5), (13, 1000, -0.4)])
def test_delong_of_all_pairs(seed: int, rows: int, apart: float) -> None:
    """Counting in cells gives what all pairs of a positive and a negative give, and the area is scikit-learn's."""
    scores, positive = drawn(seed, rows, apart)
    gaps = scores[positive][:, None] - scores[~positive][None, :]
    wins = (gaps > 0) + 0.5 * (gaps == 0)
    of_positives, of_negatives = wins.mean(axis=1), wins.mean(axis=0)
    variance = of_positives.var(ddof=1) / len(of_positives) + of_negatives.var(ddof=1) / len(of_negatives)

    area, error = delong(in_cells(scores, positive)) or (0, 0)

    assert area == pytest.approx(roc_auc_score(positive, scores), rel=1e-12)
    assert error == pytest.approx(np.sqrt(variance), rel=1e-10)


def test_delong_of_a_bootstrap() -> None:
    """The standard error is near the deviation of areas of rows drawn again."""
    scores, positive = drawn(21, 400, 0.8)
    rng = np.random.default_rng(22)
    areas = []
    for _ in range(300):
        rows = rng.integers(0, len(scores), len(scores))
        areas.append(roc_auc_score(positive[rows], scores[rows]))
    assert (delong(in_cells(scores, positive)) or (0, 0))[1] == pytest.approx(np.std(areas), rel=0.12)


@pytest.mark.parametrize(
    ("area", "negatives", "positives", "expected"),
    [(1.0, 25, 25, (0.919271, 1.0)), (0.9, 80, 20, (0.788252, 0.953629)), (0.0, 25, 25, (0.0, 0.080729))],
)
def test_newcombe(area: float, negatives: int, positives: int, expected: tuple[float, float]) -> None:
    """The ends are the digits that were found outside the product, and 1 - area mirrors them."""
    assert tuple(round(end, 6) for end in newcombe(area, negatives, positives)) == expected


def test_ends_of_newcombe_solve_its_equation() -> None:
    """Each end is 1.96 of its own standard errors away from the area, by the formula as it is printed."""
    for end in newcombe(0.75, 30, 12):
        star = (30 + 12) / 2
        variance = end * (1 - end) * (1 + (star - 1) * (1 - end) / (2 - end) + (star - 1) * end / (1 + end)) / (30 * 12)
        assert abs(end - 0.75) / np.sqrt(variance) == pytest.approx(1.959964, rel=1e-6)


def test_which_of_both() -> None:
    """With many rows it is DeLong's on the logit; with few rows, or near 1, the wider one."""
    many, few = in_cells(*drawn(31, 3000, 1.0)), in_cells(*drawn(32, 60, 1.0))
    area, error, (lower, upper) = area_interval(many) or (0, 0, (0, 0))
    half = 1.959963984540054 * error / (area * (1 - area))
    assert np.log(upper / (1 - upper)) - np.log(lower / (1 - lower)) == pytest.approx(2 * half)
    assert np.log(area / (1 - area)) == pytest.approx(np.log(lower / (1 - lower)) + half)

    area, _, ends = area_interval(few) or (0, 0, (0, 0))
    negatives, positives = few.sum(axis=0)
    by_size = newcombe(area, negatives, positives)
    assert ends[1] - ends[0] >= by_size[1] - by_size[0]


@pytest.mark.parametrize(
    ("description", "counts", "expected"),
    [
        ("one group", [[3, 0], [2, 0]], None),
        ("no rows", np.zeros((0, 2), np.int64), None),
        ("apart", [[25, 0], [0, 25]], newcombe(1.0, 25, 25)),
        ("the wrong way round", [[0, 200], [200, 0]], newcombe(0.0, 200, 200)),
        ("one positive", [[5, 0], [0, 1], [4, 0]], newcombe(5 / 9, 9, 1)),
    ],
)
def test_ends_of_the_range(description: str, counts: list[list[int]], expected: tuple[float, float] | None) -> None:
    """Where DeLong's variance is none, the sizes decide; with one group there is no area."""
    found = area_interval(np.array(counts))

    assert (found and found[2]) == expected, description
    assert found is None or found[1] > 0
