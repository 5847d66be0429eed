"""`driftgauge hook` as a process: what it starts, what it says, and what is left when it is killed."""

import signal
from pathlib import Path

import pytest

from e2e.exporter import command
from processes import eventually

from .crash import crash
from .running import hooked
from .samples import alert

FILE = """
state_dir: {folder}/state
bearer_token_file: {folder}/token
actions:
  - name: retrain
    matchers: ['alertname="ModelPerformanceDegraded"']
    cool_down: {cool_down}
    command: [sh, -c, 'sleep {seconds}; echo "$0" >> {folder}/started', '{{{{ model }}}}']
"""


def write(folder: Path, *, seconds: float = 0, cool_down: str = "1d") -> Path:
    """Write a file of actions without a token."""
    path = folder / "hook.yml"
    text = FILE.format(folder=folder, seconds=seconds, cool_down=cool_down)
    path.write_text(text.replace(f"bearer_token_file: {folder}/token\n", ""))
    return path


def started(folder: Path) -> list[str]:
    """Return what was started, in order."""
    path = folder / "started"
    return path.read_text().split() if path.exists() else []


def test_one_start_per_model_and_cool_down(tmp_path: Path) -> None:
    """Two metrics of one model fall at once, another model too; repetitions change nothing."""
    with hooked(write(tmp_path)) as hook:
        incidents = [
            alert("a", metric="f1"),
            alert("b", metric="accuracy"),
            alert("c", model="fraud"),
            alert("d", alertname="X"),
        ]
        for _ in range(3):
            assert hook.post(*incidents)
        assert eventually(
            lambda: hook.value('driftgauge_hook_triggers_total{action="retrain",result="done"}') == 2, seconds=60
        )

        assert sorted(started(tmp_path)) == ["churn", "fraud"]
        assert hook.value('driftgauge_hook_waiting{action="retrain",reason="cool_down"}') == 1
        assert hook.value('driftgauge_hook_alerts_total{result="no_action"}') == 3
        # What waited is not started any more once its alert is resolved.
        hook.post(alert("a", metric="f1", firing=False), alert("b", metric="accuracy", firing=False))
        assert hook.value('driftgauge_hook_triggers_total{action="retrain",result="cancelled"}') == 1
        assert hook.end(signal.SIGTERM) == 0


def test_an_action_outlives_the_hook(tmp_path: Path) -> None:
    """It is killed while the action runs; the next one knows how it ended, and starts nothing again."""
    with hooked(write(tmp_path, seconds=3)) as hook:
        assert hook.post(alert())
        assert eventually(lambda: hook.value('driftgauge_hook_running{action="retrain"}') == 1, seconds=60)
        hook.end(signal.SIGKILL)
        hook.start()
        hook.post(alert())
        assert eventually(
            lambda: hook.value('driftgauge_hook_triggers_total{action="retrain",result="done"}') == 1, seconds=60
        )

        assert started(tmp_path) == ["churn"]


def test_killed_at_any_time_it_neither_forgets_nor_repeats(tmp_path: Path) -> None:
    """`make hook-crash` kills fifty times."""
    incidents, starts = crash(tmp_path, kills=2, seed=7)

    assert starts == {f"m{each}": 1 for each in range(incidents)}


def test_a_second_hook_is_refused(tmp_path: Path) -> None:
    """Two would not know of each other's budgets."""
    path = write(tmp_path)
    with hooked(path):
        done = command("hook", f"--hook.file={path}", "--web.listen-address=127.0.0.1:0")

    assert done.returncode == 1
    assert "another driftgauge hook uses it" in done.stderr


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("actions: [{name: a, matchers: ['m=x'], command: [x]}]", 0, "valid, 1 action"),
        ("actions: []", 2, "actions: must have at least one entry"),
        ("", 2, "is empty"),
    ],
)
def test_the_file_can_be_checked(tmp_path: Path, text: str, status: int, said: str) -> None:
    """Without a port, a state or a server."""
    path = tmp_path / "hook.yml"
    path.write_text(text)

    done = command("hook", f"--hook.file={path}", "--hook.check")

    assert (done.returncode, said in done.stdout + done.stderr) == (status, True)
    assert list(tmp_path.iterdir()) == [path]
