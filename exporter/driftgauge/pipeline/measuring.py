"""Numeric columns measured in workers, on all processors, and not by the interpreter that answers scrapes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Final, Self

from driftgauge.distances import Measured, NumericColumn, measured
from driftgauge.errors import BatchError
from driftgauge.pipeline.workers import Workers

# So many columns go to a worker at most: they are copied, with 250 kB of a reference each.
_TOGETHER: Final = 32
# Fewer, counted in every window, are measured here in less time than it takes to hand them over.
_FEW: Final = 40
# A second would do, unless the worker hangs.
_LONGEST: Final = 60.0


class Measuring:
    """A `drift.Measure` that any number of threads may call; without `workers` it measures in this process."""

    def __init__(self, workers: Workers | None) -> None:
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers.count if workers else 1, thread_name_prefix="measure")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is being measured."""
        self._threads.shutdown()

    def __call__(self, columns: Sequence[NumericColumn]) -> list[list[Measured]]:
        """Return what `distances.measured` does."""
        if self._workers is None or sum(len(column.windows) for column in columns) < _FEW:
            return measured(columns)
        each = min(-(-len(columns) // self._workers.count), _TOGETHER)
        parts = [columns[at : at + each] for at in range(0, len(columns), each)]
        return list(chain.from_iterable(self._threads.map(partial(_measured, self._workers), parts)))


def _measured(workers: Workers, columns: Sequence[NumericColumn]) -> list[list[Measured]]:
    try:
        return workers.call(measured, columns, within=_LONGEST)
    except BatchError:
        # The worker did not survive. Columns are sums that were counted here, so it was no fault of theirs.
        return measured(columns)
