"""Estimates of a regression, from rows to numbers, against the rows and against NannyML's data."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from data_builders import a_model, make_columns
from driftgauge.aggregates.strata import StrataSums
from driftgauge.columns import Columns, FloatArray
from driftgauge.config import Drift, Limits, ModelConfig
from driftgauge.estimate.coding import LEARNED, Coding, coding_of, nothing_kept
from driftgauge.reference import Reference, compile_reference
from driftgauge.signals import Basis, FittedOnCodes, fit_all, learn_all
from driftgauge.signals.strata import FittedLabelledStrata, FittedStrata
from estimated_windows import Monitored, Said, monitored
from nannyml_data import data_set

MODEL: Final[ModelConfig] = a_model(task="regression")
CARS: Final = ("car_age", "km_driven", "price_new", "accident_count", "door_count")


def compiled(*chunks: Columns, whole: Reference | None = None, model: ModelConfig = MODEL) -> Reference:
    """Compile a reference with what is learned of it."""
    found = compile_reference(chunks, drift=Drift(), max_features=500, max_categories=200)
    return replace(found, learned=learn_all(chunks, found, model, whole))


def signals(reference: Reference) -> tuple[FittedStrata, FittedLabelledStrata]:
    """Return the two signals as they are fitted."""
    found = fit_all(Basis(MODEL, Limits(), reference))
    predictions, labelled = found["strata"], found["strata_outcomes"]
    assert isinstance(predictions, FittedStrata)
    assert isinstance(labelled, FittedLabelledStrata)
    return predictions, labelled


def rows_of(seed: int, rows: int = 3000, *, shift: float = 0.0, worse: float = 1.0, **more: Any) -> Columns:
    """Return labelled rows whose errors grow with `x` and are twice as large in one plan."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 10, rows)
    x = x[np.argsort(-x)] if shift else x
    x += shift
    plan = random.choice(["basic", "pro"], rows)
    predicted = 3 * x + random.normal(size=rows)
    label = predicted + worse * random.normal(size=rows) * (1 + x / 5) * np.where(plan == "pro", 2, 1)
    x[random.random(rows) < 0.03] = np.nan
    return make_columns(
        rows, predicted=predicted, label=label, numbers={"x": x}, categories={"plan": plan.tolist()}, **more
    )


def errors(rows: Columns) -> FloatArray:
    """Return absolute errors."""
    return np.asarray(np.abs(rows.predicted.to_numpy(zero_copy_only=False) - rows.label.to_numpy(zero_copy_only=False)))


def one(fitted: FittedStrata, rows: Columns) -> StrataSums:
    """Fold all rows."""
    (found,) = fitted.fold(rows, np.array([len(rows)]))
    return found


def estimated(fitted: FittedStrata, rows: Columns) -> dict[str, tuple[float, float | None]]:
    """Return value and standard error by metric."""
    found = fitted.estimates(one(fitted, rows), rows=len(rows), scored=False)
    return {metric: (each.value, each.stderr) for metric, each in found.items()}


def test_estimates_see_inputs_and_not_the_world() -> None:
    """A shift of inputs is expected with its errors; larger errors on the same inputs are not."""
    predictions, labelled = signals(compiled(rows_of(1, 20_000)))
    usual, shifted, worse = rows_of(2), rows_of(3, shift=4), rows_of(4, worse=1.5)

    for rows in (usual, worse):
        value, stderr = estimated(predictions, rows)["mae"]
        assert stderr is not None
        assert abs(value - errors(usual).mean()) < 3 * stderr
    assert estimated(predictions, shifted)["mae"][0] > 1.1 * estimated(predictions, usual)["mae"][0]
    value, stderr = estimated(labelled, worse)["mae"]
    assert stderr is not None
    assert (errors(worse).mean() - value) / stderr > 10


def test_groups() -> None:
    """Groups are counted each for itself, and add up to the whole; predictions know nothing of errors."""
    predictions, labelled = signals(compiled(rows_of(1)))
    rows = rows_of(2, 1000)
    strata = labelled.coding.strata(rows)
    parts = labelled.fold(rows, np.array([10, 400, 1000]))

    assert [part.rows for part in parts] == [10, 390, 600]
    assert parts[1].counts.tolist() == np.bincount(strata[10:400], minlength=len(parts[1].counts)).tolist()
    for row, power in enumerate((1, 2, 4)):
        sums = pd.Series(errors(rows)[400:] ** power).groupby(strata[400:]).sum()
        assert parts[2].losses[row, sums.index] == pytest.approx(sums.to_numpy(), rel=1e-12)
    assert StrataSums.combine(parts).counts.tolist() == one(predictions, rows).counts.tolist()
    assert not one(predictions, rows).losses.any()
    assert one(predictions, rows.take(np.arange(0))).rows == 0


