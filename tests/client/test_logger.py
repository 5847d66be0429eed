"""One line in serving code: it tells what was taken, and neither raises nor waits, whatever it is given."""

import asyncio
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from client.conftest import OfflineLogger
from client.spools import eventually, files, ids, rows
from driftgauge.client import PredictionLogger, SpoolFile
from driftgauge.errors import ConfigError

TIMEOUT = 60


def test_a_row_has_the_id_it_was_given_or_a_new_one(offline: OfflineLogger, spool: Path) -> None:
    """Numbers are ids like text; made-up ids are never the same, also not between loggers."""
    serving, other = offline(), offline()
    given = [serving.log({}, 1, request_id=value) for value in ("order-7", 7, np.int64(8))]
    made = [logger.log({}, 1) for logger in (serving, serving, other)]

    assert given == ["order-7", "7", "8"]
    assert len(set(made)) == 3
    assert serving.flush(TIMEOUT)
    assert other.flush(TIMEOUT)
    assert sorted(ids(spool)) == sorted(map(str, given + made))


def test_serving_code_may_go_on_using_what_it_logged(offline: OfflineLogger, spool: Path) -> None:
    """A row and a batch are stored as they were when they were logged."""
    serving = offline()
    features, frame = {"age": 1}, pd.DataFrame({"age": [2, 3]})
    serving.log(features, 0)
    serving.log_batch(frame, np.array([0, 1]))
    features["age"] = 99
    frame.loc[:, "age"] = 99

    assert serving.flush(TIMEOUT)
    assert [row["feature_age"] for row in rows(spool)] == [1, 2, 3]


def test_a_batch_is_taken_as_a_whole(offline: OfflineLogger, spool: Path) -> None:
    """Its rows keep their order and get the ids that were returned."""
    serving = offline()
    made = serving.log_batch({"age": [1, 2]}, [0, 1], timestamps=[5.0, 6.0], latencies=0.1)
    given = serving.log_batch(pd.DataFrame({"age": [3]}), None, scores=[0.5], request_ids=[7.0])

    assert made is not None
    assert given == ["7"]
    assert serving.flush(TIMEOUT)
    assert ids(spool) == [*made, "7"]
    assert [row["timestamp"].timestamp() for row in rows(spool)][:2] == [5.0, 6.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda serving: serving.log(None, 1),
        lambda serving: serving.log(3.5, 1),
        lambda serving: serving.log_batch(None, [1]),
        lambda serving: serving.log_batch({"age": [1, 2]}, [1]),
        lambda serving: serving.log_batch({"age": [1]}, [1], request_ids=["a", "b"]),
        lambda serving: serving.log_labels(["a", "b"], [1]) or None,
        lambda serving: serving.log_labels(5, [1]) or None,
    ],
)
def test_what_cannot_be_read_is_counted_and_said(
    offline: OfflineLogger, caplog: pytest.LogCaptureFixture, call: Any
) -> None:
    """It is reported by the result, counted and said once, and what follows is logged."""
    serving = offline()
    assert [call(serving), call(serving)] == [None, None]
    assert serving.health().dropped["invalid"] >= 2
    assert caplog.text.count("rows are dropped, for they cannot be read") == 1
    assert serving.log({}, 1) is not None


def test_messages_hold_no_value(offline: OfflineLogger, caplog: pytest.LogCaptureFixture) -> None:
    """Errors of Python and Arrow quote what they could not read."""

    class Telling:
        def keys(self) -> None:
            raise ValueError("secret")

    serving = offline(on_spooled=lambda _: int("secret"))
    serving.log(Telling(), 1)  # type: ignore[arg-type]
    serving.log({}, 1)
    assert serving.flush(TIMEOUT)
    assert "ValueError at " in caplog.text
    assert "on_spooled failed: ValueError at " in caplog.text
    assert "secret" not in caplog.text


def test_a_full_buffer_refuses_and_counts(offline: OfflineLogger, spool: Path) -> None:
    """While nothing can be written, as many rows as allowed wait in memory; they are written once it can be."""
    serving = offline(max_buffer_rows=50)
    shutil.rmtree(spool)
    spool.write_text("no folder")
    assert serving.log({}, 1) is not None
    assert not serving.flush(TIMEOUT)
    taken = [serving.log({}, 1) for _ in range(60)]

    assert sum(key is not None for key in taken) == 50
    assert serving.log_batch({}, [1]) is None
    assert not serving.log_labels(["a"], [1])
    assert serving.health().dropped["buffer_full"] == 12
    spool.unlink()
    assert serving.flush(TIMEOUT)
    assert len(ids(spool)) == 51
    assert serving.log({}, 1) is not None


def test_a_closed_logger_takes_nothing(offline: OfflineLogger) -> None:
    """It says so by its result and counts; closing and flushing again do no harm."""
    serving = offline()
    assert serving.close(TIMEOUT)
    assert serving.log({}, 1) is None
    assert serving.log_batch({"a": [1]}, [1]) is None
    assert not serving.log_labels(["a"], [1])
    assert serving.health().dropped["closed"] == 3
    assert serving.close(TIMEOUT)
    assert serving.flush(TIMEOUT)


