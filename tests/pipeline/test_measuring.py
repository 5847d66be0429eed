"""Columns measured in workers: the same figures as in this process, whatever becomes of the workers."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from data_builders import a_reference, counted, features
from driftgauge.aggregates.distribution import Distribution
from driftgauge.columns import Columns
from driftgauge.distances import Measured, NumericColumn, measured
from driftgauge.drift import compare
from driftgauge.pipeline import measuring
from driftgauge.pipeline.measuring import Measuring
from driftgauge.pipeline.workers import Workers
from driftgauge.reference import Reference

RNG = np.random.default_rng(4)
HERE = os.getpid()

Model = tuple[Reference, list[Distribution]]


@dataclass(frozen=True)
class Measure:
    """Measures where it may: in the process of the tests (`here`), and in others unless these die of it."""

    here: bool = True
    dies: bool = False
    tests: int = HERE

    def __call__(self, columns: Sequence[NumericColumn]) -> list[list[Measured]]:
        """Return what is measured."""
        if self.dies and os.getpid() != self.tests:
            os.kill(os.getpid(), signal.SIGKILL)
        assert self.here == (os.getpid() == self.tests)
        return measured(columns)


@pytest.fixture(scope="module")
def model() -> Model:
    """Return a reference with more columns than go to a worker together, and two windows."""

    def rows(count: int) -> Columns:
        numbers = {f"x{n}": RNG.normal(n % 3, 1, count).round(n % 5) for n in range(90)}
        return features(**numbers, city=[str(n % 4) for n in range(count)])

    reference = a_reference(rows(3000))
    return reference, [counted(reference, rows(size)) for size in (40, 700)]


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Yield two workers, not started yet."""
    pool = Workers(2, max_bytes=1 << 20)
    yield pool
    pool.close()


@pytest.mark.parametrize("where", [Measure(here=False), Measure(dies=True)], ids=["all is well", "workers die"])
def test_the_same_is_found(where: Measure, model: Model, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every column and window, in order; in the workers, and here what they do not survive."""
    monkeypatch.setattr(measuring, "measured", where)
    with Measuring(workers) as measure:
        found = compare(*model, measure=measure)

    assert found == compare(*model)
    assert [len(window) for window in found] == [91, 91]


def test_few_columns_stay_here(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes less time than handing it over does not go to a worker."""
    monkeypatch.setattr(measuring, "measured", Measure())
    reference = a_reference(features(x=RNG.normal(size=100)))
    windows = [counted(reference, features(x=RNG.normal(size=50)))] * 3
    with Measuring(workers) as measure:
        assert compare(reference, windows, measure=measure) == compare(reference, windows)
