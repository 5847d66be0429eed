"""Columns compared in workers, where the interpreter is not the one that answers scrapes."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog

from driftgauge.aggregates.distribution import Distribution
from driftgauge.distances import Measured, measured
from driftgauge.edges import NumericColumn
from driftgauge.errors import BatchError
from driftgauge.pipeline.heap import keep_some
from driftgauge.pipeline.workers import Workers

# Fewer cells are compared in less time than it takes to hand them over.
_FEW_CELLS: Final = 50_000
_LONGEST: Final = 60.0
_log = structlog.get_logger("driftgauge.pipeline")


def measured_in(
    workers: Workers, columns: Sequence[NumericColumn], windows: Sequence[tuple[Distribution, ...]]
) -> Measured:
    """Return what `measured` does, computed in a worker if it is much; if none can, in this process."""
    cells = {id(part): len(part.cells) for parts in windows for part in parts}
    if sum(cells.values()) > _FEW_CELLS:
        try:
            return workers.call(partial(_measured, columns), windows, within=_LONGEST)
        except BatchError as error:
            _log.warning("columns not compared in a worker, but in the exporter", error=str(error))
    return measured(columns, windows)


def _measured(columns: Sequence[NumericColumn], windows: Sequence[tuple[Distribution, ...]]) -> Measured:
    keep_some()
    return measured(columns, windows)
