"""What one run that cannot be listed costs: itself."""

import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftgauge.errors import BatchError, SourceUnavailable
from driftgauge.scratch import Scratch
from driftgauge.source import Discovery, Source
from driftgauge.source.stores import local_folder
from source.conftest import LIMIT, Bench, content

# An artifact root, the reason that is counted, and what is said. Nothing listens on port 1.
ODD = [
    ("ftp://127.0.0.1:1/x", "not_listed", "connection refused"),
    ("sftp://127.0.0.1:1/x", "no_driver", "pip install pysftp"),
    ("gs://bucket/x", "no_driver", r"pip install 'driftgauge\[gcs\]'"),
    ("wasbs://c@account.blob.core.windows.net/x", "no_driver", r"pip install 'driftgauge\[azure\]'"),
    ("hdfs://127.0.0.1:1/x", "not_listed", "cannot be asked"),
    ("dbfs:/x", "unusable_root", "no place of files"),
    ("models:/m/1", "unusable_root", "no place of files"),
    ("runs:/0/x", "unusable_root", "no place of files"),
    ("data:,x", "unusable_root", "no place of files"),
    ("mlflow-artifacts:/1/x", "unusable_root", "write its http address as mlflow.tracking_uri"),
    ("sqlite:///other.db", "unusable_root", "no place of files"),
    ("gopher://host/x", "unusable_root", "no place of files"),
    ("::", "unusable_root", "no place of files"),
    ("", "unusable_root", "has no place for artifacts"),
    ("/no/\0/x", "unusable_root", "is no address"),
]


def place(bench: Bench, run_id: str, root: str) -> None:
    """Give a run of a sqlite store another artifact root, behind MLflow's back."""
    with sqlite3.connect(bench.uri.removeprefix("sqlite:///")) as connection:
        connection.execute("update runs set artifact_uri = ? where run_uuid = ?", (root, run_id))


def run_at(bench: Bench, root: str) -> str:
    """Return a finished run with this artifact root."""
    run_id = bench.run()
    place(bench, run_id, root)
    return run_id


def why(found: Discovery) -> dict[tuple[str, str], str]:
    """Return the reasons of what was not listed, by run and path."""
    return {(item.run_id, item.path): item.reason for item in found.unlisted}


