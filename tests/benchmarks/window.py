"""B2: a refresh with 10,000 new rows while the seven-day window holds ten million, with and without labels.

Against recomputing that window, which is what the first refresh of an empty state does, and against the same refresh
while the window holds one million. Both stores are refreshed in turn; the large one is recomputed several times.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import datasets
from .measuring import BENCH, Contestant, Figures, Notes, Row, Target, compared, expect, interleaved, median, seconds
from .stores import Exporter, Tracking, configuration, exporting

LARGE: Final = 10
BATCH: Final = 10_000
ROUNDS: Final = 12
RECOMPUTED: Final = 3
PREDICTIONS: Final = "/bench"
LABELS: Final = "/bench-labels"


def run(notes: Notes) -> None:
    """Measure and note the line, without and with labels."""
    for labels in (False, True):
        # On the same file system as the data, whose files are linked and not copied.
        with tempfile.TemporaryDirectory(dir=BENCH) as folder:
            _compare(notes, Path(folder), labels=labels)


def _compare(notes: Notes, folder: Path, *, labels: bool) -> None:
    with ExitStack() as stack:
        sides = {}
        for millions in (LARGE, 1):
            place = folder / str(millions)
            tracking = Tracking(place)
            tracking.experiment(LABELS)
            exporter = stack.enter_context(exporting(_config(tracking, place, labels=labels)))
            for part in range(millions):
                tracking.log(PREDICTIONS, part_of_window(part, of=millions))
            sides[millions] = Side(tracking, exporter, place, millions * datasets.ROWS, labels=labels)
        recomputed = [sides[LARGE].recomputed(labels=labels) for _ in range(RECOMPUTED - 1)]
        recomputed.append(sides[LARGE].refresh())
        middle = sorted(recomputed, key=lambda figures: figures["seconds"])[RECOMPUTED // 2]
        sides[1].refresh()
        for side in sides.values():
            side.refresh_with_batch()
        found = interleaved(
            [Contestant(str(millions), side.refresh_with_batch, ROUNDS) for millions, side in sides.items()]
        )
    suffix = " and their labels" if labels else ""
    work = f"refresh with 10,000 new rows{suffix}, 10M in the window"
    large, small = found[str(LARGE)], found["1"]
    # With labels the join comes on top, which B7 has targets for.
    of_all, of_tenth = (None, None) if labels else (Target(most=0.02), Target(most=1.5))
    notes.add(compared("B2", work, ours=large, reference=[middle], name="recomputing", target=of_all))
    notes.add(compared("B2", work, ours=large, reference=small, name="1M in the window", target=of_tenth))
    parts = ", ".join(f"{name} {seconds(median(large, name))}" for name in ("read and commit", "statistics", "page"))
    notes.add(Row("B2", f"of that{suffix}", parts))


class Side:
    """One store and the exporter over it; `rows` have been logged, in keyed files when there are labels."""

    def __init__(self, tracking: Tracking, exporter: Exporter, folder: Path, rows: int, *, labels: bool) -> None:
        self._tracking, self._exporter, self._folder, self._rows = tracking, exporter, folder, rows
        self._labels = labels

    def refresh(self) -> Figures:
        """Refresh and make sure that every row was counted."""
        figures = self._exporter.refresh()
        expect(self._exporter.rows, self._rows, "rows counted")
        return figures

    def recomputed(self, *, labels: bool) -> Figures:
        """Refresh an empty state of its own over the same store."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            config = _config(self._tracking, Path(folder), labels=labels)
            with exporting(config) as exporter:
                return Side(self._tracking, exporter, self._folder, self._rows, labels=labels).refresh()

    def refresh_with_batch(self) -> Figures:
        """Log new rows of the last hour, and labels of as many that were there before; refresh."""
        batch = self._folder / f"batch-{self._rows}.parquet"
        pq.write_table(datasets.records(self._rows, rows=BATCH, first=self._rows, start=-3600, seconds=3600), batch)
        self._tracking.log(PREDICTIONS, batch)
        if self._labels:
            self._tracking.log(LABELS, _labels(self._folder / f"labels-{self._rows}.parquet", self._rows))
        self._rows += BATCH
        return self.refresh()


def _labels(path: Path, known: int) -> Path:
    """Write labels of `BATCH` predictions of the first million, others for each `known`."""
    numbers = (np.arange(BATCH) * (datasets.ROWS // BATCH) + known // BATCH) % datasets.ROWS
    time = pa.array(np.full(BATCH, (datasets.NOW - 60) * 1_000_000), pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"request_id": [f"r{n}" for n in numbers], "timestamp": time, "label": numbers % 2}), path)
    return path


def _config(tracking: Tracking, place: Path, *, labels: bool) -> Any:
    model = {
        "name": "bench",
        "predictions": {"experiment": PREDICTIONS},
        "reference": {"uri": str(datasets.reference())},
    }
    waiting = {"labels": {"experiment": LABELS}} if labels else {}
    return configuration(tracking.uri, place / "state", [{**model, **waiting}])


def part_of_window(part: int, *, of: int) -> Path:
    """Return a file with a million records: part number `part` of the `of` into which seven days are cut."""
    length = 7 * datasets.DAY / of
    start = -7 * datasets.DAY + part * length
    # Nothing in the last hour and nothing before the window: what a refresh adds is new, and nothing expires.
    return datasets.kept(
        f"window-{part}-of-{of}.parquet",
        lambda path: pq.write_table(
            datasets.records(100 + part, rows=datasets.ROWS, first=part * datasets.ROWS, start=start, seconds=length),
            path,
        ),
    )
