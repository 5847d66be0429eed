"""The dispatcher, looked at between two looks of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftgauge.hook.dispatching import Dispatcher
from driftgauge.hook.journal import Journal, opened, trigger_id
from driftgauge.hook.settings import Settings
from processes import eventually

from .samples import alert, one_action

ID = trigger_id(alert(), "retrain")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Return a journal in which one trigger waits."""
    with opened(tmp_path / "driftgauge-hook") as found:
        found.receive([(alert(), "retrain")], now=time.time())
        yield found


def ended(journal: Journal, settings: Settings, state: str) -> bool:
    """Look again and again until the trigger has ended so."""
    dispatcher = Dispatcher(settings)

    def has() -> bool:
        dispatcher.look(journal, now=time.time())
        found = journal.find(ID)
        return found is not None and found.state == state

    return eventually(has, seconds=60)


def test_a_dry_run(journal: Journal, tmp_path: Path) -> None:
    """All but the action itself."""
    settings = one_action("command: [touch, /nonexistent/x]", tmp_path, dry_run="true")

    assert ended(journal, settings, "dry_run")


@pytest.mark.parametrize(
    ("action", "state"),
    [
        ("command: [x]", "unclear"),
        ("http: {url: 'http://x'}", "unclear"),
        ("http: {url: 'http://x', repeat_unanswered: true}", "waiting"),
        ("job: {namespace: ml, manifest: {}}", "waiting"),
    ],
)
def test_a_worker_that_died(journal: Journal, tmp_path: Path, action: str, state: str) -> None:
    """What it was at is done again only where that is harmless."""
    journal.claim(ID, now=time.time())

    Dispatcher(one_action(action, tmp_path)).look(journal, now=time.time())

    found = journal.find(ID)
    assert found is not None
    assert (found.state, "worker died" in found.answer) == (state, True)


def test_a_worker_that_lives_is_left_alone(journal: Journal, tmp_path: Path) -> None:
    """As after a restart: it is not this dispatcher's child. When it is killed, that is found out."""
    folder = tmp_path / "driftgauge-hook"
    script = (
        "import pathlib, sys, time\nfrom driftgauge.hook.journal import opened\n"
        "from driftgauge.hook.worker import alone\n"
        "folder, trigger = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "with alone(folder, trigger), opened(folder) as journal:\n"
        "    print(journal.claim(trigger, now=1.0), flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(folder), ID], stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"True\n"
        dispatcher = Dispatcher(one_action("command: [x]", tmp_path))
        dispatcher.look(journal, now=time.time())
        assert [trigger.id for trigger in journal.running()] == [ID]
        os.kill(worker.pid, signal.SIGKILL)
    dispatcher.look(journal, now=time.time())

    found = journal.find(ID)
    assert found is not None
    assert found.state == "unclear"


def test_an_action_that_is_gone(journal: Journal, tmp_path: Path) -> None:
    """The file was changed in between: it is said, not forgotten."""
    settings = one_action("command: [x]", tmp_path)
    other = settings.model_copy(
        update={"actions": tuple(a.model_copy(update={"name": "other"}) for a in settings.actions)}
    )

    Dispatcher(other).look(journal, now=time.time())

    found = journal.find(ID)
    assert found is not None
    assert (found.state, found.answer) == ("failed", "there is no action retrain any more")


def test_a_template_that_fails(journal: Journal, tmp_path: Path) -> None:
    """It fails, and the others go on."""
    settings = one_action("command: ['{{ \"x\" * (70000 * (version | int)) }}']", tmp_path)
    journal.receive([(alert("b", model="fraud", version="0"), "retrain")], now=time.time())

    Dispatcher(settings).look(journal, now=time.time())

    found = journal.find(ID)
    assert found is not None
    assert found.state == "failed"
    assert "filled in" in found.answer


def test_no_more_at_a_time_than_allowed(journal: Journal, tmp_path: Path) -> None:
    """The others wait for their turn."""
    settings = one_action("command: [sleep, '30']", tmp_path, concurrency="2")
    journal.receive([(alert(f"{n}", model=f"m{n}"), "retrain") for n in range(5)], now=time.time())
    dispatcher = Dispatcher(settings)
    dispatcher.look(journal, now=time.time())

    assert eventually(lambda: len(journal.running()) == 2, seconds=60)
    dispatcher.look(journal, now=time.time())
    time.sleep(0.2)
    assert len(journal.running()) == 2
    for worker in dispatcher.workers:
        os.killpg(worker, signal.SIGKILL)


def test_what_mlflow_was_not_told_is_told_later(journal: Journal, tmp_path: Path) -> None:
    """By a worker that does nothing else."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    settings = one_action("command: [x]", tmp_path, mlflow=f"{{tracking_uri: '{uri}'}}")
    journal.claim(ID, now=time.time())
    journal.end(ID, action="retrain", state="failed", answer="x", now=time.time())
    dispatcher = Dispatcher(settings)
    dispatcher.look(journal, now=time.time())

    assert eventually(lambda: not journal.unrecorded(1e12), seconds=120)
    found = journal.find(ID)
    assert found is not None
    assert (found.state, found.attempts) == ("failed", 1)
