"""`driftgauge demo` as its user runs it: the whole story with real servers, and every way to stop it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import pytest

from driftgauge.demo.directory import MARKER
from driftgauge.demo.story import CHAPTERS, DEGRADED, DRIFT, EXPECTED
from mlflow_servers import free_port

# What takes a minute and a half alone may take much longer on a machine that is busy with much else.
PATIENCE: Final = 600.0
# Whether the story is followed to its end (`make story`) or to the end of the first drift.
WHOLE: Final = "DEMO_WHOLE" in os.environ
# Nearly three times as fast as alone; the shortest window is still a minute.
FAST: Final = "--batch-interval=0.3"
SHOWN: Final = re.compile(r"^\d\d:\d\d:\d\d  (FIRING|RESOLVED)\s+(\w+)  (\w+): ", re.MULTILINE)


@dataclass
class Terminal:
    """A running demo, and all it has printed so far."""

    process: subprocess.Popen[str]
    _lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return what it printed."""
        return "".join(self._lines)

    def read(self) -> None:
        """Read until it has ended."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match in what it prints."""
        deadline = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.text)):
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail(f"waited in vain for {pattern}:\n{self.text}")
            time.sleep(0.1)
        return match

    def shown(self) -> list[tuple[str, str, str]]:
        """Return the alerts that were shown, in order: state, severity, name."""
        return [(found[1], found[2], found[3]) for found in SHOWN.finditer(self.text)]


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[Terminal]:
    """Run the command; killed at the end if it still runs."""
    arguments = [sys.executable, "-m", "driftgauge", "demo", "--directory", str(directory), *options]
    process = subprocess.Popen(
        [*arguments, *([] if any("address" in each for each in options) else ["--web.listen-address=127.0.0.1:0"])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        cwd=directory.parent,
    )
    terminal = Terminal(process)
    reader = threading.Thread(target=terminal.read)
    reader.start()
    try:
        yield terminal
    finally:
        process.kill()
        process.wait()
        reader.join()


def ended(terminal: Terminal) -> int:
    """Wait for the end of the process; return its status."""
    return terminal.process.wait(PATIENCE)


def servers_of(process: subprocess.Popen[str]) -> dict[str, int]:
    """Return the process ids of the servers that it started, by the name of their program."""
    done = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    children = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    names = {int(pid): "hook" if " hook " in " ".join(rest) else Path(path).name for pid, path, *rest in children}
    return {name: pid for pid, name in names.items() if "prometheus" in name or name == "hook"}


def runs(pid: int) -> bool:
    """Whether the process is there and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def get(url: str) -> str:
    """Return the body of an answer."""
    with urlopen(url, timeout=60) as response:  # noqa: S310 - our own servers
        body: str = response.read().decode()
        return body


def first_words(chapter: int) -> str:
    """Return the pattern of the line that a chapter begins with."""
    return r"\n\d\d:\d\d:\d\d  " + re.escape(CHAPTERS[chapter].words.splitlines()[0])


def test_the_story(tmp_path: Path) -> None:
    """Over the remains of an earlier demo: healthy, drift, and in the whole story worse answers and a new version.

    Ctrl-C ends it and its servers. While it runs, a second demo in its directory or on its port is refused.
    """
    (tmp_path / "demo" / "state").mkdir(parents=True)
    for remains in (MARKER, "mlflow.db", "state/driftgauge.duckdb"):
        (tmp_path / "demo" / remains).write_text("of an earlier demo")
    with demo(tmp_path / "demo", FAST, f"--web.listen-address=127.0.0.1:{free_port()}") as terminal:
        url = terminal.wait_for(r"(http://\S+)/metrics")[1]
        servers = servers_of(terminal.process)
        assert set(servers) == {"prometheus", "prometheus-alertmanager", "hook"}
        _refuses_others(tmp_path, url)
        _shown_in_order(terminal)
        _words(terminal, url)
        terminal.process.send_signal(signal.SIGINT)
        assert ended(terminal) == 0
        wait_until(lambda: not any(map(runs, servers.values())))
    assert "Traceback" not in terminal.text


def _refuses_others(folder: Path, url: str) -> None:
    with demo(folder / "demo") as second:
        assert ended(second) == 1
    assert "another demo is running in" in second.text
    with demo(folder / "other", f"--web.listen-address={url.partition('//')[2]}") as third:
        assert ended(third) == 2
    assert "is taken; is another driftgauge running?" in third.text


def _shown_in_order(terminal: Terminal) -> None:
    """Follow the chapters: nothing while all is well, then drift; of the whole story, what follows as well."""
    before = terminal.text[: terminal.wait_for(first_words(1)).start()]
    assert SHOWN.findall(before) == []
    drift, broken = (terminal.wait_for(words) for words in (rf"FIRING\s+HIGH  {DRIFT}", first_words(2)))
    assert drift.start() < broken.start()
    if WHOLE:
        _resolved_in_order(terminal, broken.start())
        _retrained_once(terminal)


def _resolved_in_order(terminal: Terminal, broken: int) -> None:
    """Follow the drop in quality after the feed broke, expected and then known, and the alerts to their end.

    They end when the next version answers.
    """
    expected, labels = (terminal.wait_for(words) for words in (rf"FIRING\s+HIGH  {EXPECTED}", first_words(3)))
    drop, repaired = (terminal.wait_for(words) for words in (rf"FIRING\s+CRITICAL  {DEGRADED}", first_words(4)))
    assert broken < expected.start() < labels.start() < drop.start() < repaired.start()
    second, over = (terminal.wait_for(first_words(chapter)) for chapter in (6, 7))
    before = SHOWN.findall(terminal.text[: second.start()])
    assert before.count(("FIRING", "CRITICAL", DEGRADED)) > before.count(("RESOLVED", "CRITICAL", DEGRADED))
    assert ("RESOLVED", "HIGH", DRIFT) not in before
    shown = SHOWN.findall(terminal.text[: over.start()])
    # All is well again: what fired has ended, and all of it was about the version before. The estimate's alert ends
    # when labels come, and where theirs is faster, unheard.
    fired, resolved = (
        sorted(name for state, _, name in shown if state == wanted and name != EXPECTED)
        for wanted in ("FIRING", "RESOLVED")
    )
    assert fired == resolved
    assert "model flight-delay, version 2" not in terminal.text[: over.start()]
    assert shown.count(("FIRING", "CRITICAL", DEGRADED)) == shown.count(("RESOLVED", "CRITICAL", DEGRADED)) > 0
    assert shown.count(("FIRING", "HIGH", DRIFT)) == shown.count(("RESOLVED", "HIGH", DRIFT)) > 0
    assert shown.index(("RESOLVED", "CRITICAL", DEGRADED)) < shown.index(("RESOLVED", "HIGH", DRIFT))


def _retrained_once(terminal: Terminal) -> None:
    """Look at the hook, at the exporter and at what is said in the end: one start, and a version that is better."""
    hook = terminal.wait_for(r"(http://\S+/metrics)  what alerts have started")[1]
    # Its worker tells MLflow before it ends.
    wait_until(lambda: 'hook_triggers_total{action="retrain",result="done"} 1.0' in get(hook))
    ended = dict(re.findall(r'hook_triggers_total\{action="retrain",result="(\w+)"\} (\S+)', get(hook)))
    assert (ended["done"], ended["failed"], ended["unclear"]) == ("1.0", "0.0", "0.0")
    figures = terminal.wait_for(r"Of the ([\d,]+) flights that version 2 [^;]*about ([\d.]+)%;\n.*about ([\d.]+)%")
    assert int(figures[1].replace(",", "")) > 1000
    assert float(figures[2]) > float(figures[3]) + 3
    page = get(terminal.wait_for(r"(http://\S+/metrics)")[1])
    assert re.search(r'model_drifted_features\{model="flight-delay",version="2",window="1m"\} 0', page)


def _words(terminal: Terminal, url: str) -> None:
    """Each alert says where its runbook is, and it is there, and its report; the watchdog was heard, once."""
    assert terminal.text.count("Alerting works") == 1
    links = re.findall(r"runbook    (http://\S+)\n\s+(/\S+\.md)\n", terminal.text)
    assert len(links) == len(terminal.shown())
    for link, path in set(links):
        assert get(link) == Path(path).read_text(encoding="utf-8")
    reports = re.findall(r"report     (http://\S+)", terminal.text)
    assert len(reports) == len(terminal.shown())
    assert all(link.startswith(f"{url}/models/flight-delay?version=") for link in reports)
    # On a slow machine the first look at the drift finds more of it.
    drifted = r"flight-delay version 1: [3-8] of 8 features drifted in the last 1m; the limit is 3"
    assert re.search(drifted, terminal.text)
    assert 'model_accuracy{model="flight-delay",version="1",window="7d"}' in get(f"{url}/metrics")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_prepares(tmp_path: Path, number: signal.Signals) -> None:
    """A stop during the preparation ends it with 0 and without a traceback, and leaves a directory to start in."""
    with demo(tmp_path / "demo") as terminal:
        terminal.wait_for("training on")
        terminal.process.send_signal(number)
        assert ended(terminal) == 0
    assert terminal.text.endswith("Stopped.\n")
    assert "Traceback" not in terminal.text
    assert (tmp_path / "demo" / MARKER).exists()


LOST: Final = """
import os, signal, time
import driftgauge.demo
from driftgauge.cli import main

def run_demo(*_, say, **__):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    say("the next step")

driftgauge.demo.run_demo = run_demo
main(["demo", "--web.listen-address=127.0.0.1:0"])
"""


def test_a_stop_that_got_lost_counts_at_the_next_step() -> None:
    """Code called from C can lose the exception that Ctrl-C raises; the demo ends all the same."""
    ended = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("Stopped.\n", "", 0)
