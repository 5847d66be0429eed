"""A day on which things go wrong, and the same day a week before, as the exporter would have said it.

Hours are counted from the end. Each hour's page is what `driftgauge once --at` prints; nothing is made up but the
traffic that is logged to MLflow.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from click.testing import CliRunner

from driftgauge.cli import main
from e2e.story import CONFIG, HOUR, MODELS, Circumstances, Journal
from e2e.traffic import AT

SCRAPE_INTERVAL: Final = HOUR
WEEK: Final = 168
# The day that is shown, and how long before it traffic begins, so that its windows are full.
SHOWN: Final = 26
BEFORE: Final = 8
TARGET: Final = 'job="driftgauge",instance="driftgauge:10210"'


def pages(folder: Path, empty_database: Path) -> Iterator[tuple[float, str]]:
    """Log the story hour by hour; yield the exporter's page at the end of each hour that is shown, with its time."""
    shutil.copyfile(empty_database, folder / "mlflow.db")
    uri = f"sqlite:///{folder}/mlflow.db"
    journal = Journal(uri, folder, np.random.default_rng(11))
    journal.write_references()
    config = folder / "driftgauge.yml"
    config.write_text(CONFIG.format(uri=uri, folder=folder), encoding="utf-8")
    for hour in [*range(-SHOWN - BEFORE - WEEK, -WEEK), *range(-SHOWN - BEFORE, 0)]:
        log_hour(journal, hour)
        if -SHOWN - WEEK <= hour < -WEEK or hour >= -SHOWN:
            at = AT + (hour + 1) * HOUR
            yield at, page(config, at)


def page(config: Path, at: float) -> str:
    """Return what the command prints; in this process, for starting one takes seconds."""
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    done = CliRunner().invoke(main, ["once", f"--config.file={config}", "--log.level=warning", f"--at={moment}"])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def log_hour(journal: Journal, hour: int) -> None:
    """Log what was served in one hour, and the labels that came in."""
    start, end = AT + hour * HOUR, AT + (hour + 1) * HOUR
    busy = 1 + 0.4 * np.sin(2 * np.pi * hour / 24)
    for model, rows, circumstances in served(hour):
        batch = journal.predictions(model, int(rows * busy), start=start, end=end, now=circumstances)
        if model == "churn":
            journal.labels(batch, delay=0.3 * HOUR, until=end)
    if hour == -5:
        journal.spoilt("churn", end)


def served(hour: int) -> Iterator[tuple[str, int, Circumstances]]:
    """Yield the models that serve in an hour, how many rows and how well: eta stops three hours before the end."""
    for model in MODELS:
        if model == "churn":
            yield model, 300, churn_at(hour)
        elif model == "eta" and hour < -3:
            yield model, 250, Circumstances(wrong=0.25 if hour >= -9 else 0.0)
        elif model == "intent":
            yield model, 200, Circumstances()
    if hour >= -16:
        yield "churn", 120, newer_churn(hour)


def churn_at(hour: int) -> Circumstances:
    """Return how churn's version 3 fares: drift from the 18th hour before the end on, then the rest one by one."""
    return Circumstances(
        drift=0.9 * max(hour + 18, 0) / 18,
        wrong=0.5 * max(hour + 12, 0) / 12,
        missing=0.3 if hour >= -10 else 0.02,
        unseen=0.12 if hour >= -8 else 0.0,
        failed=0.09 if -7 <= hour < -4 else 0.01,
        slow=8 if hour >= -9 else 1,
    )


def newer_churn(hour: int) -> Circumstances:
    """Return how its version 4 fares, which was trained on newer data."""
    return replace(churn_at(hour), version="4", drift=0.2 * churn_at(hour).drift, wrong=0.02, slow=1)


def store(found: Iterator[tuple[float, str]], folder: Path) -> None:
    """Put pages into a Prometheus server's storage, each at its time."""
    text = folder / "pages.txt"
    with text.open("w", encoding="utf-8") as file:
        for at, page in found:
            samples = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
            file.writelines(f"{with_target(series)} {value} {at:.0f}\n" for series, _, value in samples)
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)


def with_target(series: str) -> str:
    """Return a series with the labels that a scrape adds."""
    name, _, labels = series.partition("{")
    return f"{name}{{{TARGET}{',' + labels if labels else '}'}"
