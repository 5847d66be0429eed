"""Folding in pieces onto grids, against the plain computation on all rows: random data, every figure of the page.

What is random: shapes, ties, gaps and drift of the columns, categories and unseen ones, versions, how many rows there
are, and how they are cut into pieces. The plain computation is the oracle of the acceptance test.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from prometheus_client import parser

from data_builders import MICROS, a_model, a_reference, folded, make_columns
from driftgauge.aggregates.totals import Totals
from driftgauge.collector import render
from driftgauge.columns import Columns
from driftgauge.config import Limits, Window
from driftgauge.performance import metrics
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.rows import fold_predictions
from driftgauge.schema import Task
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import Basis, fit_all
from driftgauge.snapshot import ModelState, model_samples
from e2e.comparing import about_models, beyond_tolerance, deviations
from e2e.oracle import WINDOWS, Oracle, Series
from e2e.traffic import AT, CLASSES, DAY, HOUR, Floats, Traffic

SEEDS: Final = range(2)
NUMERIC: Final = ("a", "b", "c", "d")
CATEGORICAL: Final = ("x", "y")
# Totals that depend on files rather than rows, and identities from MLflow: not the fold's.
ELSEWHERE: Final = ("model_batches", "model_duplicate_batches", "model_files_", "model_last_", "model_info")


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_figure_is_that_of_the_plain_computation(task: Task, seed: int) -> None:
    """The same series come out, and each is scipy's, scikit-learn's or pandas' within the documented tolerances."""
    rng = np.random.default_rng([seed, len(task)])
    traffic = _traffic(rng, task)

    published = _published(rng, traffic)
    expected = Oracle(traffic, baseline={}).compute()

    assert sorted(map(str, expected.keys() ^ published.keys())) == []
    assert beyond_tolerance(deviations(published, expected)) == {}


def _traffic(rng: np.random.Generator, task: Task) -> Traffic:
    """Return random rows of up to nine days, each with its label or without one, and a reference."""
    shapes = [_shape(rng) for _ in NUMERIC]
    rows, known = int(rng.integers(100, 1_000)), int(rng.integers(50, 600))
    reference = _features(rng, known, shapes, drift=0.0).join(_outcomes(rng, known, task))
    frame = _features(rng, rows, shapes, drift=float(rng.choice([0.0, 0.3]))).join(_outcomes(rng, rows, task))
    moments = rng.choice([HOUR, DAY, 9 * DAY], 25) * rng.random(25)
    age = rng.choice(moments, rows)
    frame["time"] = (AT * 1000 - age * 1000).astype(np.int64)
    frame["version"] = rng.choice(["1", "2"], rows)
    frame["latency"] = rng.lognormal(-4, 1, rows)
    frame["failed"] = rng.random(rows) < rng.choice([0, 0.1])
    for name in ("predicted", "score", *(f"proba_{c}" for c in CLASSES)):
        if name in frame:
            frame[name] = frame[name].mask(frame["failed"])
    labelled = (rng.random(rows) < 0.8) & ~frame["failed"]
    frame["label_time"] = frame["time"].where(labelled)
    frame["label"] = frame["label"].where(labelled)
    return Traffic(
        model="churn",
        task=task,
        average="weighted",
        by_label_time=True,
        numeric=NUMERIC,
        categorical=CATEGORICAL,
        predictions=frame,
        reference=reference,
    )


def _shape(rng: np.random.Generator) -> Any:
    """Return a random way to draw values: smooth, heavy-tailed, with ties, or mostly zero."""
    scale, digits = rng.uniform(0.5, 50), int(rng.integers(0, 3))
    return rng.choice(
        np.array(
            [
                lambda n: rng.normal(3, 1, n) * scale,
                lambda n: rng.lognormal(0, 1, n) * scale,
                lambda n: rng.normal(3, 1, n).round(digits),
                lambda n: rng.poisson(2, n).astype(float),
                lambda n: np.where(rng.random(n) < 0.8, 0.0, rng.random(n)),
            ],
            dtype=object,
        )
    )