def test_rows_that_come_back() -> None:
    """Late labels say the same as labels in the rows themselves, from the byte that was kept."""
    _, labelled = signals(compiled(rows_of(1)))
    rows = rows_of(2, 500)
    back = replace(rows, numbers={}, categories={}, codes=labelled.coding.kept(rows))
    direct, late = one(labelled, rows), one(labelled, back)

    assert late.to_state().keys() == direct.to_state().keys()
    assert late.counts.tolist() == direct.counts.tolist()
    assert late.losses.tolist() == direct.losses.tolist()
    assert (late.unknown, late.rows) == (0, 500)


def test_rows_of_no_known_stratum_leave_nothing_to_say() -> None:
    """One row without codes, and what is left would be a biased remainder."""
    _, labelled = signals(compiled(rows_of(1)))
    rows = rows_of(2, 500)
    back = replace(rows, numbers={}, categories={}, codes=labelled.coding.kept(rows))
    lost = replace(rows.take(np.arange(1)), numbers={}, categories={}, codes=nothing_kept(1))
    found = StrataSums.combine([one(labelled, back), one(labelled, lost)])

    assert (found.rows, found.known, found.unknown) == (501, 500, 1)
    assert labelled.estimates(found, rows=501, scored=False) == {}
    assert labelled.estimates(one(labelled, back), rows=501, scored=False) == {}


def test_only_late_labels_need_codes() -> None:
    """Predictions are counted with their features at hand."""
    predictions, labelled = signals(compiled(rows_of(1)))

    assert isinstance(labelled, FittedOnCodes)
    assert not isinstance(predictions, FittedOnCodes)
    assert predictions.fingerprint == labelled.fingerprint != signals(compiled(rows_of(5)))[0].fingerprint


def test_segments_have_the_tree_of_the_whole() -> None:
    """A segment's rows are in the strata of all rows, and what is expected there is scaled to the segment's own."""
    whole_rows = rows_of(1, 6000)
    whole = compiled(whole_rows)
    members = np.array([plan == "pro" for plan in whole_rows.categories["plan"].to_pylist()])
    part = compiled(whole_rows.take(members), whole=whole)
    predictions, labelled = signals(part)

    assert labelled.coding.fingerprint == coding_of(whole).fingerprint
    assert "tree" not in part.learned["strata"]
    assert LEARNED in part.learned
    known = whole_rows.take(members)
    assert estimated(predictions, known)["mae"][0] == pytest.approx(errors(known).mean(), rel=1e-9)


def test_features_that_are_not_logged() -> None:
    """Rows without a column that strata are made of have no stratum: a column that is not there is no missing value."""
    predictions, labelled = signals(compiled(rows_of(1)))
    rows = rows_of(2, 300)
    without = replace(rows, numbers={})

    assert estimated(predictions, replace(rows, numbers={"x": np.full(300, np.nan)})) != {}
    assert one(predictions, without).unknown == 300
    assert estimated(predictions, without) == {}
    back = replace(without, codes=labelled.coding.kept(without))
    assert one(labelled, back).unknown == 300
    assert labelled.coding.codes(back).tolist() == labelled.coding.codes(without).tolist()


SMALL: Final = rows_of(1, 499)
ODD: Final[Mapping[str, tuple[Columns, str]]] = {
    "few labels": (SMALL, "needs 500 labelled reference rows, but has 499"),
    "no labels": (make_columns(600, predicted=np.arange(600.0), numbers={"x": np.arange(600.0)}), "but has 0"),
    "no errors": (
        make_columns(600, predicted=np.arange(600.0), label=np.arange(600.0), numbers={"x": np.arange(600.0)}),
        "needs errors in the reference, but has none: the model makes nearly no errors",
    ),
    "errors beyond numbers": (
        make_columns(600, predicted=np.full(600, 1e200), label=np.full(600, -1e200), numbers={"x": np.arange(600.0)}),
        "but has 0",
    ),
}


