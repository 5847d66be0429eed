"""Files read side by side: small ones go to a worker together, and nothing shows that they did."""

import json
import tempfile
import time
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
import pytest

from data_builders import a_model, signals
from driftgauge.config import Config, Window
from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.feed import Cursor, Opener, Piece
from driftgauge.openers import SMALL_BYTES, InMemory
from driftgauge.pipeline import fetching
from driftgauge.pipeline.delta import Delta, Terms
from driftgauge.pipeline.executor import Carried, Executor, Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.fetching import Readers
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.processes import Processes
from driftgauge.pipeline.reading import Job, Read, Reading
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.pipeline.work import Contents
from driftgauge.store import Store
from pipeline.conftest import NOW, Rows, label, prediction

WINDOWS: Final = (Window("1h", 3600), Window("24h", 86400))
LARGE: Final = SMALL_BYTES + 1


@dataclass(frozen=True)
class Lent:
    """A file of the shelf that notes its release."""

    data: bytes
    size: int
    path: str
    released: list[str] = field(default_factory=list)

    def __call__(self) -> BinaryIO:
        """Return an open file."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
        file.write(self.data)
        file.seek(0)
        return file

    def release(self) -> None:
        """Note it."""
        self.released.append(self.path)


@dataclass
class Shelf:
    """A source of these files by path; `gone_at` is where MLflow goes away, `large` files are said to have 17 MiB."""

    files: Mapping[str, bytes]
    gone_at: str = ""
    large: bool = False
    opened: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:
        """Find nothing: the tests know the files."""
        assert now > 0
        return [], cursor

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened."""
        self.opened.append(piece.path)
        if piece.path == self.gone_at:
            raise SourceUnavailable("gone")
        if piece.path not in self.files:
            raise SourceMissing("not there")
        data = self.files[piece.path]
        if len(data) <= SMALL_BYTES and not self.large:
            return InMemory(data)
        return Lent(data, fetching._LARGE_BYTES + 1 if self.large else len(data), piece.path, self.released)


@dataclass
class Fragile(Inline):
    """An executor that notes what it is asked, and whose processes do not survive what is in `deadly`."""

    deadly: Sequence[str] = ()
    asked: list[list[str]] = field(default_factory=list)
    allowed: list[float | None] = field(default_factory=list)

    def submit(self, task: Any, shared: Any, argument: Any, *, within: float | None = None) -> Any:
        """Read files."""
        self.asked.append([file.job.piece.path for file in argument])
        self.allowed.append(within)
        if any(path in self.deadly for path in self.asked[-1]):
            failed: Future[Reading] = Future()
            failed.set_exception(BatchError("crashed", "signal 11"))
            return failed
        return super().submit(task, shared, argument, within=within)


def lines(rows: Rows) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def jobs(paths: Sequence[str], **settings: Any) -> list[Job]:
    """Return how to read these files, each of a run of its own; those called labels are label files."""
    found = []
    for number, path in enumerate(paths):
        role = "labels" if path.startswith("labels") else "predictions"
        terms = Terms(a_model(**settings, labels={} if role == "labels" else None), WINDOWS, {}, NOW)
        piece = Piece(f"run{number}", path, cast("Any", role), None, NOW)
        found.append(Job(piece, terms, None, 10**8))
    return found


def read(
    shelf: Shelf, paths: Sequence[str], executor: Executor | None = None, *, pace: Pace = USUAL, **settings: Any
) -> Iterator[Reading]:
    """Read the files, in this process unless there is an executor."""
    with Readers(executor or Inline(), pace) as readers:
        yield from readers.read(shelf, jobs(paths, **settings), Carried(signals()), contents=Contents({}))


def outcomes(readings: Sequence[Reading]) -> list[object]:
    """Return rows read or the reason by file."""
    found: list[object] = []
    for reading in readings:
        found += [one.rows if isinstance(one, Read) else getattr(one, "reason", "missing") for one in reading.files]
    return found