def _features(rng: np.random.Generator, rows: int, shapes: list[Any], *, drift: float) -> pd.DataFrame:
    gaps = rng.choice([0, 0.05, 0.5], len(NUMERIC))
    found: dict[str, Any] = {}
    for name, shape, gap in zip(NUMERIC, shapes, gaps, strict=True):
        values = shape(rows)
        found[name] = np.where(rng.random(rows) < gap, np.nan, values * (1 + drift) + drift)
    for name in CATEGORICAL:
        # With drift there are categories that the reference does not have.
        names = [f"{name}{n}" for n in range(int(rng.integers(2, 8)) + (5 if drift else 0))]
        values = pd.Series(rng.choice(names, rows), dtype=object)
        found[name] = values.mask(pd.Series(rng.random(rows) < rng.choice([0, 0.1])), None)
    return pd.DataFrame(found)


def _outcomes(rng: np.random.Generator, rows: int, task: Task) -> pd.DataFrame:
    """Return predictions and the labels they may get."""
    signal = rng.normal(size=rows)
    if task == "regression":
        return pd.DataFrame({"predicted": signal, "label": signal + rng.normal(0, 0.5, rows), "score": np.nan})
    if task == "binary":
        score = (1 / (1 + np.exp(-signal))).round(int(rng.integers(2, 9)))
        label = (rng.random(rows) < score).astype(int).astype(str)
        return pd.DataFrame({"score": score, "predicted": np.where(score >= 0.5, "1", "0"), "label": label})
    weights = np.exp(rng.normal(size=(rows, len(CLASSES))))
    shares = weights / weights.sum(axis=1, keepdims=True)
    frame = pd.DataFrame({f"proba_{name}": shares[:, at] for at, name in enumerate(CLASSES)})
    names = np.array(CLASSES, dtype=object)
    return frame.assign(predicted=names[shares.argmax(axis=1)], label=rng.choice(names, rows), score=np.nan)


def _published(rng: np.random.Generator, traffic: Traffic) -> Series:
    """Fold the rows piece by piece, in no order, and return what the page then says."""
    assert traffic.reference is not None
    model = a_model(task=traffic.task, average=traffic.average)
    windows, now = [Window(name, length) for name, length in WINDOWS.items()], AT * MICROS
    known = _columns(traffic, traffic.reference)
    reference = a_reference(known, model=model)
    baseline = metrics(folded(known), task=traffic.task, average=model.average)
    terms = Terms(model, windows, {ALL_ROWS: fit_all(Basis(model, Limits(), reference))}, now)
    pieces = rng.integers(0, 4, len(traffic.predictions))
    parts = [
        fold_predictions(_columns(traffic, piece, version=str(version)), terms, origin=("", ""))
        for (_, version), piece in traffic.predictions.groupby([pieces, "version"])
    ]
    delta = Delta.combine([Delta.combine(parts[:3]), *parts[3:]])
    totals = Totals.combine([delta.totals, delta.answers])
    state = ModelState(model, reference, baseline, totals, delta.predictions, delta.outcomes)
    page = render(model_samples(state, windows=windows, limits=Limits(), now=now))
    text = page.text.plain.decode()
    found = about_models(parser.text_string_to_metric_families(text))
    return {key: value for key, value in found.items() if not key[0].startswith(ELSEWHERE)}


def _columns(traffic: Traffic, frame: pd.DataFrame, *, version: str = "1") -> Columns:
    """Return rows as decoding delivers them."""
    numeric = traffic.task == "regression"
    given: dict[str, Any] = {name: frame[name].to_numpy() for name in ("latency", "failed") if name in frame}
    if "time" in frame:
        given["time"] = frame["time"].to_numpy() * 1000
    return make_columns(
        len(frame),
        version=version,
        predicted=_outcome(frame["predicted"], numeric=numeric),
        label=_outcome(frame["label"], numeric=numeric),
        score=frame["score"].to_numpy(),
        class_scores={name: frame[f"proba_{name}"].to_numpy() for name in CLASSES if f"proba_{name}" in frame},
        numbers={name: frame[name].to_numpy() for name in traffic.numeric},
        categories={name: _text(frame[name]) for name in traffic.categorical},
        **given,
    )


def _outcome(column: pd.Series, *, numeric: bool) -> Floats | list[str | None]:
    return column.to_numpy(dtype=np.float64) if numeric else _text(column)


def _text(column: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in column]
