"""Features of live rows and of the reference."""

from typing import Any

import numpy as np
import pytest

from driftgauge.inspection.comparing import compare
from inspection.files import facts, parquet

RNG = np.random.default_rng(1)
AGES = RNG.normal(40, 10, 400)
CELSIUS = RNG.normal(20, 5, 400)


def lines_of(live: Any, reference: Any) -> tuple[str, ...]:
    """Return what is said of a feature with these values."""
    ours = facts(parquet(feature_x=live, prediction=np.ones(len(live))), "p.parquet")
    theirs = facts(parquet(feature_x=reference), "r.parquet", role="reference")
    return compare(ours, theirs, "r.parquet").lines


@pytest.mark.parametrize(
    ("live", "reference", "said"),
    [
        (AGES * 1000, AGES, "1,000 times larger"),
        (AGES / 100, AGES, "100 times smaller"),
        (CELSIUS * 1.8 + 32, CELSIUS, "in °F and the reference °C"),
        (CELSIUS, CELSIUS * 1.8 + 32, "in °C and the reference °F"),
        (["A", "B"] * 20, ["a", "b"] * 20, 'has 0% of live rows in categories of the reference: live rows have "A"'),
        (["a", "b"] * 20, AGES, "is categorical in live rows and numeric in the reference"),
    ],
)
def test_what_does_not_fit_is_said(live: Any, reference: Any, said: str) -> None:
    """Units by the middle and the spread together, categories by their share, kinds by the values."""
    (line,) = lines_of(live, reference)

    assert said in line


@pytest.mark.parametrize(
    ("live", "reference"),
    [
        (AGES + 3, AGES),
        (AGES * 1.5, AGES),
        (AGES * 30, AGES),
        (CELSIUS + 12, CELSIUS),
        (RNG.normal(20, 5, 400), CELSIUS),
        (["a", "b"] * 20, ["b", "a", "c"] * 20),
        (np.zeros(400), AGES),
        # Many rare categories: a fifth of the rows are of new ones, as is to be expected.
        ([f"shop {at}" for at in RNG.integers(0, 500, 300)], [f"shop {at}" for at in RNG.integers(0, 500, 800)]),
        ([f"shop {at}" for at in range(3000)], [f"shop {at}" for at in range(3000, 6000)]),
        ([5000.0], AGES),
    ],
)
def test_ordinary_drift_is_no_other_unit(live: Any, reference: Any) -> None:
    """A shift or another spread alone, and too few values, say nothing about units."""
    assert lines_of(live, reference) == ()


def test_a_plain_reference_with_prediction_and_label() -> None:
    """Its columns that play a role are no features that live rows would lack."""
    live = facts([{"prediction": 1, "features": {"age": 3}}], kinds={"age": "numeric"})
    reference = facts([{"age": 3, "prediction": 1, "label": 0, "id": "a"}], "r.jsonl", role="reference")
    found = compare(live, reference, "r.jsonl")

    assert (found.features, found.in_both, found.only_live, found.only_reference) == (1, 1, (), ())


def test_names() -> None:
    """Names on one side only are listed, and those that look alike are paired."""
    live = facts([{"prediction": 1, "features": {"Age": 3, "plan": "A", "host": 1}}])
    reference = facts([{"age": 3, "plan": "A", "income": 4}], "r.jsonl", role="reference")
    found = compare(live, reference, "r.jsonl")

    assert (found.in_both, found.only_live, found.only_reference) == (1, ("Age", "host"), ("age", "income"))
    assert found.lines == ('"age" of the reference may be "Age" of live rows: give them one name',)
