"""What evidence learns of labelled rows."""

from typing import Any

import pytest

from data_builders import a_model, a_reference, make_columns
from driftgauge.columns import Columns
from driftgauge.config import Limits
from driftgauge.signals import SIGNALS, Basis, fit_all, learn_all


def learned(*chunks: Columns, **settings: Any) -> dict[str, Any]:
    """Return what the signal learns of a reference in these chunks."""
    found = learn_all(chunks, a_reference(chunks[0]), a_model(**settings))
    return {key: value for key, value in found["evidence"].items() if key != "reason"}


def rows(label: list[str | None], predicted: list[str | None]) -> Columns:
    """Return labelled rows."""
    return make_columns(len(label), label=label, predicted=predicted, score=[0.5] * len(label))


def test_counts() -> None:
    """Right and wrong, of all and of the positive class; rows without a label or a prediction do not count."""
    first = rows(["1", "1", "0", "0", None], ["1", "0", "1", "0", "1"])
    second = rows(["1", "0", "0"], ["1", "0", None])

    assert learned(first, second) == {"hits": 4, "misses": 2, "good": 2, "bad": 2}


@pytest.mark.parametrize("task", ["multiclass", "binary"])
def test_classes(task: str) -> None:
    """Of many classes those that agree are right."""
    assert learned(rows(["a", "b", "c"], ["a", "c", "c"]), task=task) == {"hits": 2, "misses": 1, "good": 0, "bad": 0}


def test_regression() -> None:
    """Errors of numbers are not right or wrong."""
    found = learned(make_columns(2, score=[1.0, 2.0]), task="regression")
    assert found == {"hits": 0, "misses": 0, "good": 0, "bad": 0}


def test_it_folds_nothing() -> None:
    """It bets on what other signals fold, and can be switched off."""
    chunk = rows(["1"] * 3, ["1"] * 3)
    assert "evidence" in SIGNALS
    assert "evidence" not in fit_all(Basis(a_model(), Limits(), a_reference(chunk)))
    assert "evidence" not in learn_all([chunk], a_reference(chunk), a_model(signals=["latency"]))
