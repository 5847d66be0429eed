"""One run: a writer that never rests, an exporter that is killed again and again, and a clean pass to compare with."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from soak.books import Books
from soak.exporter import COMMITTING, PROCESSES, VICTIMS, Exporter, Page, parsed, preload
from soak.writer import CHURN, CHURN_LABELS, ETA, ETA_HORIZON, write

# Rows are up to 5 hours old: all of them lie in the longest window, and panes leave the shortest one during the run.
_CONFIG: Final = """
mlflow: {{tracking_uri: "{uri}"}}
refresh_interval: 500ms
state_dir: {state}
windows: [3m, 30m, 6h]
models:
  - name: churn
    predictions: {{experiment: {churn}, artifacts: "predictions*"}}
    labels: {{experiment: {churn_labels}}}
    reference: {{uri: "{reference}"}}
  - name: eta
    task: regression
    predictions: {{experiment: {eta}, artifacts: "predictions*"}}
    labels: {{window_by: prediction_time, horizon: {horizon}}}
"""
_ONCE_SECONDS: Final = 120
_MINUTE: Final = 60
# By then rows have left every window, and predictions and labels that still wait are past eta's horizon.
_LATER: Final = 2 * 3600
# One kill in this many must hit a commit. Whether one does is a race that a busy machine often loses, so kills go on
# until enough have, up to this many times the requested number.
INSIDE: Final = 4
_TRIES: Final = 3
# Seconds. As fine as sleeping allows: the write-ahead log grows for a few milliseconds per commit.
_POLL: Final = 0.0002


@dataclass
class Run:
    """What a run found. Pages by evaluation time (s): of the state that was killed, and of one pass over all."""

    kills: int = 0
    inside: int = 0
    scrapes: int = 0
    lost: list[str] = field(default_factory=list)
    books: Mapping[str, Books] = field(default_factory=dict)
    killed: dict[int, Page] = field(default_factory=dict)
    clean: dict[int, Page] = field(default_factory=dict)


class Harness:
    """Runs one crash test in `folder` against the tracking server at `tracking_uri`."""

    def __init__(self, tracking_uri: str, folder: Path, *, port: int, seed: int) -> None:
        self._uri = tracking_uri
        self._folder = folder
        self._port = port
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - when to kill
        self._seen: Page = {}
        self._exporter: Exporter | None = None
        self._run = Run()

    def run(self, kills: int) -> Run:
        """Kill the exporter at least that often while the writer writes; then evaluate its state and a clean pass."""
        preload()
        reference(seed=self._seed).to_csv(self._folder / "reference.csv", index=False)
        config = self._config("killed")
        with self._writing() as line:
            commits = [self._in_first_refresh, self._in_first_refresh, self._in_later_refresh]
            self._live(config, self._when_ready)
            line.send("go")
            while self._run.kills < kills:
                self._live(config, self._random.choice([self._at_random, *commits]))
            while self._run.inside < kills // INSIDE and self._run.kills < kills * _TRIES:
                self._live(config, self._random.choice(commits))
            line.send("stop")
            self._run.books = line.recv()
        self._live(config, self._when_ready, whole=True)
        # Whole minutes: rows that were ahead of the clock of a refresh count from the next one on.
        now = (int(time.time()) // _MINUTE + 1) * _MINUTE
        for at in (now, now + _LATER):
            with ThreadPoolExecutor(2) as both:
                configs = self._config("killed"), self._config("clean")
                self._run.killed[at], self._run.clean[at] = both.map(once, configs, (at, at))
        return self._run

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Start a writer and lend the line to it, once the experiments are there."""
        outbox = self._folder / "outbox"
        outbox.mkdir()
        ours, theirs = PROCESSES.Pipe()
        writer = PROCESSES.Process(target=write, args=(self._uri, outbox, self._seed, theirs))
        writer.start()
        theirs.close()
        try:
            assert ours.recv() == "ready"
            yield ours
        finally:
            writer.kill()
            writer.join()

    def _config(self, name: str) -> Path:
        path = self._folder / f"{name}.yml"
        places = {"uri": self._uri, "state": self._folder / name, "reference": self._folder / "reference.csv"}
        experiments = {"churn": CHURN, "churn_labels": CHURN_LABELS, "eta": ETA, "horizon": ETA_HORIZON}
        path.write_text(_CONFIG.format(**places, **experiments), encoding="utf-8")
        return path

    def _live(self, config: Path, until: Callable[[Exporter], int | None], *, whole: bool = False) -> None:
        """Start the exporter, unless its front runs, and kill one of its processes or both when `until` returns.

        until: returns how many commits had ended when the last one began, None if it did not look. whole: kill both.
        """
        if self._exporter is None:
            log = self._folder / f"life-{self._run.kills}.log"
            self._exporter = Exporter(config, self._folder / "killed", self._port, log)
        exporter, victim = self._exporter, VICTIMS[0]
        try:
            commits = until(exporter)
            # When the front goes, its refresher notices some milliseconds later, which is too late for a commit.
            victim = "both" if whole else self._random.choice(VICTIMS if commits is None else COMMITTING)
        finally:
            exporter.kill(victim)
        self._exporter = exporter if victim == "refresher" else None
        self._run.inside += exporter.commits == commits
        self._run.kills += 1

    # Instants to kill at.

    def _when_ready(self, exporter: Exporter) -> None:
        self._check(exporter.first_page())

    def _at_random(self, exporter: Exporter) -> None:
        """At any time from the start on; if it serves by then, with a scrape right before."""
        time.sleep(self._random.uniform(0, 6))
        page = exporter.page()
        if page is not None:
            self._check(page)

    def _in_first_refresh(self, exporter: Exporter) -> int:
        """In one of the commits that make up for what the last life left undone."""
        return self._in_commit(exporter)

    def _in_later_refresh(self, exporter: Exporter) -> int:
        """In a commit of an exporter that serves."""
        self._check(exporter.first_page())
        return self._in_commit(exporter)

    def _in_commit(self, exporter: Exporter) -> int:
        """As soon as the write-ahead log grows for the first, second or third time."""
        for _ in range(self._random.randint(1, 3)):
            exporter.aim()
            commits = exporter.commits
            exporter.wait_for(exporter.growth(), pause=_POLL)
        return commits

    def _check(self, page: Page) -> None:
        """Compare the counters with all that was scraped before: none may be smaller or gone.

        Only a model of which nothing was ever read may be absent until its first refresh is done: nothing is stored.
        """
        counters = {key: value for key, value in page.items() if is_counter(key[0])}
        read = {dict(labels)["model"] for (_, labels), was in self._seen.items() if was > 0}
        self._run.lost += [
            f"{key}: {was} before, {counters.get(key)} now"
            for key, was in self._seen.items()
            if dict(key[1])["model"] in read and counters.get(key, -1.0) < was
        ]
        self._run.scrapes += 1
        self._seen = counters


def is_counter(name: str) -> bool:
    """Tell whether a sample of a model only ever grows: counters, and the parts of counter histograms."""
    histogram = name.startswith(("model_latency_seconds", "model_label_delay_seconds"))
    return histogram or (name.startswith("model_") and name.endswith("_total"))


def once(config: Path, at: int) -> Page:
    """Return what `driftgauge once` prints at that time (s)."""
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    command = [sys.executable, "-m", "driftgauge", "once", f"--config.file={config}", f"--at={moment}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ONCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def reference(*, seed: int, rows: int = 2_000) -> pd.DataFrame:
    """Return labelled rows that churn's traffic has drifted away from."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 12, rows),
            "amount": rng.lognormal(3, 1, rows),
            "plan": rng.choice(["A", "B", "C"], rows),
            "prediction": rng.random(rows),
            "label": rng.integers(0, 2, rows),
        }
    )
