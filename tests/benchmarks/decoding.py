"""B3: decoding and folding a file of a million rows x 20 floats, JSON lines with nested features and Parquet.

Against parsing the same file alone, with pyarrow and with polars; the faster of both is the reference. Both use all
cores. Ours runs twice: in this process, and as deployed, in a worker process that hands its result back.
"""

import statistics as medians
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from driftgauge.feed import Piece
from driftgauge.openers import LocalFile
from driftgauge.pipeline.delta import Signals
from driftgauge.pipeline.executor import Executor, Inline
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.reading import Fetched, Job, Reading, fold_files

from . import datasets, peers, product
from .measuring import Contestant, Figures, Notes, Target, compared, expect, interleaved, timed

# JSON lines of a million rows are larger than the default limit.
MAX_BYTES: Final = 2 << 30
ROUNDS: Final = 3
# The target, in multiples of the time that the fastest parser takes.
_TIMES_PARSING: Final = {"JSON lines": 2, "Parquet": 8}


def run(notes: Notes) -> None:
    """Measure and note the line."""
    reference = product.compiled(product.columns(datasets.read(datasets.reference())))
    by = product.terms(reference, product.WINDOWS[1:2])
    folder = TemporaryDirectory()
    workers = Processes(1, max_bytes=MAX_BYTES, folder=Path(folder.name))
    try:
        for kind, path in (("JSON lines", datasets.jsonl()), ("Parquet", datasets.parquet())):
            job = Job(_piece(path), replace(by, fitted={}), reference.kinds, MAX_BYTES)
            _compare(notes, kind, path, job, by.fitted, workers)
    finally:
        workers.close()
        folder.cleanup()


def _compare(notes: Notes, kind: str, path: Path, job: Job, fitted: Signals, workers: Executor) -> None:
    # Read once before, so that every contestant finds the file in the page cache.
    path.read_bytes()

    files = [Fetched(job, LocalFile(str(path.parent), path.name, path.stat().st_size, MAX_BYTES))]

    def reading(executor: Executor) -> Callable[[], Figures]:
        shared = executor.share(fitted)
        return lambda: timed(lambda: _check(executor.submit(fold_files, shared, files).result()))

    in_process, in_worker = reading(Inline()), reading(workers)
    in_worker()
    found = interleaved(
        [
            Contestant("in this process", in_process, ROUNDS),
            Contestant("in a worker", in_worker, ROUNDS),
            Contestant("pyarrow", lambda: peers.PYARROW.run(notes, path), ROUNDS),
            Contestant("polars", lambda: peers.POLARS.run(notes, path), ROUNDS),
        ]
    )
    fastest = min(("pyarrow", "polars"), key=lambda name: medians.median(one["seconds"] for one in found[name]))
    for name in ("in a worker", "in this process"):
        target = Target(most=_TIMES_PARSING[kind]) if name == "in a worker" else None
        work = f"decode + fold 1M rows of {kind}, {path.stat().st_size / 1e6:.0f} MB, {name}"
        notes.add(
            compared("B3", work, ours=found[name], reference=found[fastest], name=f"{fastest} alone", target=target)
        )


def _check(reading: Reading) -> None:
    expect(reading.delta.rows_read, datasets.ROWS, "rows read")
    expect(reading.delta.totals.rejected, {}, "rejected rows")


def _piece(path: Path) -> Piece:
    return Piece("run", path.name, "predictions", path.stat().st_size, datasets.NOW * 1_000_000, "1")
