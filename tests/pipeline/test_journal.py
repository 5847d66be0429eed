"""The journal: remarks that are counted and bounded, tallies of the last day, and the way through the store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.journal import MOST_REMARKS, Journal, Remark, Tally
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

HOUR = 3600 * MICROSECONDS
START = 1_767_960_000 * MICROSECONDS


def _remark(reason: str = "implausible", *, subject: str = "latency", at: int = START, **more: str) -> Remark:
    said = {"example": "9", "text": "write latency_unit: ms", "file": "a.csv"} | more
    return Remark("doubt", reason, subject, first=at, last=at, **said)


def test_a_remark_is_counted_on() -> None:
    """The same thing about the same column is one remark, with the latest example and file."""
    journal = Journal().saying(_remark()).saying(_remark(subject="score"))
    journal = journal.saying(_remark(at=START + HOUR, example="10", file="b.csv"))
    first, last = journal.remarks.values()
    assert (first.subject, first.count) == ("score", 1)
    assert (last.count, last.first, last.last, last.example, last.file) == (2, START, START + HOUR, "10", "b.csv")


def test_remarks_are_bounded() -> None:
    """The newest stay, and no text is longer than a person reads."""
    journal = Journal()
    for number in range(MOST_REMARKS + 7):
        journal = journal.saying(_remark(subject=f"c{number}", text="x" * 100_000))
    assert [remark.subject for remark in journal.remarks.values()] == [f"c{n}" for n in range(7, MOST_REMARKS + 7)]
    assert max(len(remark.text) for remark in journal.remarks.values()) == 500


def test_what_was_read_lately() -> None:
    """Rows, rejected rows and set-aside files of the last hours, whatever the counters were before."""
    old = Totals(versions={"1": VersionTotals(predictions=1000, labels=50)}, rejected={"bad_timestamp": 7})
    more = Totals(
        versions={"1": VersionTotals(predictions=1100, labels=60), "2": VersionTotals(predictions=5)},
        rejected={"bad_timestamp": 9, "missing_key": 1},
        failures={"invalid_json": 1},
    )
    journal = Journal().counting(Totals(), old, START).counting(old, more, START + 8 * HOUR)
    assert journal.counting(more, more, START + 9 * HOUR) is journal
    assert journal.lately(START + 2 * HOUR) == Tally(
        START + 2 * HOUR, 115, {"bad_timestamp": 2, "missing_key": 1}, {"invalid_json": 1}
    )
    everything = journal.lately(0)
    assert (everything.rows, everything.rejected["bad_timestamp"]) == (1165, 9)
    later = journal.counting(more, Totals.combine([more, old]), START + 30 * HOUR)
    assert later.lately(0).rows == 115 + 1050


def test_the_store_keeps_it() -> None:
    """What is written is read back, and nothing of a new model."""
    old = Totals(rejected={"bad_label": 3})
    journal = Journal().saying(_remark(example="“é”")).counting(Totals(), old, START)
    assert Journal.from_json(journal.to_json()) == journal
    assert Journal.from_json("") == Journal()


@dataclass(frozen=True, slots=True)
class Folder:
    """A model that reads a folder, refreshed as a new process each time."""

    files: Path
    config: Config

    @contextmanager
    def opened(self) -> Iterator[Pipeline]:
        """Lend a pipeline."""
        store = Store.open(self.config.state_dir)
        try:
            yield Pipeline(self.config, Feeds(self.config), store, executor=Inline())
        finally:
            store.close()

    def refreshed(self, now: int = START) -> tuple[Journal, Totals]:
        """Refresh once and return the journal, and what was counted since the start."""
        with self.opened() as pipeline:
            assert not pipeline.refresh(now).failures
            return pipeline.memory("m").journal, pipeline.states[0].totals


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Return an empty folder."""
    files = tmp_path / "files"
    files.mkdir()
    model = {"name": "m", "task": "regression", "predictions": {"files": str(files)}}
    return Folder(files, Config.model_validate({"state_dir": str(tmp_path / "state"), "models": [model]}))


def test_files_of_other_suffixes_are_counted_once(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """Across restarts and growth; each suffix is named once in the log of a process."""
    for name in ("a.txt", "b.txt", "c.tsv", "plot.png", "_SUCCESS"):
        (folder.files / name).write_text("x")
    journal, totals = folder.refreshed()
    assert totals.unread == 3
    assert [(remark.subject, remark.count) for remark in journal.remarks.values()] == [(".txt", 2), (".tsv", 1)]
    said = capsys.readouterr()
    assert [("a.txt" in line, "suffix=.txt" in line) for line in _warnings(said.out + said.err)] == [
        (True, True), (False, False),
    ]  # fmt: skip
    (folder.files / "a.txt").write_text("xyz")
    (folder.files / "d.txt").write_text("x")
    journal, totals = folder.refreshed(START + HOUR)
    assert totals.unread == 4
    assert [(remark.example, remark.count) for remark in journal.remarks.values()] == [("c.tsv", 1), ("d.txt", 3)]


def test_the_journal_survives_a_restart(folder: Folder) -> None:
    """Doubts, rejected rows and files that were set aside are known to the next process."""
    (folder.files / "a.jsonl").write_text('{"prediction": 1, "ts": "soon"}\n{"prediction": 1}\n')
    (folder.files / "b.jsonl").write_text("")
    os.utime(folder.files / "a.jsonl", (START / MICROSECONDS, START / MICROSECONDS))
    before, _ = folder.refreshed()
    assert [remark.key for remark in before.remarks.values()] == [
        ("doubt", "bad_timestamp", "ts"), ("file", "empty_file", ""),
    ]  # fmt: skip
    assert before.lately(START) == Tally(START, 1, {"bad_timestamp": 1}, {"empty_file": 1})
    with folder.opened() as pipeline:
        assert pipeline.memory("m").journal == before


def test_what_is_said_of_a_model_as_a_whole_survives_a_restart(folder: Folder) -> None:
    """Why there is no accuracy is known to the next process, though there is no new file then."""
    (model,) = folder.config.models
    config = folder.config.model_copy(update={"models": (model.model_copy(update={"task": "multiclass"}),)})
    rows = [f'{{"prediction": "{"ab"[at % 2]}", "label": "{"xy"[at % 2]}"}}\n' for at in range(20)]
    (folder.files / "a.jsonl").write_text("".join(rows))
    os.utime(folder.files / "a.jsonl", (START / MICROSECONDS, START / MICROSECONDS))
    classes = Folder(folder.files, config)
    before, _ = classes.refreshed()
    assert [remark.reason for remark in before.remarks.values()] == ["no_class_in_common"]
    after, _ = classes.refreshed(START + HOUR)
    assert after == before


def _warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if "warning" in line and "artifact=" in line]
