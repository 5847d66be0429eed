"""B6: peak memory while ten and twenty million rows x 20 columns are streamed from Parquet.

As files of a million rows, and as one file of the largest size allowed. Of the whole `driftgauge once`: the exporter
and its workers, each page of memory that several share counted once (PSS), sampled while it runs.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from . import datasets
from .measuring import (
    BENCH,
    TIMES,
    Contestant,
    Figures,
    Notes,
    Row,
    Target,
    descendants,
    duration,
    expect,
    interleaved,
    median,
    number,
)
from .stores import LIMIT, Tracking, write_configuration
from .window import LARGE, part_of_window

LIMIT_MB: Final = 1_100
ROUNDS: Final = 3
_BETWEEN_SAMPLES: Final = 0.05


def run(notes: Notes) -> None:
    """Measure and note the line."""
    parts = [part_of_window(part, of=LARGE) for part in range(LARGE)]
    largest = _largest()
    rows = pq.ParquetFile(largest).metadata.num_rows
    work: dict[str, tuple[Sequence[Path], int]] = {
        "10M rows in files of 1M": (parts, LARGE * datasets.ROWS),
        # The same rows again: memory depends on the grid and not on the rows.
        "20M rows in files of 1M": ([*parts, *parts], 2 * LARGE * datasets.ROWS),
        f"one file of {LIMIT >> 20} MiB, {rows / 1e6:.1f}M rows": ([largest], rows),
    }
    # Several rounds, because the peaks of the exporter and its workers coincide only by chance.
    found = interleaved([Contestant(name, partial(_streamed, *given), ROUNDS) for name, given in work.items()])
    limit, growth = Target(most=LIMIT_MB), Target(most=1.1)
    for name, rounds in found.items():
        most = max(figures["peak"] for figures in rounds)
        memory = f"{number(median(rounds, 'peak'))} MB, at most {number(most)} MB of {ROUNDS}, in {duration(rounds)}"
        title = f"peak memory, {name} x 20 columns of Parquet"
        notes.add(Row("B6", title, memory, target=f"≤ {LIMIT_MB:,} MB", holds=limit.holds(most)))
    ten, twenty = (median(rounds, "peak") for rounds in list(found.values())[:2])
    reference, ratio = f"10M rows {number(ten)} MB", twenty / ten
    words, holds = growth.words(TIMES), growth.holds(ratio)
    notes.add(
        Row("B6", "peak memory, 20M rows", f"{number(twenty)} MB", reference, ratio=ratio, target=words, holds=holds)
    )


def _largest() -> Path:
    """Return one Parquet file just below the largest size allowed, unpacked as well."""
    sample = part_of_window(0, of=LARGE)
    rows = int(LIMIT * 0.95 / sample.stat().st_size * datasets.ROWS)

    def write(path: Path) -> None:
        pq.write_table(datasets.records(9, rows=rows, first=0, start=-datasets.DAY, seconds=datasets.DAY), path)

    path = datasets.kept("largest.parquet", write)
    expect(path.stat().st_size <= LIMIT, wanted=True, what="a file within the limit")
    return path


def _streamed(files: Sequence[Path], rows: int) -> Figures:
    """Refresh once in a process of its own over a store with these files."""
    with tempfile.TemporaryDirectory(dir=BENCH) as folder:
        place = Path(folder)
        tracking = Tracking(place)
        model = {
            "name": "bench",
            "predictions": {"experiment": "/bench"},
            "reference": {"uri": str(datasets.reference())},
        }
        for file in files:
            tracking.log("/bench", file)
        config = write_configuration(place / "driftgauge.yml", tracking.uri, place / "state", [model])
        at = datetime.fromtimestamp(datasets.NOW, UTC).isoformat()
        page, log = place / "page", place / "log"
        with page.open("wb") as out, log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "driftgauge", "once", f"--config.file={config}", f"--at={at}"],
                stdout=out,
                stderr=errors,
            )
            found = _watched(process)
        expect(process.returncode, 0, f"exit status, {log.read_text(encoding='utf-8')[-2000:]}")
        series = 'model_predictions_total{model="bench",version="1"} '
        counted = [float(line.removeprefix(series)) for line in page.open(encoding="utf-8") if line.startswith(series)]
        expect(counted, [float(rows)], "rows counted")
        return found


def _watched(process: subprocess.Popen[bytes]) -> Figures:
    """Sample the memory of a process and all below it until it ends (10^6 bytes)."""
    began, most = time.perf_counter(), 0.0
    while process.poll() is None:
        most = max(most, sum(proportional(pid) for pid in (process.pid, *descendants(process.pid))))
        time.sleep(_BETWEEN_SAMPLES)
    return {"seconds": time.perf_counter() - began, "peak": most}


def proportional(pid: int) -> float:
    """Return the memory of a process with its part of what it shares (PSS, 10^6 bytes); 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
