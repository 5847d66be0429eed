"""A small part of the tables of false alarms over many looks (`make looks`), and that these flags are published."""

import numpy as np
import pytest

from benchmarks.looks import (
    LIMITS,
    NAMES,
    RULES,
    START,
    WINDOWS,
    Watched,
    a_stream,
    accuracy,
    until_alarm,
    without_change,
)
from data_builders import MICROS, a_model
from driftgauge.samples import Sample
from driftgauge.snapshot import ModelState, model_samples


def test_without_a_change() -> None:
    """In a stream in which the plain rule alarms, as it does in each in time, neither budget nor evidence does."""
    found = without_change(100, streams=[93], looks=40)

    assert {name for name, (streams, _, _) in found.items() if streams} == {"`significance`"}


def test_a_change_is_found() -> None:
    """A column that has moved by a deviation is found by every rule, soonest by evidence."""
    panes = until_alarm(100, 1.0, streams=1, longest=10)

    assert max(panes.values()) < 10
    assert panes["evidence, A = 8,760"] <= 2 < panes["`effect`"]


@pytest.mark.parametrize(("true", "streams"), [(0.9, 0), (0.8, 2)])
def test_accuracy(true: float, streams: int) -> None:
    """A fall by ten points is evidence within hours; no fall is none."""
    alarmed, panes = accuracy(true, streams=2, looks=60)

    assert alarmed == streams
    assert (panes < 10) == (streams > 0)


def test_it_is_what_is_published() -> None:
    """The flags of the tables are those that a snapshot has when the hour closes, by every rule."""
    reference, _ = a_stream(0, 100)
    _, moved = a_stream(0, 100, 0.5)
    watched = Watched(reference)
    for hour in range(13):
        look = watched.sees(hour, next(moved))
        if hour % 4:
            continue
        for rule, settings in RULES.items():
            state = ModelState(a_model(**settings), reference, {}, watched.state.totals, watched.state.predictions)
            now = (START + (hour + 1) * 3600) * MICROS
            samples = model_samples(state, windows=WINDOWS, limits=LIMITS, now=now)["model_feature_drift_detected"]
            flagged = {sample.labels[-1] for sample in samples if isinstance(sample, Sample) and sample.value}
            assert flagged == look[rule], rule
    assert all(look[rule] for rule in RULES)


def test_every_rule_has_a_row() -> None:
    """Flags and evidence are in one table."""
    assert len(NAMES) == len(set(NAMES)) == len(RULES) + 2
    assert np.isfinite(START)