def test_a_block_closes_its_logger(offline: OfflineLogger, spool: Path) -> None:
    """Also when it ends by an exception, which goes on."""

    def serve() -> None:
        with offline() as serving:
            serving.log({}, 1, request_id="a")
            raise RuntimeError(serving)

    with pytest.raises(RuntimeError) as caught:
        serve()
    assert ids(spool) == ["a"]
    assert caught.value.args[0].log({}, 1) is None


def test_threads_share_a_logger(offline: OfflineLogger, spool: Path) -> None:
    """Every row that was taken is stored once."""
    serving = offline(max_file_rows=500)
    taken: list[str | None] = []

    def serve() -> None:
        taken.extend([serving.log({"a": number}, 1) for number in range(1_000)])

    threads = [threading.Thread(target=serve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert serving.flush(TIMEOUT)
    assert None not in taken
    assert sorted(ids(spool)) == sorted(map(str, taken))


def test_coroutines_are_not_held_up(offline: OfflineLogger, spool: Path) -> None:
    """Logging goes on in the event loop while the background thread can write nothing at all."""
    release = threading.Event()
    serving = offline(max_file_rows=1, on_spooled=lambda _: release.wait(TIMEOUT))

    async def request(number: int) -> str | None:
        key = serving.log({}, 1, request_id=f"r{number}")
        await asyncio.sleep(0)
        return key

    async def serve() -> list[str | None]:
        return await asyncio.gather(*(request(number) for number in range(200)))

    assert asyncio.run(serve()) == [f"r{number}" for number in range(200)]
    assert not serving.flush(0)
    release.set()
    assert serving.flush(TIMEOUT)
    assert len(files(spool)) == 200


def test_on_spooled_is_called_once_they_are_safe(offline: OfflineLogger) -> None:
    """With their rows, and the file in its place."""
    spooled: list[tuple[SpoolFile, bool]] = []
    serving = offline(on_spooled=lambda file: spooled.append((file, file.path.is_file())))
    serving.log_batch({"a": [1, 2, 3]}, [1, 2, 3])
    serving.log_labels(["a"], [1])
    assert serving.flush(TIMEOUT)
    assert [(file.kind, file.rows, there) for file, there in spooled] == [("predictions", 3, True), ("labels", 1, True)]


def test_a_file_is_written_when_it_is_old_enough(offline: OfflineLogger, spool: Path) -> None:
    """Nobody has to flush."""
    offline(max_file_age=0.05).log({}, 1, request_id="a")
    eventually(lambda: ids(spool) == ["a"])


def test_files_have_bounded_rows_and_bytes(offline: OfflineLogger, spool: Path) -> None:
    """However rows come, one by one or by the thousand."""
    serving = offline(max_file_rows=100, max_file_bytes=4_096)
    for _ in range(150):
        serving.log({}, 1)
    serving.log_batch({"text": ["x" * 100] * 240}, [1] * 240)
    assert serving.flush(TIMEOUT)

    sizes = [int(path.stem.rpartition("-")[2]) for path in files(spool)]
    assert (sum(sizes), max(sizes)) == (390, 100)
    assert min(sizes) < 40


def test_a_spool_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """When the logger is made, not when it is too late."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"spool_dir=…\) cannot make .*file/spool \(Not a directory\)"):
        PredictionLogger("/e", "1", spool_dir=tmp_path / "file" / "spool")


def test_a_folder_that_is_in_use_is_no_spool(tmp_path: Path) -> None:
    """It is refused by the name of what is in it, which stays."""
    weights = tmp_path / "models" / "v1" / "weights.bin"
    weights.parent.mkdir(parents=True)
    weights.write_text("important")
    with pytest.raises(
        ConfigError, match=r'spool_dir=…\): .* is not empty \("models" is in it\): pass a folder that is new'
    ):
        PredictionLogger("/e", "1", spool_dir=tmp_path)
    assert weights.read_text() == "important"


def test_what_makes_no_column_costs_itself_only(
    offline: OfflineLogger, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A matrix in place of a column is missing; a batch that cannot be read is dropped, and its neighbours are not."""

    class Broken:
        def __len__(self) -> int:
            return 1

        def copy(self) -> "Broken":
            return self

        def tolist(self) -> None:
            raise RuntimeError("secret")

    serving = offline()
    serving.log({}, 1, request_id="a")
    serving.log_batch({"matrix": np.zeros((2, 3)), "age": [1, 2]}, [0, 1], request_ids=["b", "c"])
    serving.log_batch({"age": Broken()}, [1])
    serving.log({}, 1, request_id="d")
    assert serving.flush(TIMEOUT)

    assert ids(spool) == ["a", "b", "c", "d"]
    assert [row.get("feature_matrix") for row in rows(spool)] == [None] * 4
    assert serving.health().dropped["unwritable"] == 1
    assert "make no table" in caplog.text
    assert "secret" not in caplog.text
