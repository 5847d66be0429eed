"""B4: the first pull of 500 runs with a small file each from a real `mlflow server`, and what a refresh asks then.

Against what one writes with MLflow's client: search the runs, list and download the artifacts of each. Requests are
counted by a proxy in front of the server.
"""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from e2e.servers import mlflow_server
from mlflow_servers import free_port
from source.fault_proxy import FaultProxy

from . import datasets, peers
from .measuring import (
    TIMES,
    Contestant,
    Figures,
    Notes,
    Row,
    Target,
    child,
    compared,
    expect,
    interleaved,
)
from .stores import Tracking, configuration, exporting

RUNS: Final = 500
FEW: Final = 50
ROWS: Final = 100
REFRESHES: Final = 5


def run(notes: Notes) -> None:
    """Measure and note the line."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        tracking = Tracking(place, served=True)
        batch = place / "predictions.parquet"
        pq.write_table(datasets.records(5, rows=ROWS, first=0, start=-3600, seconds=3600, features=5), batch)
        for experiment, runs in (("/many", RUNS), ("/few", FEW)):
            for _ in range(runs):
                tracking.log(experiment, batch)
        with mlflow_server(place, free_port()) as url:
            _first_pull(notes, url)
            _nothing_new(notes, url, place)


def _first_pull(notes: Notes, url: str) -> None:
    found = interleaved(
        [
            Contestant("ours", lambda: child("pulling", "pull", url, RUNS), 3),
            Contestant("loop", lambda: peers.MLFLOW.run(notes, url, "/many", str(RUNS)), 1),
        ]
    )
    work = f"first pull of {RUNS} runs over HTTP, read, counted and committed"
    notes.add(
        compared(
            "B4", work, ours=found["ours"], reference=found["loop"], name="MlflowClient loop", target=Target(least=5)
        )
    )


def pull(url: str, runs: str) -> Figures:
    """Refresh an empty state once."""
    with tempfile.TemporaryDirectory() as folder, exporting(_config(url, Path(folder), "/many")) as exporter:
        figures = exporter.refresh()
        expect(exporter.rows, int(runs) * ROWS, "rows counted")
        return figures


def _nothing_new(notes: Notes, url: str, place: Path) -> None:
    """Count the requests of refreshes after the first: they must not grow with the runs."""
    with closing(FaultProxy(url)) as proxy:
        many, few = (_requests(proxy, place / name, f"/{name}") for name in ("many", "few"))
    target = Target(most=1)
    ratio = max(many) / max(few)
    notes.add(
        Row(
            "B4",
            f"requests of a refresh with nothing new, {RUNS} runs",
            f"{max(many)} at most ({', '.join(map(str, many))})",
            f"{FEW} runs: {max(few)} ({', '.join(map(str, few))})",
            ratio=ratio,
            target=f"O(1): {target.words(TIMES)}",
            holds=target.holds(ratio),
        )
    )


def _requests(proxy: FaultProxy, state: Path, experiment: str) -> Sequence[int]:
    counted = []
    with exporting(_config(proxy.url, state, experiment)) as exporter:
        exporter.refresh()
        for _ in range(REFRESHES):
            before = len(proxy.asked)
            exporter.refresh()
            counted.append(len(proxy.asked) - before)
    return counted


def _config(url: str, state: Path, experiment: str) -> Any:
    return configuration(url, state / "state", [{"name": "bench", "predictions": {"experiment": experiment}}])


STEPS: Final = {"pull": pull}
