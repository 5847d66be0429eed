"""B8: how long a fresh process takes to say its version, and until `serve` first answers `/-/healthy`.

With MLflow installed, an empty state and a store that exists. The reference is Python itself doing nothing.
"""

import http.client
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from mlflow_servers import free_port

from .measuring import Contestant, Figures, Notes, Row, Target, duration, expect, interleaved, median
from .stores import Tracking, write_configuration

ROUNDS: Final = 10
_POLL_SECONDS: Final = 0.005
_PATIENCE: Final = 120.0


def run(notes: Notes) -> None:
    """Measure and note the line."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        uri = Tracking(place).uri
        model = {"name": "bench", "predictions": {"experiment": "/bench"}}
        config = write_configuration(place / "driftgauge.yml", uri, place / "state", [model])
        found = interleaved(
            [
                Contestant("version", lambda: _ended([sys.executable, "-m", "driftgauge", "--version"]), ROUNDS),
                Contestant("python", lambda: _ended([sys.executable, "-c", "pass"]), ROUNDS),
                Contestant("serve", lambda: _answering(config), ROUNDS),
            ]
        )
    bare = f"python -c pass {duration(found['python'])}"
    for name, work, most in (
        ("version", "`driftgauge --version`", 0.5),
        ("serve", "`driftgauge serve` to the first answered `/-/healthy`", 0.3),
    ):
        target = Target(most=most)
        taken = median(found[name], "seconds")
        notes.add(Row("B8", work, duration(found[name]), bare, target=target.words("s"), holds=target.holds(taken)))


def _ended(command: list[str]) -> Figures:
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True)
    expect(done.returncode, 0, "exit status")
    return {"seconds": time.perf_counter() - began}


def _answering(config: Path) -> Figures:
    """Start `serve`, ask until it answers, and stop it."""
    port = free_port()
    command = [sys.executable, "-m", "driftgauge", "serve", f"--config.file={config}"]
    began = time.perf_counter()
    with (config.with_suffix(".log")).open("ab") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    try:
        while not _healthy(port):
            if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                raise SystemExit(
                    f"serve did not answer: {config.with_suffix('.log').read_text(encoding='utf-8')[-2000:]}"
                )
            time.sleep(_POLL_SECONDS)
        return {"seconds": time.perf_counter() - began}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/-/healthy")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
