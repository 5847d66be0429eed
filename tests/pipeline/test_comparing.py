"""Columns compared in workers: the same figures, and never a refresh that fails for it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import structlog

from data_builders import a_reference, counted, features
from driftgauge.aggregates.distribution import Distribution
from driftgauge.distances import Measured, measured
from driftgauge.edges import NumericColumn
from driftgauge.errors import Stopped
from driftgauge.grid import NumericGrid
from driftgauge.pipeline import comparing
from driftgauge.pipeline.comparing import Comparison
from driftgauge.pipeline.sharing import share
from driftgauge.pipeline.workers import Workers
from driftgauge.reference import NumericProfile

Windows = list[tuple[Distribution, ...]]


class Refusing(Workers):
    """Workers that must not be asked."""

    def call(self, *_: Any, **__: Any) -> Any:
        """Refuse."""
        pytest.fail("asked a worker")


class Asked(Workers):
    """Workers that do something of the test's before they answer."""

    before: Callable[[], None]

    def call(self, *given: Any, **named: Any) -> Any:
        """Answer as workers do."""
        self.before()
        return super().call(*given, **named)


@pytest.fixture
def workers() -> Iterator[Asked]:
    """Yield one worker."""
    pool = Asked(1, max_bytes=1 << 20)
    pool.before = lambda: None
    yield pool
    pool.close()


def a_task() -> tuple[list[NumericColumn], Windows]:
    """Return columns, and windows of which one is the sum of the others' parts."""
    rng = np.random.default_rng(1)

    def rows(count: int) -> Any:
        return features(**{name: rng.normal(size=count) for name in ("x", "y")})

    reference = share(a_reference(rows(5000)))
    columns = [
        NumericColumn(grid.points, reference.layout.offsets[name], profile)
        for name, grid in reference.layout.grids.items()
        if isinstance(grid, NumericGrid) and isinstance(profile := reference.profiles[name], NumericProfile)
    ]
    parts = [counted(reference, rows(count)) for count in (300, 2000)]
    return columns, [(parts[0],), (parts[0], parts[1])]


def alike(found: Measured, expected: Measured) -> bool:
    """Tell whether all figures are equal."""
    same = all(np.array_equal(found.statistics[name], of) for name, of in expected.statistics.items())
    names = ("rows", "outliers", "windows", "columns", "counted", "below", "upto")
    return same and all(np.array_equal(getattr(found, name), getattr(expected, name)) for name in names)


def in_turn(comparison: Comparison, columns: list[NumericColumn], windows: Windows) -> Measured:
    """Compare as a thread whose turn it is; one that waits for itself fails the test."""
    found: list[Measured | BaseException] = []

    def work() -> None:
        try:
            with comparison.turn:
                found.append(comparison.measured(columns, windows))
                assert comparison.turn.locked()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that asked
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    if isinstance(found[-1], BaseException):
        raise found[-1]
    return found[-1]


def comparison_of(workers: Workers) -> Comparison:
    """Return a comparison of an exporter that goes on."""
    return Comparison(workers, give_up_if_stopping=lambda: None)


def test_a_worker_finds_the_same(workers: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Much is compared in a worker, with the same figures to the last bit."""
    columns, windows = a_task()
    expected = measured(columns, windows)
    monkeypatch.setattr(comparing, "_FEW_CELLS", 0)
    asked: list[bool] = []
    workers.before = lambda: asked.append(True)

    with structlog.testing.capture_logs() as logs:
        found = in_turn(comparison_of(workers), columns, windows)

    assert alike(found, expected)
    assert (asked, logs) == ([True], [])


def test_meanwhile_others_take_their_turn(workers: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a worker computes, the next model can be prepared."""
    columns, windows = a_task()
    monkeypatch.setattr(comparing, "_FEW_CELLS", 0)
    comparison, free = comparison_of(workers), []
    workers.before = lambda: free.append(not comparison.turn.locked())

    in_turn(comparison, columns, windows)

    assert free == [True]


@pytest.mark.parametrize("limit", ["_FEW_CELLS", "_MANY_CELLS"])
def test_little_and_very_much_stay_here(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs more to hand over than to compare is compared in the exporter, as is what is too large for that."""
    columns, windows = a_task()
    cells = sum(len(part.cells) for part in windows[1])
    monkeypatch.setattr(comparing, "_FEW_CELLS", 0)
    monkeypatch.setattr(comparing, limit, cells + 1 if limit == "_FEW_CELLS" else cells - 1)

    assert alike(in_turn(comparison_of(Refusing(1, max_bytes=1 << 20)), columns, windows), measured(columns, windows))


def test_without_a_worker_it_is_done_here(workers: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the machine kills a worker the figures are there all the same, and the log says so."""
    columns, windows = a_task()
    monkeypatch.setattr(comparing, "_FEW_CELLS", 0)
    workers.close()

    with structlog.testing.capture_logs() as logs:
        found = in_turn(comparison_of(workers), columns, windows)

    assert alike(found, measured(columns, windows))
    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "columns not compared in a worker, but in the exporter")
    ]


def test_workers_that_went_with_the_exporter(workers: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the exporter stops, nothing more is compared and nobody is warned."""
    columns, windows = a_task()
    monkeypatch.setattr(comparing, "_FEW_CELLS", 0)
    monkeypatch.setattr(comparing, "measured", lambda *_: pytest.fail("compared in the exporter"))
    workers.close()

    def stopping() -> None:
        raise Stopped("stopping")

    with structlog.testing.capture_logs() as logs, pytest.raises(Stopped):
        in_turn(Comparison(workers, give_up_if_stopping=stopping), columns, windows)

    assert logs == []