def test_roots_that_cannot_be_used(sqlite_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each such run is left out with its own reason and remedy, makes no database, and the others are listed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    good = sqlite_bench.run("a.csv", start_time=1_000)
    odd = {run_at(sqlite_bench, root): (reason, words) for root, reason, words in ODD}
    begun = time.monotonic()
    found = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    assert time.monotonic() - begun < 10
    assert [artifact.run_id for artifact in found.artifacts] == [good]
    assert why(found) == {(run_id, "/"): reason for run_id, (reason, _) in odd.items()}
    for item in found.unlisted:
        assert re.search(odd[item.run_id][1], item.text)
    assert {path.name for path in sqlite_bench.folder.glob("*.db")} == {"mlflow.db"}


@pytest.fixture
def silent_host() -> Iterator[str]:
    """Return the address of a host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_store_that_does_not_answer(sqlite_bench: Bench, silent_host: str) -> None:
    """The others are listed within a part of its time, and in the next pass nobody waits for it."""
    good = {sqlite_bench.run("a.csv", start_time=1_000) for _ in range(2)}
    odd = {run_at(sqlite_bench, f"ftp://{silent_host}/{number}") for number in range(12)}
    source = Source(
        sqlite_bench.uri,
        max_artifact_bytes=LIMIT,
        spool=Scratch(sqlite_bench.folder / "other"),
        clock=sqlite_bench.clock,
        timeout=8.0,
    )
    begun = time.monotonic()
    first = source.runs(sqlite_bench.experiment, known={}, full=True)
    assert 2 < time.monotonic() - begun < 5
    assert {artifact.run_id for artifact in first.artifacts} == good
    assert why(first) == dict.fromkeys(((run_id, "/") for run_id in odd), "not_listed")
    begun = time.monotonic()
    second = source.runs(sqlite_bench.experiment, known=first.states, full=False, relist=True)
    assert time.monotonic() - begun < 1
    assert why(second) == why(first)
    # Until they are to be tried again, they are not even looked at.
    assert not source.runs(sqlite_bench.experiment, known=second.states, full=False).unlisted


def test_tried_again_later(sqlite_bench: Bench) -> None:
    """A run that could not be listed stays due, rests for a minute, and is read once it can be listed."""
    sqlite_bench.run("a.csv", start_time=1_000)
    stray = run_at(sqlite_bench, "gopher://host/x")
    first = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    assert first.states[stray].listed_at == 0
    (sqlite_bench.folder / "new").mkdir()
    (sqlite_bench.folder / "new" / "b.csv").write_text("x")
    place(sqlite_bench, stray, str(sqlite_bench.folder / "new"))
    sqlite_bench.clock.now += 30
    second = sqlite_bench.source.runs(sqlite_bench.experiment, known=first.states, full=False)
    assert stray not in {artifact.run_id for artifact in second.artifacts}
    sqlite_bench.clock.now += 30
    third = sqlite_bench.source.runs(sqlite_bench.experiment, known=second.states, full=False)
    assert stray in {artifact.run_id for artifact in third.artifacts}
    assert third.states[stray].listed_at > 0


def test_artifact_store_gone(sqlite_bench: Bench) -> None:
    """When no run at all can be listed, the pass fails and nothing is taken as settled."""
    for number in range(3):
        run_at(sqlite_bench, f"ftp://127.0.0.1:1/{number}")
    with pytest.raises(SourceUnavailable, match=r"all files of run .* connection refused"):
        sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)


@pytest.mark.parametrize("newest", [8, 20])
def test_many_newest_runs_that_cannot_be_used(sqlite_bench: Bench, newest: int) -> None:
    """However many there are, older runs are listed."""
    good = sqlite_bench.run("a.csv", start_time=1_000)
    for _ in range(newest):
        run_at(sqlite_bench, "gopher://host/x")
    found = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    assert [artifact.run_id for artifact in found.artifacts] == [good]
    assert len(found.unlisted) == newest


# Names that people give files and folders, and that mean something in URLs, globs or shells.
READ = ["a b", "50%", "grün-日本", "a?b", "a&b=c", "a+b", "[a]*", "'q\"", "a;b", "B:c", "x" * 200]
# The server would read another file in place of these, or none.
MISREAD = ["%2F", "a%20b", "100%25", "%ff"]
REFUSED = ["a#b", "#1"]
UNPRINTED = ["a\tb"]


def what_is_read(source: Source, found: Discovery) -> dict[str, str]:
    """Return the text of each file by its path, or the reason why there is none."""
    read = {item.path: item.reason for item in found.unlisted}
    for artifact in found.artifacts:
        try:
            read[artifact.path] = content(source, artifact).decode()
        except BatchError as error:
            read[artifact.path] = error.reason
    return read


def test_names_behind_the_proxy(http_bench: Bench, server_artifacts: Path) -> None:
    """Whatever a file or folder is called, it is read or named, never taken for another, and the others are read."""
    run_id = http_bench.run("good.csv", "deep/good.csv")
    root = server_artifacts / http_bench.experiment_id / run_id / "artifacts"
    for name in [*READ, *MISREAD, *REFUSED, *UNPRINTED]:
        (root / name).mkdir()
        (root / name / "in.csv").write_text(f"in {name}")
        (root / f"{name}.csv").write_text(f"is {name}")
    (root / "end.csv?").write_text("is end?")
    found = http_bench.source.runs(http_bench.experiment, known={}, full=True)
    expected = dict.fromkeys(("good.csv", "deep/good.csv"), '{"prediction": 1}\n')
    expected |= {f"{name}.csv": f"is {name}" for name in READ} | {f"{name}/in.csv": f"in {name}" for name in READ}
    expected |= {f"{name}{end}": "unsafe_name" for name in MISREAD for end in (".csv", "/")}
    expected |= {f"{name}.csv": "not_delivered" for name in REFUSED} | {f"{name}/": "not_listed" for name in REFUSED}
    expected |= {f"{f'{name}{end}'!a}": "unsafe_name" for name in UNPRINTED for end in ("", ".csv")}
    expected |= {"end.csv?": "unsafe_name"}
    assert what_is_read(http_bench.source, found) == expected
    (folder,) = (item for item in found.unlisted if item.path == "a#b/")
    assert re.search(r'refuses the name of folder ".*/artifacts/a#b" \(400\): rename it', folder.text)


def test_names_on_this_machine(sqlite_bench: Bench) -> None:
    """A folder of this machine is read whatever names are in it."""
    run_id = sqlite_bench.run("good.csv")
    root = local_folder(sqlite_bench.client.get_run(run_id).info.artifact_uri)
    names = [*READ, *MISREAD, *REFUSED]
    for name in names:
        (root / name).mkdir()
        (root / name / "in.csv").write_text(f"in {name}")
    (root / "a\tb.csv").write_text("x")
    found = sqlite_bench.source.runs(sqlite_bench.experiment, known={}, full=True)
    expected = {f"{name}/in.csv": f"in {name}" for name in names} | {r"'a\tb.csv'": "unsafe_name"}
    assert what_is_read(sqlite_bench.source, found) == expected | {"good.csv": '{"prediction": 1}\n'}


def test_runs_with_a_folder_that_the_server_refuses(http_bench: Bench, server_artifacts: Path) -> None:
    """Of nine runs each is read; the folder rests, and the run stays due."""
    runs = [http_bench.run("good.csv") for _ in range(9)]
    for run_id in runs:
        (server_artifacts / http_bench.experiment_id / run_id / "artifacts" / "eval#1").mkdir()
    first = http_bench.source.runs(http_bench.experiment, known={}, full=True)
    assert {artifact.run_id for artifact in first.artifacts} == set(runs)
    assert why(first) == dict.fromkeys(((run_id, "eval#1/") for run_id in runs), "not_listed")
    assert {state.listed_at for state in first.states.values()} == {0}
    http_bench.clock.now += 30
    second = http_bench.source.runs(http_bench.experiment, known=first.states, full=False)
    assert (second.artifacts, second.unlisted) == ((), ())
    http_bench.clock.now += 30
    third = http_bench.source.runs(http_bench.experiment, known=second.states, full=False)
    assert len(third.unlisted) == 9