@pytest.mark.parametrize(("rows", "reason"), ODD.values(), ids=ODD)
def test_nothing_to_learn(rows: Columns, reason: str) -> None:
    """Where a reference cannot be learned from, it is said why, and there is no signal."""
    found = compiled(rows)

    assert reason in found.learned["strata"]["reason"]
    assert {"strata", "strata_outcomes"}.isdisjoint(fit_all(Basis(MODEL, Limits(), found)))


def test_classes_have_no_strata() -> None:
    """A classifier has other estimates; nothing is said of it here."""
    rows = make_columns(600, predicted=["1", "0"] * 300, label=["1", "1"] * 300, numbers={"x": np.arange(600.0)})
    found = compiled(rows, model=a_model())

    assert found.learned["strata"] == {}
    assert {"strata", "strata_outcomes"}.isdisjoint(fit_all(Basis(a_model(), Limits(), found)))


def test_segments_with_few_labels() -> None:
    """A segment needs a hundred labelled rows, and a whole that has strata."""
    whole = compiled(rows_of(1))
    assert (
        "needs 100 labelled reference rows in the segment, but has 99"
        in (compiled(rows_of(1, 99), whole=whole).learned["strata"]["reason"])
    )
    assert "needs 500" in compiled(SMALL, whole=compiled(SMALL)).learned["strata"]["reason"]


def test_odd_columns() -> None:
    """Constant, missing and huge values neither raise nor give what is no number."""
    rows = rows_of(1, 700)
    rows = replace(
        rows,
        numbers={"constant": np.ones(700), "missing": np.full(700, np.nan), "huge": np.full(700, 1e308)},
        categories={},
    )
    predictions, _ = signals(compiled(rows))
    window = rows_of(2, 50)

    for values in (np.full(50, -np.inf), np.full(50, 1e300)):
        numbers = {"constant": values, "missing": values, "huge": values}
        found = estimated(predictions, replace(window, numbers=numbers, categories={}))
        assert set(found) == {"mae", "mse", "rmse"}
        assert np.isfinite([number for pair in found.values() for number in pair if number is not None]).all()


def test_a_reference_that_is_the_training_data_is_warned_of() -> None:
    """A model that explains all but a thousandth of its labels has seen them, or needs no watching."""
    rows = rows_of(1)
    good = replace(
        rows, label=make_columns(3000, label=rows.predicted.to_numpy() + 1e-3 * np.sin(np.arange(3000))).label
    )

    assert "nearly no errors" in compiled(good).learned["strata"]["warning"]
    assert "warning" not in compiled(rows).learned["strata"]


@cache
def cars() -> tuple[FittedStrata, FittedLabelledStrata, Columns, Columns]:
    """Return the signals for NannyML's regression data, its reference, and its labelled analysis."""
    data = data_set("regression")
    found = []
    for frame, labels in ((data.reference, data.reference), (data.analysis, data.labels)):
        found.append(
            make_columns(
                len(frame),
                predicted=frame["y_pred"].to_numpy(np.float64),
                label=labels["y_true"].to_numpy(np.float64),
                numbers={name: frame[name].to_numpy(np.float64) for name in CARS},
                categories={name: frame[name].tolist() for name in ("fuel", "transmission")},
            )
        )
    reference, analysis = found
    return *signals(compiled(reference)), reference, analysis


def test_as_nannyml_estimates() -> None:
    """MAE and RMSE of NannyML's first 30,000 rows are what its LightGBM says; 851.53 and 1067.17 came."""
    predictions, _, _, analysis = cars()
    found = estimated(predictions, analysis.span(slice(0, 30_000)))

    assert found["mae"][0] == pytest.approx(846.99, rel=0.01)
    assert found["rmse"][0] == pytest.approx(1060.09, rel=0.01)
    # What was measured, so that a change is seen.
    assert (found["mae"][0], found["rmse"][0]) == pytest.approx((846.4, 1059.1), abs=0.5)


def test_inputs_and_concept_of_cars() -> None:
    """The change of MAE in the second half: what inputs explain, what they do not, and its standard error."""
    _, labelled, reference, analysis = cars()
    later = analysis.span(slice(30_000, None))
    value, stderr = estimated(labelled, later)["mae"]
    before, after = errors(reference).mean(), errors(later).mean()
    assert stderr is not None

    assert after - before == pytest.approx(-147.908, abs=5e-4)
    assert value - before == pytest.approx(-150.268, abs=0.5)
    assert after - value == pytest.approx(2.361, abs=0.5)
    scatter = labelled.strata.dispersion["mae"]
    assert stderr / np.sqrt(scatter) == pytest.approx(4.533, abs=0.05)
    assert 1 <= scatter < 1.5