def added(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return all that the files add, number by number."""
    delta = Delta.combine([reading.delta for reading in readings])
    panes = {**delta.predictions, **delta.outcomes}
    return _flat(
        {
            "totals": delta.totals.to_state(),
            "tables": [table.to_pylist() for table in (*delta.waiting, *delta.labels)],
            "panes": {str(key): pane.to_state() for key, pane in panes.items()},
        }
    )


def _flat(state: Any, name: str = "") -> dict[str, Any]:
    """Return the numbers and texts of a state by their place in it; those of moments by column."""
    if isinstance(state, Mapping) and "means" in state:
        names = state["names"]
        state = {
            kind: dict(zip(names, state[kind].tolist(), strict=True))
            for kind in state
            if hasattr(state[kind], "tolist")
        }
    if isinstance(state, Mapping):
        return {place: value for key, item in state.items() for place, value in _flat(item, f"{name}.{key}").items()}
    if isinstance(state, list | tuple | np.ndarray):
        return {place: value for at, item in enumerate(state) for place, value in _flat(item, f"{name}.{at}").items()}
    return {name: state}


def test_small_files_go_together_and_large_ones_alone() -> None:
    """What is handed over at once are small files that follow each other, in order."""
    files = {f"{n:02d}.jsonl": lines([prediction(n, 0.9)]) for n in range(40)}
    files["20.jsonl"] = lines([prediction(20, 0.9, note="x" * LARGE)])
    workers = Fragile()

    readings = list(read(Shelf(files), list(files), workers))

    paths = list(files)
    assert workers.asked == [paths[:20], [paths[20]], paths[21:]]
    assert outcomes(readings) == [1] * 40
    assert [reading.delta.rows_read for reading in readings] == [20, 1, 19]


def test_large_files_are_read_one_by_one() -> None:
    """While one is taken over the next is not begun: what it adds would wait in memory."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9)]) for n in range(6)}
    shelf = Shelf(files, large=True)
    known = [replace(job, piece=replace(job.piece, size=fetching._LARGE_BYTES + 1)) for job in jobs(list(files))]
    with Readers(Inline()) as readers:
        readings = readers.read(shelf, known, Carried(signals()), contents=Contents({}))
        next(readings)
        time.sleep(0.2)
        begun = len(shelf.opened)
        rest = list(readings)

    assert (begun, len(rest)) == (1, 5)


def test_files_of_unknown_size_are_not_kept_in_memory() -> None:
    """Of files that turn out to be large when they are there, one is read at a time as well."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9)]) for n in range(6)}
    executor = Fragile()
    with Readers(executor) as readers:
        readings = readers.read(Shelf(files, large=True), jobs(list(files)), Carried(signals()), contents=Contents({}))
        next(readings)

        assert len(executor.asked) == 1
        assert len(list(readings)) == 5


@pytest.mark.parametrize("taken", [0, 1, 6])
def test_every_file_is_released(taken: int) -> None:
    """What was fetched is released when it was read, and when nobody wants it any more."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9, note="x" * LARGE)]) for n in range(6)}
    shelf = Shelf(files)
    with Readers(Fragile(deadly=["2.jsonl"])) as readers:
        readings = cast(
            "Generator[Reading]", readers.read(shelf, jobs(list(files)), Carried(signals()), contents=Contents({}))
        )
        for _ in range(taken):
            next(readings)
        readings.close()

    assert sorted(shelf.released) == sorted(shelf.opened)
    assert len(shelf.opened) == 6 * (taken > 0)


def test_a_batch_is_bounded() -> None:
    """Neither too many files nor too many bytes wait in memory."""
    files = {f"{n:02d}.jsonl": lines([prediction(n, 0.9, note="x" * 2000 * (n >= 8))]) for n in range(12)}
    workers = Fragile()

    list(read(Shelf(files), list(files), workers, pace=Pace(together=4, together_bytes=4000)))

    assert sorted(map(len, workers.asked)) == [2, 2, 4, 4]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_together_as_one_by_one(task: str) -> None:
    """Files of all kinds add the same: with labels and without, other features, scores, classes and versions."""
    files = {
        "scores.jsonl": lines([prediction(n, n / 10, features={"a": n, "plan": "x"}) for n in range(1, 9)]),
        "classes.csv": b"prediction,label,feature_a\n1,1,5\n0,1,\n1,0,7\n",
        "other.jsonl": lines(
            [prediction(n, 1, model_version=str(n % 2), features={"a": "text", "b": n}) for n in range(9)]
        ),
        "late.jsonl": lines([prediction(n, 0.3, ago=86_400 * n, latency_ms=n) for n in range(3)]),
        "probable.jsonl": lines([prediction(n, 1, label=1, proba_0=0.4, proba_1=0.6) for n in range(4)]),
        "more.jsonl": lines([prediction(n, 1, label=2, proba_0=0.2, proba_1=0.3, proba_2=0.5) for n in range(4)]),
        "labels.jsonl": lines([label(n, 1) for n in range(5)]),
        "broken.jsonl": b"{]\n" + lines([prediction(3, 0.5)]),
        "cut.json": b"[{",
        "empty.jsonl": b"",
    }
    together = list(read(Shelf(files), list(files), task=task))
    alone = list(read(Shelf(files), list(files), task=task, pace=Pace(together=1)))

    assert (len(together), len(alone)) == (1, len(files))
    assert outcomes(together) == outcomes(alone) == [8, 3, 9, 3, 4, 4, 5, 2, "invalid_json", "empty_file"]
    assert added(together) == pytest.approx(added(alone), nan_ok=True)


def test_a_file_that_breaks_its_worker_costs_itself_only() -> None:
    """The files that went with it are read one by one, each with the time that a file is given."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9)]) for n in range(5)}
    workers = Fragile(deadly=["1.jsonl", "3.jsonl"])

    readings = list(read(Shelf(files), list(files), workers))

    assert outcomes(readings) == [1, "crashed", 1, "crashed", 1]
    assert workers.asked == [list(files), *([path] for path in files)]
    assert workers.allowed == pytest.approx([fetching._LONGEST_TOGETHER, *[fetching._LONGEST_ALONE] * 5], abs=0.1)


def test_real_workers(tmp_path: Path) -> None:
    """Files and what they add go to a process and back."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9)]) for n in range(3)} | {"bad.json": b"[{"}
    workers = Processes(1, max_bytes=1 << 20, folder=tmp_path)
    try:
        readings = list(read(Shelf(files), list(files), workers))
    finally:
        workers.close()

    assert outcomes(readings) == [1, 1, 1, "invalid_json"]
    assert added(readings) == pytest.approx(added(list(read(Shelf(files), list(files)))), nan_ok=True)


def test_mlflow_goes_away() -> None:
    """What came before counts, in order, and a missing file is one of these; then it fails without asking for all."""
    files = {f"{n}.jsonl": lines([prediction(n, 0.9)]) for n in range(40)}
    shelf = Shelf(files, gone_at="4.jsonl")
    readings = read(shelf, ["0.jsonl", "gone.jsonl", *files])

    found = []
    with pytest.raises(SourceUnavailable, match="gone"):
        found.extend(readings)
    assert outcomes(found) == [1, "missing", 1, 1, 1, 1]
    assert len(shelf.opened) < 20


def test_whoever_stops_waits_for_little() -> None:
    """Given up after the first files, reading does not begin with the others."""
    files = {f"{n:03d}.jsonl": lines([prediction(n, 0.9)]) for n in range(600)}
    shelf = Shelf(files)
    readings = read(shelf, list(files))
    next(readings)
    cast("Generator[Reading]", readings).close()

    assert len(shelf.opened) < 300


class Noticed(Delta):
    """A delta of which is known when it is freed."""


@dataclass
class Frugal(Inline):
    """An executor that notes of how many readings before it what they add is still in memory when one is begun."""

    added: list["weakref.ref[Delta]"] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)

    def submit(self, task: Any, shared: Any, argument: Any, *, within: float | None = None) -> Any:
        """Read files."""
        self.kept.append(sum(known() is not None for known in self.added))
        reading: Any = super().submit(task, shared, argument, within=within).result()
        delta = Noticed(**{each.name: getattr(reading.delta, each.name) for each in fields(Delta)})
        self.added.append(weakref.ref(delta))
        done: Future[Reading] = Future()
        done.set_result(replace(reading, delta=delta))
        return done


def test_what_large_files_add_is_freed_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be as much as all that is kept; once it is committed, a refresh holds none of it while it reads on."""
    monkeypatch.setattr(fetching, "_LARGE_BYTES", 0)
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / "in" / f"{number}.jsonl").write_bytes(lines([prediction(number, 0.5)]))
    model = {"name": "m", "predictions": {"files": str(tmp_path / "in")}}
    config = Config.model_validate({"state_dir": str(tmp_path / "state"), "models": [model]})
    executor, store = Frugal(), Store.open(config.state_dir)
    pace = Pace(step_rows=1, together=1)
    assert Pipeline(config, Feeds(config), store, executor=executor, pace=pace).refresh(NOW).failures == {}
    store.close()
    assert executor.kept == [0, 0, 0, 0]
