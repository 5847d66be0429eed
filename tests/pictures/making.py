"""Writes a picture of each dashboard to exporter/docs/pictures.

Four show a day of the story in `history`; that of the exporter itself shows two minutes of a running one.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from mlflow import MlflowClient

from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.thresholds import shipped
from e2e.grafana import ALL, Choice, Json, Prometheus, Timing, variables
from e2e.traffic import AT
from e2e.watching import BROKEN, Watched, gone_wrong, prometheus, watching
from pictures.drawing import Picture
from pictures.history import HOUR, SCRAPE_INTERVAL, pages, store

PICTURES: Final = Path(__file__).parents[2] / "exporter" / "docs" / "pictures"
# What is chosen where there is no "All".
ONE: Final = {"model": "churn", "window": "6h", "feature": "age"}
EMPTY: Final = "global: {}"
# A page stays valid until the next, and those of the story are old.
LONG: Final = (f"--query.lookback-delta={SCRAPE_INTERVAL + 60}s", "--storage.tsdb.retention.time=100y")


def main() -> None:
    """Draw all."""
    PICTURES.mkdir(exist_ok=True)
    found = {Path(path).stem: json.loads(text) for path, text in dashboards(shipped()).items()}
    exporter = found.pop("driftgauge-exporter")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # MLflow puts artifacts of unnamed experiments under the working directory.
        os.chdir(folder)
        empty = folder / "empty.db"
        MlflowClient(f"sqlite:///{empty}").search_experiments()
        draw_story(list(found.values()), place(folder, "story"), empty)
        draw_running(exporter, place(folder, "running"), empty)


def place(folder: Path, name: str) -> Path:
    """Return a new folder."""
    (folder / name).mkdir()
    return folder / name


def draw_story(found: list[Json], folder: Path, empty: Path) -> None:
    """Draw dashboards over the story's last day."""
    store(pages(folder, empty), folder)
    timing = Timing(start=AT - 24 * HOUR, end=AT, interval=SCRAPE_INTERVAL, scrape_interval=SCRAPE_INTERVAL)
    with prometheus(folder, EMPTY, *LONG) as url:
        for dashboard in found:
            draw(dashboard, Prometheus(url), timing)


def draw_running(dashboard: Json, folder: Path, empty: Path) -> None:
    """Draw a dashboard over two minutes in which a model, then the configuration, cannot be read."""
    with watching(folder, empty) as watched:
        start = time.time()
        time.sleep(30)
        gone_wrong(watched.journal)
        whole = watched.config.read_text(encoding="utf-8")
        for text in (whole + BROKEN, whole + "modles: []\n", whole + "limits: {max_series: 600}\n"):
            reload(watched, text)
            time.sleep(30)
        timing = Timing(start=start, end=time.time(), interval=1, scrape_interval=1)
        draw(dashboard, watched.prometheus, timing)


def reload(watched: Watched, text: str) -> None:
    """Let the exporter read another configuration."""
    watched.config.write_text(text, encoding="utf-8")
    watched.exporter.get("/-/reload", method="POST")


def draw(dashboard: Json, server: Prometheus, timing: Timing) -> None:
    """Write the picture of one dashboard."""
    chosen: Choice = {
        name: (ALL,) if variable["multi"] else (ONE[name],) for name, variable in variables(dashboard).items()
    }
    Picture(dashboard, chosen, server, timing).draw(PICTURES / f"{dashboard['uid'].removeprefix('driftgauge-')}.png")