def test_no_worse_than_nannyml_chunk_by_chunk() -> None:
    """Of ten chunks, the estimates are off by less than NannyML's, 9.0 and 13.6, and inside their bounds."""
    predictions, _, _, analysis = cars()
    off, inside = [], []
    for start in range(0, 60_000, 6000):
        rows = analysis.span(slice(start, start + 6000))
        found = estimated(predictions, rows)
        came = {"mae": errors(rows).mean(), "rmse": np.sqrt(np.square(errors(rows)).mean())}
        off.append([abs(found[metric][0] - came[metric]) for metric in came])
        inside += [abs(found[metric][0] - came[metric]) < 1.96 * (found[metric][1] or 0) for metric in came]

    assert (np.mean(off, axis=0) < [9.0, 13.6]).all()
    assert np.mean(inside) >= 0.9


def test_coding_needs_a_tree_to_have_strata() -> None:
    """Without strata nobody may ask for them."""
    with pytest.raises(ValueError, match="no strata"):
        Coding(()).strata(rows_of(1, 3))


@cache
def watched() -> Monitored:
    """Return a regression with a reference, compiled as the exporter does."""
    return monitored(framed(rows_of(1, 4000)), task="regression")


def framed(rows: Columns) -> pd.DataFrame:
    """Return rows as they are in files."""
    values = {"prediction": rows.predicted.to_pylist(), "label": rows.label.to_pylist()}
    return pd.DataFrame(values | {"x": rows.numbers["x"], "plan": rows.categories["plan"].to_pylist()})


def said_of(rows: Columns) -> Said:
    """Return what is published of a window with these rows."""
    return watched().said(watched().pane(rows), watched().pane(rows, "labelled"))


def test_what_is_published() -> None:
    """Inputs and concept sum to the degradation of each error; the record is realised minus estimated; r2 has none."""
    found = said_of(rows_of(7, 2000, worse=1.3))

    assert set(found["model_estimated_performance"]) == {("mae",), ("mse",), ("rmse",)}
    for metric in ("mae", "mse", "rmse"):
        parts = [found["model_performance_change"][metric, part] for part in ("inputs", "concept")]
        assert sum(parts) == pytest.approx(found["model_performance_degradation"][metric,], abs=1e-12)
        bounds = [found["model_estimated_performance_bound"][metric, bound] for bound in ("lower", "upper")]
        assert bounds[0] < found["model_estimated_performance"][metric,] < bounds[1]
        assert found["model_concept_drift_zscore"][metric,] > 3
    realised = found["model_mean_absolute_error"][()]
    assert found["model_estimate_error"]["mae",] == pytest.approx(
        realised - found["model_estimated_performance"]["mae",], rel=1e-9
    )
    assert found["model_performance_change"]["mae", "concept"] == pytest.approx(0.3, abs=0.08)
    assert found["model_concept_drift_detected"] == {(): 1}


def test_a_shift_of_inputs_is_no_concept() -> None:
    """Larger errors that the inputs explain are estimated before the labels, and flagged by nobody after them."""
    rows = rows_of(8, 4000)
    hard = rows.take(np.flatnonzero(np.nan_to_num(rows.numbers["x"]) > 6))
    found = said_of(hard)

    assert found["model_estimated_degradation"]["mae",] > 0.2
    assert found["model_performance_change"]["mae", "inputs"] > 0.2
    assert found["model_concept_drift_detected"] == {(): 0}


def test_many_small_panes_lose_nothing() -> None:
    """A window of 300 panes says what one pane of all rows says, to 1e-12."""
    _, labelled = signals(compiled(rows_of(1)))
    rows = rows_of(2)
    parts = labelled.fold(rows, np.arange(10, 3001, 10))
    found = labelled.estimates(StrataSums.combine(parts), rows=3000, scored=False)

    for metric, estimate in labelled.estimates(one(labelled, rows), rows=3000, scored=False).items():
        assert found[metric].value == pytest.approx(estimate.value, rel=1e-12)
        assert found[metric].stderr == pytest.approx(estimate.stderr, rel=1e-9)
