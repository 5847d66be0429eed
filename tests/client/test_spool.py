"""Files are whole or absent, never more than allowed, and belong to one living process at a time."""

import json
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import pytest

from client.spools import ended, files, ids, program
from driftgauge.client.lanes import Destination, SpoolFile
from driftgauge.client.locks import FileLock
from driftgauge.client.spool import Spool, prepare

DESTINATION: Final = Destination(
    experiment="/e", server="http://mlflow", model_version="1", sample_rate=1.0, day="2026-01-02"
)
KIB: Final = 1024
LANE: Final = "2026-01-02-aa-0123ab"
PREDICTIONS: Final = "predictions-20260102T000000000000Z-aa-1-5.parquet"


class Opened:
    """A spool, and its callbacks."""

    def __init__(self, folder: Path, owner: str, max_bytes: int = 10 * KIB) -> None:
        self.announced: list[SpoolFile] = []
        self.dropped: list[SpoolFile] = []
        self.spool = Spool(
            folder, owner=owner, max_bytes=max_bytes, announce=self.announced.append, dropped=self.dropped.append
        )

    def add(self, size: int = KIB, destination: Destination = DESTINATION) -> SpoolFile | None:
        """Add a file of that size."""
        return self.spool.add("predictions", destination, 5, lambda file: file.write(b"x" * size))

    def adopt(self) -> list[str]:
        """Adopt all lanes of the experiment and return the batch ids of their files."""
        self.spool.adopt(lambda destination: destination.experiment == "/e")
        return [file.batch_id for file in self.announced if file.recovered]

    def adopt_any(self) -> int:
        """Adopt lanes for any destination and return the number of rows in them."""
        return self.spool.adopt(lambda _: True)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Return an empty spool."""
    found = Opened(tmp_path, "aa")
    yield found
    found.spool.release()


def test_a_file_appears_whole_and_is_announced(opened: Opened, tmp_path: Path) -> None:
    """Its name says kind, batch and rows; nobody else can read it."""
    file = opened.add()

    assert file is not None
    assert opened.announced == [file]
    assert file.path.read_bytes() == b"x" * KIB
    assert file.path.name.startswith("predictions-")
    assert file.path.name.endswith(f"Z-{file.batch_id}-5.parquet")
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert (opened.spool.bytes, opened.spool.count) == (KIB, 1)
    assert [path.name for path in file.path.parent.glob("*.half")] == []
    assert files(tmp_path) == [file.path]


def test_a_file_is_announced_before_anyone_can_send_it(tmp_path: Path) -> None:
    """So that who keeps a list of batches never misses one that MLflow has."""
    visible: list[int] = []
    spool = Spool(
        tmp_path,
        owner="aa",
        max_bytes=KIB,
        announce=lambda _: visible.append(sum(len(lane.files) for lane in spool.lanes())),
        dropped=lambda _: None,
    )
    spool.add("labels", DESTINATION, 1, lambda file: file.write(b"x"))

    assert visible == [0]
    assert [len(lane.files) for lane in spool.lanes()] == [1]
    spool.release()


def test_a_failed_write_leaves_nothing(opened: Opened, tmp_path: Path) -> None:
    """Neither half a file nor a count."""

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        opened.spool.add("predictions", DESTINATION, 5, fail)
    assert [path for path in tmp_path.rglob("*") if "predictions" in path.name] == []
    assert (opened.spool.bytes, opened.announced) == (0, [])


def test_when_it_is_full_the_oldest_go(opened: Opened, tmp_path: Path) -> None:
    """Over all lanes; dropped files are reported."""
    added = [opened.add(4 * KIB, replace(DESTINATION, experiment=name)) for name in ("/e", "/labels", "/e")]

    assert [file and file.batch_id for file in opened.dropped] == [added[0] and added[0].batch_id]
    assert files(tmp_path) == [file.path for file in added[1:] if file]
    assert opened.spool.bytes == 8 * KIB


def test_a_file_that_is_being_sent_is_not_dropped(opened: Opened, tmp_path: Path) -> None:
    """The next oldest goes in its place."""
    first, second = opened.add(4 * KIB), opened.add(4 * KIB)
    assert first is not None
    (lane,) = opened.spool.lanes()
    with opened.spool.sending(lane, first) as there:
        assert there
        third = opened.add(4 * KIB)

    assert opened.dropped == [second]
    assert files(tmp_path) == [file.path for file in (first, third) if file]
    with opened.spool.sending(lane, opened.dropped[0]) as there:
        assert not there


def test_a_file_larger_than_the_spool_is_dropped(opened: Opened, tmp_path: Path) -> None:
    """It costs nothing but itself."""
    kept = opened.add()
    assert opened.add(11 * KIB) is None
    assert [file.bytes for file in opened.dropped] == [11 * KIB]
    assert files(tmp_path) == [kept and kept.path]


def test_the_lane_of_a_living_process_is_left_alone(opened: Opened, tmp_path: Path) -> None:
    """Its lock says that it lives."""
    opened.add()
    other = Opened(tmp_path, "bb")

    assert other.adopt() == []
    opened.spool.release()
    assert other.adopt() == ["aa-1"]
    assert Opened(tmp_path, "cc").adopt() == []
    other.spool.release()


def test_a_killed_process_leaves_what_the_next_one_needs(tmp_path: Path) -> None:
    """Files, the run they go to, and what they are; half a file and a lane that was never filled are removed."""
    before = Opened(tmp_path, "aa")
    before.add()
    (lane,) = before.spool.lanes()
    lane.assign("run-7")
    before.spool.release()
    (lane.path / f"{PREDICTIONS}.half").write_bytes(b"PAR1")
    unfinished = tmp_path / "2026-01-02-bb-0123ab"
    unfinished.mkdir()

    now = Opened(tmp_path, "cc")
    assert now.adopt() == ["aa-1"]
    (adopted,) = now.spool.lanes()
    assert (adopted.run_id, adopted.destination, adopted.adopted) == ("run-7", DESTINATION, True)
    assert [(file.rows, file.kind, file.bytes) for file in adopted.files.values()] == [(5, "predictions", KIB)]
    assert list(tmp_path.rglob("*.half")) == []
    assert not unfinished.exists()
    now.spool.release()


def test_nothing_is_added_to_an_adopted_lane(tmp_path: Path) -> None:
    """A run belongs to one process."""
    before = Opened(tmp_path, "aa")
    before.add()
    before.spool.release()
    now = Opened(tmp_path, "bb")
    now.adopt()
    now.add()

    assert [len(lane.files) for lane in now.spool.lanes()] == [1, 1]
    now.spool.release()


def test_lanes_for_other_destinations_stay(tmp_path: Path) -> None:
    """They wait for a logger that is for them."""
    before = Opened(tmp_path, "aa")
    before.add(destination=replace(DESTINATION, experiment="/other"))
    before.spool.release()

    assert Opened(tmp_path, "bb").adopt() == []
    assert len(files(tmp_path)) == 1


def test_adopted_files_count_towards_the_bound(tmp_path: Path) -> None:
    """However often a process crashes while MLflow is away, the spool stays within its limit."""
    for owner in ("aa", "bb", "cc"):
        before = Opened(tmp_path, owner)
        before.add(4 * KIB)
        before.spool.release()
    now = Opened(tmp_path, "dd")
    now.adopt()

    assert [file.batch_id for file in now.dropped] == ["aa-1"]
    assert now.spool.bytes == 8 * KIB
    now.spool.release()


def test_a_lane_is_removed_once_it_is_empty(opened: Opened, tmp_path: Path) -> None:
    """Not before, even when nobody counted what is in it."""
    file = opened.add()
    (lane,) = opened.spool.lanes()
    assert file is not None
    assert not opened.spool.retire(lane)
    opened.spool.remove(lane, file)
    assert opened.spool.retire(lane)
    assert not lane.path.exists()
    assert (opened.spool.lanes(), opened.spool.bytes) == ([], 0)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("destination", ["", "{}", "[]", '{"experiment": "/e"}'])
def test_a_lane_whose_description_is_damaged_is_left_alone(tmp_path: Path, destination: str) -> None:
    """Its files stay for someone to look at; they stop nobody."""
    lane = tmp_path / LANE
    lane.mkdir()
    (lane / "about.json").write_text(destination)
    (lane / PREDICTIONS).write_bytes(b"x")

    now = Opened(tmp_path, "bb")
    assert now.adopt() == []
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("name", ["models", "2026-01-02", "2026-01-02-aa", f"{LANE}-old", f"x{LANE}"])
def test_what_is_no_lane_is_left_alone(opened: Opened, tmp_path: Path, name: str) -> None:
    """Whoever keeps folders next to the lanes, with or without files, finds them again."""
    (tmp_path / name / "empty").mkdir(parents=True)
    (tmp_path / name / "about.json").write_text("{}")

    assert opened.adopt_any() == 0
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["about.json", "empty"]


def test_what_is_added_to_a_lane_stays(opened: Opened, tmp_path: Path) -> None:
    """An empty lane goes, but not with what someone else has put there."""
    file = opened.add()
    (lane,) = opened.spool.lanes()
    assert file is not None
    (lane.path / "notes.txt").write_text("mine")
    (lane.path / "models").mkdir()
    opened.spool.remove(lane, file)

    assert opened.spool.retire(lane)
    assert sorted(path.name for path in lane.path.iterdir()) == ["models", "notes.txt"]
    assert Opened(tmp_path, "bb").adopt_any() == 0
    assert sorted(path.name for path in lane.path.iterdir()) == ["models", "notes.txt"]


@pytest.mark.parametrize("planted", ["folder", "file", "hard link", "pipe", "lane", "open lane"])
def test_links_and_devices_are_no_files(tmp_path: Path, planted: str) -> None:
    """Where others can write, they can plant names: what these lead to is neither sent nor removed."""
    before = Opened(tmp_path / "spool", "aa")
    kept = before.add()
    (lane,) = before.spool.lanes()
    before.spool.release()
    assert kept is not None
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / PREDICTIONS).write_text("secret")
    (secret / "about.json").write_text((lane.path / "about.json").read_text())
    if planted == "lane":
        (tmp_path / "spool" / LANE).symlink_to(secret)
    elif planted == "open lane":
        shutil.copytree(secret, tmp_path / "spool" / LANE)
        (tmp_path / "spool" / LANE).chmod(0o777)
    elif planted == "hard link":
        (lane.path / PREDICTIONS).hardlink_to(secret / PREDICTIONS)
    elif planted == "pipe":
        os.mkfifo(lane.path / PREDICTIONS)
    else:
        (lane.path / PREDICTIONS).symlink_to(secret if planted == "folder" else secret / PREDICTIONS)

    now = Opened(tmp_path / "spool", "bb")
    assert now.adopt() == [kept.batch_id]
    assert sorted(path.name for path in secret.iterdir()) == ["about.json", PREDICTIONS]
    now.spool.release()


@pytest.mark.parametrize("planted", ["link", "nothing"])
def test_a_file_that_was_exchanged_is_not_sent(opened: Opened, tmp_path: Path, planted: str) -> None:
    """What stands under a file's name when it is sent has to be that file still."""
    file = opened.add()
    (lane,) = opened.spool.lanes()
    assert file is not None
    (tmp_path / "secret").write_text("secret")
    file.path.unlink()
    if planted == "link":
        file.path.symlink_to(tmp_path / "secret")

    with opened.spool.sending(lane, file) as there:
        assert not there
    assert opened.spool.files(lane) == []
    assert opened.spool.count == 0
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_lock_is_no_link(tmp_path: Path) -> None:
    """A name that leads elsewhere is not opened, nor is a file made there."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="lock"):
        FileLock.acquire(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("names", "stranger"),
    [
        ([], None),
        (["lost+found"], None),
        (["lock", LANE], None),
        (["driftgauge-spool", "put here later"], None),
        (["models"], "models"),
        ([LANE, "lock", ".git", "src"], ".git"),
    ],
    ids=["new", "a volume", "an earlier version", "a spool with a guest", "an application", "a repository"],
)
def test_only_an_empty_folder_becomes_a_spool(tmp_path: Path, names: list[str], stranger: str | None) -> None:
    """What is in use for something else is refused by the name of what is there, and stays as it is."""
    for name in names:
        (tmp_path / "spool" / name).mkdir(parents=True)

    assert prepare(tmp_path / "spool") == stranger
    assert (tmp_path / "spool" / "driftgauge-spool").exists() is (stranger is None)
    assert {*names} <= {path.name for path in (tmp_path / "spool").iterdir()}


def test_no_secret_is_in_a_lane(opened: Opened) -> None:
    """What is written down of the destination is what was given, which is without credentials."""
    opened.add()
    (lane,) = opened.spool.lanes()
    found: dict[str, Any] = json.loads((lane.path / "about.json").read_text())
    assert found == {
        "experiment": "/e", "server": "http://mlflow", "model_version": "1", "sample_rate": 1.0, "day": "2026-01-02"
    }  # fmt: skip


def test_two_processes_never_hold_one_lane(tmp_path: Path) -> None:
    """A lane is free as soon as its process is killed, and then for one of those that want it."""
    writer = program(tmp_path, "log = a_logger()\nlog.log({}, 1)\nsay(log.flush())\nsys.stdin.read()")
    assert writer.stdout is not None
    assert writer.stdout.readline() == "True\n"
    assert Opened(tmp_path, "bb").adopt_any() == 0

    writer.send_signal(signal.SIGKILL)
    ended(writer, -signal.SIGKILL)
    takers = [Opened(tmp_path, f"{number}a") for number in range(4)]
    assert sorted(taker.adopt_any() for taker in takers) == [0, 0, 0, 1]
    for taker in takers:
        taker.spool.release()


def test_a_child_does_not_keep_the_lane_of_its_parent(tmp_path: Path) -> None:
    """A fork inherits open files and their locks; yet the lane is free once the parent is killed, whoever lives on."""
    body = """
log = a_logger()
log.log({}, 1)
log.flush()
if os.fork() == 0:
    say(os.getpid())
signal.pause()
"""
    parent = program(tmp_path, body)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    taker = Opened(tmp_path, "bb")
    try:
        assert taker.adopt_any() == 0
        parent.kill()
        parent.wait()
        assert taker.adopt_any() == 1
    finally:
        os.kill(child, signal.SIGKILL)
        ended(parent, -signal.SIGKILL)
        taker.spool.release()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """Rows wait in memory while not a byte can be written, however often it is tried, and are written afterwards."""
    body = """
import resource

log = a_logger()
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))
log.log({}, 1, request_id="a")
say([log.flush() for _ in range(5)], sorted(os.listdir(sys.argv[1])), len(os.listdir("/proc/self/fd")))
say(log.flush(), len(os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
say(log.flush(), log.health().dropped["unwritable"])
"""
    first, second, third = ended(program(tmp_path, body)).splitlines()
    attempts, _, descriptors = first.rpartition(" ")
    assert attempts == f"{[False] * 5} ['driftgauge-spool', 'lock']"
    assert second == f"False {descriptors}"
    assert third == "True 0"
    assert ids(tmp_path) == ["a"]
