"""Flags judged when a pane closes: which rows they see, and when they change."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from data_builders import MICROS, a_model, a_pane, a_reference, features
from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.samples import Sample
from driftgauge.snapshot import ModelState, SnapshotCache, model_samples
from driftgauge.snapshot.closing import last_closed, levels
from driftgauge.windows import PaneKey, Tiers

DAY = Window("24h", 86_400)
HOUR = Window("1h", 3_600)
WINDOWS, LIMITS = (HOUR, DAY), Limits()
# An hour begins here.
START = 1_767_607_200
RNG = np.random.default_rng(20261130)
REFERENCE = a_reference(features(x=RNG.normal(size=5000), y=RNG.normal(size=5000)))
FLAGS = ("model_feature_drift_detected", "model_drift_detected", "model_monitored_features", "model_drifted_features")


def pane(at: int, rows: int, shift: float = 0.0) -> dict[PaneKey, Pane]:
    """Return rows whose x has moved in a pane of two minutes, `at` seconds after START."""
    columns = features(x=RNG.normal(shift, size=rows), y=RNG.normal(size=rows))
    return {PaneKey("1", (START + at) // 120 * 120, 120): a_pane(columns, REFERENCE)}


def configured(known: dict[str, ModelConfig] = {}, **model: Any) -> ModelConfig:  # noqa: B006 - remembers
    """Return the same object for the same settings."""
    return known.setdefault(repr(model), a_model(**model))


def said(
    panes: Mapping[PaneKey, Pane], at: float, *, cache: SnapshotCache | None = None, window: str = "24h", **model: Any
) -> dict[str, float]:
    """Return the flags of x and of the model at some seconds after START, and x's distance."""
    config = configured(**({"drift": {"rule": "budget"}} | model))
    last = VersionTotals(last_prediction=START * MICROS)
    state = ModelState(config, reference=REFERENCE, predictions=panes, totals=Totals(versions={"1": last}))
    now = int((START + at) * MICROS)
    found = model_samples(state, windows=WINDOWS, limits=LIMITS, now=now, cache=cache)
    values = {
        " ".join([name, *sample.labels[3:]]): sample.value
        for name in (*FLAGS, "model_feature_ks_statistic")
        for sample in found.get(name, ())
        if isinstance(sample, Sample) and sample.labels[2] == window and sample.labels[3:] in ((), ("x",))
    }
    return {name.removeprefix("model_"): value for name, value in values.items()}


def flag(*arguments: Any, **options: Any) -> float | None:
    """Return the flag of x."""
    return said(*arguments, **options).get("feature_drift_detected x")


def test_rows_after_the_last_closed_pane_are_not_judged() -> None:
    """A shift in an hour that has not ended shows in the distance at once, and in the flag when the hour ends."""
    panes = {**pane(-1800, 500), **pane(600, 900, shift=2.0)}

    before, after = said(panes, 3599.9), said(panes, 3600)

    assert before["feature_ks_statistic x"] == after["feature_ks_statistic x"] > 0.4
    assert (before["feature_drift_detected x"], after["feature_drift_detected x"]) == (0, 1)
    assert (before["drift_detected"], after["drift_detected"]) == (0, 1)
    assert after["drifted_features"] == 1
    assert flag(panes, 719.9, window="1h") == 0
    assert flag(panes, 720, window="1h") == 1


def test_the_window_of_a_closed_pane_is_as_long_as_any() -> None:
    """What left the window when its last pane closed is not judged any more."""
    panes = {**pane(0, 500, shift=2.0), **pane(3600, 100)}

    assert flag(panes, 86_400 + 3599) == 1
    assert flag(panes, 86_400 + 3600) == 0


def test_late_rows() -> None:
    """Rows that come late into closed panes are judged at the next refresh: a flag follows from panes and time."""
    cache = SnapshotCache()
    panes = pane(-1800, 200)
    assert flag(panes, 60, cache=cache) == 0
    late = {**panes, **pane(-600, 500, shift=2.0)}
    assert flag(late, 90, cache=cache) == flag(late, 90) == 1


def test_a_young_version_and_few_rows() -> None:
    """Before the first pane closes nothing is judged, and below min_samples there is no flag."""
    assert "monitored_features" not in said(pane(60, 500), 3000)
    assert flag(pane(-1800, 49, shift=3.0), 0) is None
    assert said(pane(-1800, 49, shift=3.0), 0)["monitored_features"] == 0
    assert flag(pane(-1800, 50, shift=3.0), 0) == 1


@pytest.mark.parametrize(("per_year", "flagged"), [(1, 0), (100, 1)])
def test_the_budget(per_year: float, flagged: int) -> None:
    """A shift that is far but not sure enough for one false alarm a year is flagged where more are put up with."""
    values = REFERENCE.layout.grids["x"]
    rng = np.random.default_rng(7)
    columns = features(x=rng.normal(0.45, size=100), y=rng.normal(size=100))
    panes = {PaneKey("1", START - 1800, 120): a_pane(columns, REFERENCE)}

    assert values.cells
    assert flag(panes, 0, alarms={"per_year": per_year}) == flagged
    assert flag(panes, 0, drift={"rule": "effect"}) == 1


def test_levels() -> None:
    """The level of a window follows from how often its panes close."""
    assert levels((HOUR, DAY), 1) == pytest.approx({"1h": 120 / 31_536_000, "24h": 1 / 8760})
    assert last_closed(Tiers.of((HOUR, DAY)), DAY, (START + 3599) * MICROS) == START


def test_nothing_is_judged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a pane closes or late rows come, what was judged is not computed again."""
    from driftgauge.snapshot import samples  # noqa: PLC0415 - to be patched

    calls: list[object] = []
    original = samples.put_flags

    def counting(*arguments: Any) -> None:
        calls.append(arguments)
        original(*arguments)

    monkeypatch.setattr(samples, "put_flags", counting)
    cache, panes = SnapshotCache(), pane(-1800, 200)
    for at in (10, 20, 30):
        said(panes, at, cache=cache)
        panes = {**panes, **pane(at, 20)}
    assert len(calls) == 2, "once for each window"
    said({**panes, **pane(-600, 20)}, 40, cache=cache)
    assert len(calls) == 4, "late rows"
