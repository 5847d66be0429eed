"""Averages over classes against scikit-learn, and their standard errors against numbers and differences."""

from typing import Any, Final, get_args

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from driftgauge.estimate.averages import SLOPES, Table
from driftgauge.schema import Average

MATRIX: Final = np.array([[50, 5, 5], [8, 30, 2], [3, 7, 40]])
UNSEEN: Final = np.array([[12, 0, 3], [4, 0, 1], [0, 0, 9]])


def pairs(matrix: np.ndarray) -> dict[tuple[str, str], int]:
    """Return the occupied cells of a matrix by names of classes, of which the second is 1."""
    names = "012"
    return {(names[at], names[to]): int(count) for (at, to), count in np.ndenumerate(matrix) if count}


def test_macro_f1_of_the_prototype() -> None:
    """Value and standard error are the digits that were found outside the product."""
    value, error = Table.of(pairs(MATRIX)).averaged("f1", "macro")

    assert (round(value, 9), round(error, 6)) == (0.794298622, 0.03343)


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("average", [one for one in get_args(Average) if one != "micro"])
@pytest.mark.parametrize("matrix", [MATRIX, UNSEEN], ids=["all classes", "one is never predicted"])
@pytest.mark.parametrize("added", [0.0, 0.43])
def test_errors_by_differences(name: str, average: Any, matrix: np.ndarray, added: float) -> None:
    """The average is scikit-learn's, and its error what moving each cell a little gives."""
    full = matrix + added
    at = ["precision", "recall", "f1"].index(name)

    def value(counts: np.ndarray) -> float:
        true, found = (side.ravel() for side in np.indices(counts.shape))
        labels = [1] if average == "binary" else [0, 1, 2]
        how = "macro" if average == "binary" else average
        options = {"labels": labels, "average": how, "zero_division": 0, "sample_weight": counts.ravel()}
        return float(precision_recall_fscore_support(true, found, **options)[at])

    step = 1e-5
    variance = 0.0
    for cell, count in np.ndenumerate(full):
        moved = full.astype(float)
        moved[cell] += step
        low = full.astype(float)
        low[cell] -= step if count else 0
        if count:
            variance += count * ((value(moved) - value(low)) / (2 * step)) ** 2

    got, error = Table.of(pairs(matrix)).averaged(name, average, added=added)

    assert got == pytest.approx(value(full), rel=1e-9)
    assert error == pytest.approx(np.sqrt(variance), rel=1e-5, abs=1e-9)


def test_macro_f1_of_a_bootstrap() -> None:
    """The standard error is near the deviation of the metric over tables drawn again."""
    rng = np.random.default_rng(41)
    drawn = rng.multinomial(MATRIX.sum(), (MATRIX / MATRIX.sum()).ravel(), 2000).reshape(-1, 3, 3)
    hits = drawn.diagonal(axis1=1, axis2=2)
    values = (2 * hits / (drawn.sum(axis=1) + drawn.sum(axis=2))).mean(axis=1)

    assert Table.of(pairs(MATRIX)).averaged("f1", "macro")[1] == pytest.approx(values.std(), rel=0.06)
