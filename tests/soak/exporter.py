"""The exporter that is killed: `driftgauge serve` in a process of its own, its log, its state file and its page.

Python's fork server starts its front, with the imports done, and what runs is the command line itself. Its refresher is
the fresh process that it always is.
"""

import http.client
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Literal

from prometheus_client import parser

from processes import children_of, eventually, is_alive

Victim = Literal["front", "refresher", "both"]
VICTIMS: Final[tuple[Victim, ...]] = ("front", "refresher", "both")
# Those whose kill ends the process that commits.
COMMITTING: Final[tuple[Victim, ...]] = ("refresher", "both")
Page = dict[tuple[str, tuple[tuple[str, str], ...]], float]

PROCESSES: Final = multiprocessing.get_context("forkserver")
_COMMITTED: Final = "batches committed"
_START_SECONDS: Final = 60
_END_SECONDS: Final = 10
_PRELOADED: Final = [
    "driftgauge.cli",
    "driftgauge.service.front",
    "driftgauge.service.process",
    "driftgauge.web.app",
    "driftgauge.web.server",
]


def preload() -> None:
    """Have processes start with the product imported; to be called before the first one starts."""
    PROCESSES.set_forkserver_preload(_PRELOADED)


class Exporter:
    """One life of the exporter; `log` is the file that gets its lines."""

    def __init__(self, config: Path, state: Path, port: int, log: Path) -> None:
        self._wal = state / "driftgauge.duckdb.wal"
        self._port = port
        self._log = log
        log.touch()
        self._process = PROCESSES.Process(target=_serve, args=(str(config), port, str(log)))
        self._process.start()
        self._aimed: list[int] = []

    def page(self) -> Page | None:
        """Return what /metrics says, None until the first refresh is done."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
                connection.request("GET", "/-/ready")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    return None
                connection.request("GET", "/metrics")
                return parsed(connection.getresponse().read().decode())
        except ConnectionRefusedError:
            return None

    def first_page(self) -> Page:
        """Wait for the first refresh and return the page."""
        found: list[Page] = []

        def ready() -> bool:
            page = self.page()
            found.extend([page] if page else [])
            return page is not None

        self.wait_for(ready, pause=0.02)
        return found[0]

    def wait_for(self, condition: Callable[[], bool], *, pause: float) -> None:
        """Wait until the condition holds, asked every `pause` s; raise when the exporter ends or nothing happens."""
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            if time.monotonic() > deadline or not self._process.is_alive():
                raise AssertionError(f"waited in vain for driftgauge:\n{self._log.read_text()}")
            time.sleep(pause)

    def growth(self) -> Callable[[], bool]:
        """Return what tells whether DuckDB's write-ahead log has grown: it does while a transaction commits, only then.

        It shrinks when DuckDB writes it into the file, after a start for example.
        """
        smallest = self._written

        def grown() -> bool:
            nonlocal smallest
            written = self._written
            smallest = min(smallest, written)
            return written > smallest

        return grown

    @property
    def _written(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def commits(self) -> int:
        """How many times it said that it had committed batches."""
        return self._log.read_text(encoding="utf-8").count(_COMMITTED)

    def aim(self) -> None:
        """Look for the refresher that `kill` is to end: that takes longer than a commit."""
        self._aimed = children_of(self._process.pid or 0)

    def kill(self, victim: Victim) -> None:
        """Send SIGKILL to one of its processes or both; without the front it is gone, and its refresher ends as well.

        When the refresher alone is killed, the front serves on and starts another.
        """
        refreshers = self._aimed or children_of(self._process.pid or 0)
        self._aimed = []
        if victim != "front":
            for refresher in refreshers:
                with suppress(ProcessLookupError):
                    os.kill(refresher, signal.SIGKILL)
        if victim != "refresher":
            self._process.kill()
        ended = eventually(lambda: not any(map(is_alive, refreshers)), seconds=_END_SECONDS)
        assert ended, f"the refresher did not end:\n{self._log.read_text()}"
        if victim == "refresher":
            return
        self._process.join()
        assert self._process.exitcode == -9, f"driftgauge ended without a kill:\n{self._log.read_text()}"


def parsed(text: str) -> Page:
    """Return the samples of a page in the text format by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def _serve(config: str, port: int, log: str) -> None:
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), sys.stderr.fileno())
    from driftgauge.cli import main  # noqa: PLC0415 - the fork server has imported it, the tests need not

    main(["serve", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"])
