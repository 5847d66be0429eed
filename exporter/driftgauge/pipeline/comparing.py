"""Columns of many models compared in workers, so that all processors have something to do."""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Final

import structlog

from driftgauge.aggregates.distribution import Distribution
from driftgauge.distances import Measured, measured
from driftgauge.edges import NumericColumn
from driftgauge.errors import BatchError
from driftgauge.pipeline.workers import Workers

# Fewer cells are compared in less time than it takes to hand them over, and more would take a worker too much memory.
_FEW_CELLS: Final = 50_000
_MANY_CELLS: Final = 2_000_000
_LONGEST: Final = 60.0
_log = structlog.get_logger("driftgauge.pipeline")


class Comparison:
    """Compares columns for several threads; whatever else these do of a model they do in turn, while they hold `turn`.

    So there is never more than one that competes for the interpreter with the one that answers scrapes.
    """

    def __init__(self, workers: Workers, *, give_up_if_stopping: Callable[[], None]) -> None:
        self._workers = workers
        self._give_up_if_stopping = give_up_if_stopping
        self.turn: Final = Lock()

    def measured(self, columns: Sequence[NumericColumn], windows: Sequence[tuple[Distribution, ...]]) -> Measured:
        """Return what `distances.measured` does, to the thread whose turn it is; meanwhile it may be another's.

        Raises Stopped when the workers have gone because the exporter stops.
        """
        cells = sum({id(part): len(part.cells) for parts in windows for part in parts}.values())
        if _FEW_CELLS <= cells <= _MANY_CELLS:
            self.turn.release()
            try:
                return self._workers.call(partial(measured, columns), windows, within=_LONGEST)
            except BatchError as error:
                self._give_up_if_stopping()
                _log.warning("columns not compared in a worker, but in the exporter", reason=error.reason)
            finally:
                self.turn.acquire()
        return measured(columns, windows)
