"""A state directory that fills up, or cannot be written: what is said, what is served, and that nothing is lost.

The exporter runs in a mount namespace of its own, in which its state directory is a small file system of its own.
"""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient

from e2e.exporter import Exporter, serving
from mlflow_servers import free_port

ROWS = 2000


def log_rows(uri: str, folder: Path, first: int) -> None:
    """Log `ROWS` predictions with keys, so that they are stored until their labels come."""
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("churn")
    experiment = found.experiment_id if found else client.create_experiment("churn", str(folder / "artifacts"))
    run = client.create_run(experiment)
    rows = ({"request_id": f"request {n}", "prediction": 0.9} for n in range(first, first + ROWS))
    client.log_text(run.info.run_id, "".join(json.dumps(row) + "\n" for row in rows), "predictions.jsonl")
    client.set_terminated(run.info.run_id)


def write_config(uri: str, folder: Path) -> Path:
    """Write a configuration whose state directory is `folder`/state."""
    config = folder / "driftgauge.yml"
    model = {"name": "churn", "predictions": {"experiment": "churn"}, "labels": {}}
    settings = {"mlflow": {"tracking_uri": uri}, "refresh_interval": "500ms", "state_dir": str(folder / "state")}
    config.write_text(json.dumps(settings | {"models": [model]}))
    (folder / "state").mkdir()
    return config


def in_small_space(state: Path, *, options: str) -> list[str]:
    """Return the command prefix that mounts a file system on `state`, for the process it starts only."""
    mount = f'mount -t tmpfs -o {options} tmpfs "{state}" && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]


@contextlib.contextmanager
def no_space(exporter: Exporter, state: Path) -> Iterator[None]:
    """Fill the file system on which the exporter keeps its state."""
    ballast = Path(f"/proc/{exporter.process.pid}/root{state}/ballast")
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


def value(exporter: Exporter, series: str) -> float:
    """Return the value of a series on the page, 0 if it is not there."""
    _, page = exporter.get("/metrics")
    found = re.search(rf"^{re.escape(series)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


PREDICTIONS = 'model_predictions_total{model="churn",version="unknown"}'
FAILURES = 'driftgauge_refresh_failures_total{reason="state"}'


def test_full_disk(sqlite_store: str, tmp_path: Path) -> None:
    """With no space left the last page stays and the reason is said; with space again every row counts once."""
    config = write_config(sqlite_store, tmp_path)
    state = tmp_path / "state"
    log_rows(sqlite_store, tmp_path, 0)
    with serving(config, free_port(), prefix=in_small_space(state, options="size=32m")) as exporter:
        exporter.wait_for(lambda: value(exporter, PREDICTIONS) == ROWS)
        with no_space(exporter, state):
            log_rows(sqlite_store, tmp_path, ROWS)
            exporter.wait_for(lambda: value(exporter, FAILURES) >= 2)
            assert value(exporter, PREDICTIONS) == ROWS
            assert value(exporter, "driftgauge_mlflow_up") == 1
            assert exporter.get("/-/healthy")[0] == 200
        exporter.wait_for(lambda: value(exporter, PREDICTIONS) == 2 * ROWS)
        exporter.wait_for(lambda: value(exporter, "driftgauge_refresh_success") == 1)
        assert value(exporter, "driftgauge_pending_predictions") == 2 * ROWS
    assert "No space left on device" in exporter.log.read_text()


def test_read_only_directory(sqlite_store: str, tmp_path: Path) -> None:
    """A directory that cannot be written is refused at the start, by name and with what to do."""
    config = write_config(sqlite_store, tmp_path)
    state = tmp_path / "state"
    command = [*in_small_space(state, options="ro"), sys.executable, "-m", "driftgauge", "serve"]
    options = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{free_port()}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert f"state_dir: user 0 cannot write to {state}: " in done.stderr
