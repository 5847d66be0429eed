"""What can be bet on, and what is said where it cannot."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from data_builders import a_model, a_reference, features, make_columns
from driftgauge.config import ModelConfig
from driftgauge.estimate.bets import ESTIMATED, EVIDENCE, SIGNALS, Bets, counted, unknown
from driftgauge.estimate.evidence import TOLERANCE, jaccard
from driftgauge.reference import Reference

RNG = np.random.default_rng(20261130)


def reference(rows: int = 5000, *, learned: dict[str, Any] | None = None) -> Reference:
    """Return one with a score, two features, a constant one, and one that is often missing."""
    few = RNG.normal(size=rows)
    few[: rows // 2] = np.nan
    numbers = {"x": RNG.normal(size=rows), "y": RNG.normal(size=rows), "same": np.full(rows, 7.0), "few": few}
    found = a_reference(make_columns(rows, score=RNG.random(rows), numbers=numbers))
    return replace(found, learned={EVIDENCE: learned or counted(0, 0, (0, 0))})


def bets(*, of: Reference | None = None, computed: dict[str, float] | None = None, **settings: Any) -> Bets:
    """Return the bets of a model, of which this baseline was computed."""
    model = a_model(**settings)
    return Bets.of(model, of, {**(computed or {}), **(model.baseline or {})})


def test_columns_that_are_known_well_enough() -> None:
    """A column takes part with 5,000 values of which some differ."""
    found = bets(of=reference()).drifts
    assert {signal: each.bins.names for signal, each in found.items()} == {
        "prediction": ("\0output",),
        "inputs": ("x", "y"),
    }
    assert bets(of=reference(4999)).drifts == {}
    assert bets().marks == {}


@pytest.mark.parametrize(
    ("settings", "learned", "expected"),
    [
        ({}, counted(9000, 1000, (800, 200)), {"accuracy": 0.12, "f1": 1 - jaccard(8 / 9 - TOLERANCE)}),
        ({"baseline": {"accuracy": 0.8}}, counted(9000, 1000, (0, 0)), {"accuracy": 0.22}),
        ({"task": "multiclass"}, counted(9000, 1000, (800, 200)), {"accuracy": 0.12}),
        ({"task": "regression"}, counted(9000, 1000, (800, 200)), {}),
        ({}, counted(90, 10, (80, 20)), {}),
        ({"average": "binary", "baseline": {"f1": 0.8}}, counted(90, 10, (0, 0)), {"f1": 1 - jaccard(0.78)}),
        ({"average": "macro", "baseline": {"f1": 0.8}}, counted(90, 10, (0, 0)), {}),
        ({"signals": []}, counted(9000, 1000, (800, 200)), {}),
    ],
)
def test_falls(settings: dict[str, Any], learned: dict[str, Any], expected: dict[str, float]) -> None:
    """Accuracy and the positive class's F1 have a baseline that is given, or computed from enough rows."""
    computed = {} if settings.get("task") == "regression" else {"accuracy": 0.9}

    found = bets(of=reference(100, learned=learned), computed=computed, **settings).falls

    assert {signal: each.limit for signal, each in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hits", "misses", "bias", "settings", "limit"),
    [
        (9000, 1000, 0.001, {}, 0.12),
        (9000, 1000, 0.001, {"baseline": {"accuracy": 0.8}}, 0.22),
        # 1.96 standard errors are 0.0059.
        (9000, 1000, -0.015, {}, None),
        (500, 100, 0.0, {"baseline": {"accuracy": 0.9}}, None),
        (9000, 1000, 0.0, {"signals": ["evidence"]}, None),
    ],
)
def test_estimated_accuracy(hits: int, misses: int, bias: float, settings: dict[str, Any], limit: float | None) -> None:
    """An estimate has to be known within the tolerance, by its baseline and by the rows that it was learned from."""
    learned = reference(100, learned=counted(hits, misses, (0, 0)))
    estimator = {"estimate": {"dispersion": {}, "bias": {"accuracy": bias}}}
    of = replace(learned, learned={**learned.learned, **estimator})

    found = bets(of=of, computed={"accuracy": 0.9}, **settings).falls.get(ESTIMATED)

    assert (found and found.limit) == (limit and pytest.approx(limit))
    assert ESTIMATED not in bets(of=learned, computed={"accuracy": 0.9}, **settings).falls


def test_without_a_reference() -> None:
    """A baseline that is given is enough for accuracy."""
    assert tuple(bets(baseline={"accuracy": 0.9}).falls) == ("accuracy",)


def test_marks() -> None:
    """Bets have the same mark as long as they are about the same, also with fewer bits."""
    rows = features(x=RNG.normal(size=5000))
    one, same, other = a_reference(rows), a_reference(rows), a_reference(features(x=RNG.normal(size=5000)))
    model = a_model(baseline={"accuracy": 0.9})

    def marks(of: Reference, **options: Any) -> dict[str, str]:
        return Bets.of(model, of, model.baseline or {}, **options).marks

    assert marks(one) == marks(same) == marks(one, bits={"x": 16})
    assert marks(one)["inputs"] != marks(other)["inputs"]
    assert set(marks(one)) <= set(SIGNALS)


@pytest.mark.parametrize(
    ("model", "rows", "learned", "said"),
    [
        (a_model(), 5000, counted(9000, 1000, (800, 200)), "inputs ['same', 'few']"),
        (a_model(), 100, counted(9000, 1000, (800, 200)), "prediction: fewer than 5000 values"),
        (a_model(), 5000, counted(0, 0, (0, 0)), "accuracy, f1: no labels in the reference"),
        (a_model(), 5000, counted(80, 20, (8, 2)), "accuracy: 100 labels in the reference do not tell it"),
        (a_model(), 5000, counted(9000, 1000, (8, 2)), "f1: 10 rows of the positive class"),
    ],
)
def test_what_is_said(model: ModelConfig, rows: int, learned: dict[str, Any], said: str) -> None:
    """The reason names what cannot be bet on."""
    assert said in unknown(model, reference(rows), learned)


def test_nothing_is_said_where_all_is_known() -> None:
    """A large labelled reference leaves nothing out."""
    rows = features(x=RNG.normal(size=5000))
    assert unknown(a_model(), a_reference(rows), counted(9000, 1000, (800, 200))) == ""
    assert unknown(a_model(task="regression"), a_reference(rows), counted(0, 0, (0, 0))) == ""
