"""Workers: one does it, the others do nothing; what came of it is on record."""

import sys
from pathlib import Path

import pytest

from driftgauge.hook.journal import Trigger, opened, trigger_id
from driftgauge.hook.plans import Plan
from driftgauge.hook.worker import alone, work
from mlflow_servers import free_port

from .samples import alert
from .servers import target

ID = trigger_id(alert(), "retrain")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a journal in which one trigger waits."""
    with opened(tmp_path) as journal:
        journal.receive([(alert(), "retrain")], now=1.0)
    return tmp_path


def found(folder: Path) -> Trigger:
    """Return the trigger as the journal has it."""
    with opened(folder) as journal:
        trigger = journal.find(ID)
    assert trigger is not None
    return trigger


def call(url: str, **more: object) -> Plan:
    """Return the plan of a call with three attempts."""
    plan = {"timeout": 5.0, "attempts": 3, "backoff": 0.1} | more
    return Plan("http", {"method": "POST", "url": url, "headers": {}, "body": None}, **plan)  # type: ignore[arg-type]


def test_it_is_done_once(folder: Path) -> None:
    """A second worker finds it claimed."""
    with target(200) as server:
        work(folder, ID, call(server.url))
        work(folder, ID, call(server.url))

        assert len(server.asked) == 1
    assert (found(folder).state, found(folder).attempts) == ("done", 1)


def test_while_another_one_works_nothing_is_done(folder: Path) -> None:
    """Not even a claim."""
    import subprocess  # noqa: PLC0415

    script = (
        "import pathlib, sys; from driftgauge.hook.worker import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), sys.argv[2]) as free: print(free, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder), ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "True\n"
        work(folder, ID, call("http://127.0.0.1:1/"))
        assert found(folder).state == "waiting"
        other.stdin.close()
    with alone(folder, ID) as is_free:
        assert is_free


def test_what_had_no_effect_is_tried_again_until_it_is_enough(folder: Path) -> None:
    """With growing pauses; then it has failed."""
    plan = call(f"http://127.0.0.1:{free_port()}/")
    for attempt, state in ((1, "waiting"), (2, "waiting"), (3, "failed")):
        work(folder, ID, plan)
        assert (found(folder).attempts, found(folder).state) == (attempt, state)


@pytest.mark.parametrize(("repeat", "state"), [(False, "unclear"), (True, "waiting")])
def test_what_was_not_answered(folder: Path, *, repeat: bool, state: str) -> None:
    """It is done again only if the target can tell repetitions."""
    with target(None) as server:
        work(folder, ID, call(server.url, repeat_unanswered=repeat))

        assert found(folder).state == state
        assert len(server.asked) == 1


def test_without_mlflow_it_counts_as_recorded(folder: Path) -> None:
    """Nothing is left to do."""
    work(folder, ID, Plan("dry_run", {"would_be": "command", "arguments": ["x"]}, 1.0))

    with opened(folder) as journal:
        assert journal.unrecorded(1e12) == []


def test_mlflow_that_fails_is_told_later(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trigger itself does not suffer."""
    mlflow = {"tracking_uri": "nonsense://x", "experiment": "/e"}
    work(folder, ID, Plan("dry_run", {"would_be": "command", "arguments": ["x"]}, 1.0, mlflow=mlflow))

    assert found(folder).state == "dry_run"
    assert "not recorded in MLflow" in capsys.readouterr().err
    with opened(folder) as journal:
        assert journal.unrecorded(1e12) == [ID]
