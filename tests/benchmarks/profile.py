"""Where the time of a steady refresh goes: one model, three windows, ten batches of 10,000 rows one after another.

A refresh works in several threads, of which cProfile sees one. So all threads are looked at every millisecond, and the
innermost function of the product in each that does not wait is counted; what it spends in libraries is its own. Files
are decoded in this process, so that decoding and folding are seen as well.
"""

import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

import pyarrow.parquet as pq

import driftgauge
from driftgauge.pipeline.executor import Inline
from driftgauge.source import deadline
from driftgauge.store import Store

from . import datasets
from .measuring import BENCH, Notes, say, seconds
from .stores import Exporter, Tracking, configuration
from .window import LARGE, part_of_window

BATCHES: Final = 10
BATCH: Final = 10_000
_PACKAGE: Final = str(Path(driftgauge.__file__).parent)
_INTERVAL: Final = 0.001
_SHOWN: Final = 16
# Innermost functions in which a thread only waits, of any module and of the one that asks MLflow in threads.
_WAITING: Final = frozenset({"wait", "_worker", "select", "poll", "result", "_wait_for_tstate_lock"})
_ASKING: Final = frozenset({"run", "within"})


class Sampler(threading.Thread):
    """Counts, until it is stopped, what each other thread is at, by module and function of the product."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look at all threads again and again."""
        while not self._stopped.wait(_INTERVAL):
            for thread, frame in sys._current_frames().items():
                if thread != self.ident and not _waits(frame):
                    self._count(frame)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()

    def _count(self, innermost: FrameType) -> None:
        frame: FrameType | None = innermost
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(_PACKAGE):
                module = code.co_filename.removeprefix(_PACKAGE).strip("/").removesuffix(".py").replace("/", ".")
                self.counts[module, code.co_name] += 1
                return
            frame = frame.f_back


def _waits(frame: FrameType) -> bool:
    name = frame.f_code.co_name
    return name in _WAITING or (name in _ASKING and frame.f_code.co_filename == deadline.__file__)


def run(notes: Notes) -> None:
    """Profile and note the table."""
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        counts, elapsed = _profiled(Path(folder))
    table = table_text(counts, elapsed)
    notes.figures["table"] = table
    say(table)


def table_text(counts: Counter[tuple[str, str]], elapsed: float) -> str:
    """Return the share of each module, with its costliest functions."""
    total = counts.total()
    modules: Counter[str] = Counter()
    for (module, _), count in counts.items():
        modules[module] += count
    lines = [f"{BATCHES} refreshes with {BATCH:,} new rows each took {seconds(elapsed)}; share of the threads' work:\n"]
    for module, count in modules.most_common(_SHOWN):
        inside = Counter({name: times for (place, name), times in counts.items() if place == module}).most_common(3)
        names = ", ".join(f"{name} {times / total:.1%}" for name, times in inside)
        lines.append(f"{count / total:6.1%}  {module:<24} {names}\n")
    return "".join(lines)


def _profiled(folder: Path) -> tuple[Counter[tuple[str, str]], float]:
    """Return what threads were at during the refreshes, and how long these took."""
    tracking = Tracking(folder)
    model = {"name": "bench", "predictions": {"experiment": "/bench"}, "reference": {"uri": str(datasets.reference())}}
    config = configuration(tracking.uri, folder / "state", [model])
    store, elapsed, counts = Store.open(config.state_dir), 0.0, Counter[tuple[str, str]]()
    try:
        exporter = Exporter(config, store, Inline())
        tracking.log("/bench", part_of_window(0, of=LARGE))
        exporter.refresh()
        for batch in range(BATCHES):
            first = datasets.ROWS * 20 + batch * BATCH
            file = folder / f"batch-{batch}.parquet"
            pq.write_table(datasets.records(first, rows=BATCH, first=first, start=-3600, seconds=3600), file)
            tracking.log("/bench", file)
            sampler, began = Sampler(), time.perf_counter()
            sampler.start()
            exporter.refresh()
            elapsed += time.perf_counter() - began
            sampler.stop()
            counts += sampler.counts
    finally:
        store.close()
    return counts, elapsed
