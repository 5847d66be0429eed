"""The same bytes under several names: said, counted, and left out if so configured."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from driftgauge.aggregates.totals import Totals
from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.journal import Journal
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

SECONDS = 1_767_960_000
ROWS = [{"request_id": f"r{n}", "timestamp": SECONDS - 60, "prediction": n % 2, "label": 1} for n in range(5)]


class Folder:
    """A model over a folder, refreshed as a new process each time."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.files = place / "files"
        self.files.mkdir(exist_ok=True)
        model = {"name": "m", "predictions": {"files": str(self.files)}, **settings}
        self.config = Config.model_validate({"state_dir": str(place / "state"), "models": [model]})
        self._clock = SECONDS - 1000

    def put(self, name: str, rows: list[Mapping[str, Any]] | bytes) -> None:
        """Write a file, a little later than the one before."""
        data = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
        (self.files / name).parent.mkdir(exist_ok=True)
        (self.files / name).write_bytes(data)
        self._clock += 1
        os.utime(self.files / name, (self._clock, self._clock))

    def refreshed(self) -> tuple[Totals, Journal]:
        """Refresh once; return the counters and the journal."""
        store = Store.open(self.config.state_dir)
        try:
            pipeline = Pipeline(self.config, Feeds(self.config), store, executor=Inline())
            assert not pipeline.refresh(SECONDS * MICROSECONDS).failures
            return pipeline.states[0].totals, pipeline.memory("m").journal
        finally:
            store.close()


def predictions(totals: Totals) -> int:
    """Return how many predictions were counted."""
    return sum(version.predictions for version in totals.versions.values())


@pytest.mark.parametrize("at_once", [True, False], ids=["in one refresh", "after a restart"])
@pytest.mark.parametrize("deduplicate", [True, False])
def test_the_same_file_twice(tmp_path: Path, *, at_once: bool, deduplicate: bool) -> None:
    """It is counted and named; its rows count again unless duplicates are left out."""
    folder = Folder(tmp_path, deduplicate=deduplicate)
    folder.put("a.jsonl", ROWS)
    if not at_once:
        folder.refreshed()
    folder.put("retry/a.jsonl", ROWS)
    folder.put("b.jsonl", ROWS[:4])
    totals, journal = folder.refreshed()
    assert (predictions(totals), totals.duplicates, totals.batches) == ((9, 1, 2) if deduplicate else (14, 1, 3))
    (remark,) = journal.remarks.values()
    assert (remark.reason, remark.file) == ("duplicate_batch", "retry/a.jsonl")
    assert f"{folder.files}/a.jsonl" in remark.text
    assert ("deduplicate: true" in remark.text) is not deduplicate
    assert folder.refreshed()[0].duplicates == 1


def test_a_duplicate_that_grows(tmp_path: Path) -> None:
    """Only the rows that the other file does not have are new."""
    folder = Folder(tmp_path, deduplicate=True)
    folder.put("a.jsonl", ROWS)
    folder.put("b.jsonl", ROWS)
    folder.refreshed()
    folder.put("b.jsonl", [*ROWS, *ROWS[:2]])
    assert predictions(folder.refreshed()[0]) == 7
    folder.put("c.jsonl", ROWS[:1])
    assert predictions(folder.refreshed()[0]) == 8


def test_a_file_of_which_the_first_cannot_be_read(tmp_path: Path) -> None:
    """Neither can the second, and both are said as they would be alone."""
    folder = Folder(tmp_path, deduplicate=True)
    folder.put("a.parquet", b"PAR1 no")
    folder.put("b.parquet", b"PAR1 no")
    folder.put("c.jsonl", ROWS)
    totals, _ = folder.refreshed()
    assert totals.failures == {"invalid_parquet": 2}
    assert predictions(totals) == 5


@pytest.mark.parametrize(
    "content",
    [b"request_id,timestamp,prediction\n", b'{"prediction": 1}\n', b'{"prediction": 0, "features": {"a": 1}}\n'],
)
def test_equal_files_that_mean_something_else(tmp_path: Path, content: bytes) -> None:
    """Without rows, or rows without ids and times, nothing is said: each file has predictions of its own."""
    name = "csv" if b"," in content[:12] else "jsonl"
    folder = Folder(tmp_path)
    for n in range(3):
        folder.put(f"{n}.{name}", content)
    totals, journal = folder.refreshed()
    assert (totals.duplicates, [r.reason for r in journal.remarks.values() if r.reason == "duplicate_batch"]) == (0, [])


def test_labels_are_not_duplicates_of_predictions(tmp_path: Path) -> None:
    """A file may be logged as both; a label file that comes twice is said, and counts once anyway."""
    labels = tmp_path / "labels"
    labels.mkdir()
    folder = Folder(tmp_path, deduplicate=True, labels={"files": str(labels), "artifacts": "*"})
    folder.put("a.jsonl", ROWS)
    for name in ("a.jsonl", "b.jsonl"):
        (labels / name).write_bytes((folder.files / "a.jsonl").read_bytes())
        os.utime(labels / name, (SECONDS, SECONDS))
    totals, journal = folder.refreshed()
    assert predictions(totals) == sum(version.labels for version in totals.versions.values()) == 5
    assert totals.duplicates == 1
    (remark,) = journal.remarks.values()
    assert (remark.subject, remark.file) == ("labels", "b.jsonl")


def test_large_files_are_compared_by_all_bytes(tmp_path: Path) -> None:
    """One cell in the middle of a file of the same size makes another file of it."""
    rows = [{"request_id": f"r{n:06}", "timestamp": SECONDS - 60, "prediction": n % 2} for n in range(4000)]
    other = [{**row, "prediction": 1 - row["prediction"]} if n == 2000 else row for n, row in enumerate(rows)]
    folder = Folder(tmp_path, deduplicate=True)
    for name, content in (("a", rows), ("b", other), ("c", rows)):
        folder.put(f"{name}.jsonl", content)
    totals, _ = folder.refreshed()
    assert (predictions(totals), totals.duplicates) == (8000, 1)
