"""The demo in this process: prepared, refreshed over its own store, and fed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.metrics import accuracy_score

from driftgauge.config import parse
from driftgauge.demo import run_demo
from driftgauge.demo import running as module
from driftgauge.demo.running import Past
from driftgauge.demo.training import Training
from driftgauge.errors import DriftgaugeError
from driftgauge.service.refreshing import refresh_once

PAST: Final = Past(days=1, recent_days=2)
DAYS: Final = 3
INTERVAL: Final = 0.8
WINDOW: Final = 120.0
PATIENCE: Final = 90.0
Values = dict[tuple[str, str, str], float]

READERS: Final = {
    "jsonl": lambda file: pd.read_json(file, lines=True),
    "parquet": pd.read_parquet,
    "csv.gz": pd.read_csv,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a demo published (`found`) at `moment`, the rows in its files, and what it said."""

    found: Values
    moment: pd.Timestamp
    predictions: pd.DataFrame
    labels: pd.DataFrame
    said: list[str]


@pytest.fixture(scope="module", autouse=True)
def _trained_already(flights: pd.DataFrame, training: Training) -> Iterator[None]:
    """Save the seconds of reading and training, which have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_flights", lambda: flights)
        patch.setattr(module, "train", lambda _: training)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Return a demo of three days, without other programs, as it was the moment it began to serve."""
    directory = tmp_path_factory.mktemp("demo") / "a demo"
    pages: list[tuple[str, pd.Timestamp]] = []

    def serve(path: Path, _: object) -> None:
        config = parse(path.read_text(), filename=str(path), environ={})
        page, failures = refresh_once(config, now=time.time())
        assert failures == {}
        pages.append((page, pd.Timestamp.now("UTC")))

    said: list[str] = []
    run_demo(directory, serve=serve, past=PAST, batch_interval=INTERVAL, say=said.append)
    page, moment = pages[0]
    return Prepared(values(page), moment, logged(directory, "predictions"), logged(directory, "labels"), said)


def logged(directory: Path, kind: str) -> pd.DataFrame:
    """Return every row in the artifact files of a kind, by request id, read by pandas alone."""
    files = [path for path in (directory / "artifacts" / "monitoring").rglob(f"{kind}/*") if path.is_file()]
    tables = [READERS[path.name.partition(".")[2]](path) for path in files]
    rows = pd.concat(tables)
    assert rows["request_id"].is_unique
    return rows.set_index("request_id")


def values(page: str) -> Values:
    """Return samples by name, window and feature."""
    return {
        (sample.name, sample.labels.get("window", ""), sample.labels.get("feature", "")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_metrics_over_the_demo(prepared: Prepared, flights: pd.DataFrame) -> None:
    """Counts, accuracy and drift in the 7 day window are those of the replayed flights, computed elsewhere."""
    found, predictions, labels = prepared.found, prepared.predictions, prepared.labels
    start = module.PRESENT - DAYS * 86_400
    replayed = flights[(flights["departed"] >= start) & (flights["departed"] < module.PRESENT)].set_index("request_id")
    landed = replayed[replayed["landed"] < module.PRESENT]
    assert set(replayed.index) == set(predictions.index)
    assert set(landed.index) == set(labels.index)
    assert len(replayed) == found["model_window_predictions", "7d", ""]
    assert len(landed) == found["model_window_labels", "7d", ""]
    expected = accuracy_score(landed["late"] == 1, predictions["prediction"].loc[landed.index] == 1)
    assert found["model_accuracy", "7d", ""] == pytest.approx(expected, abs=1e-9)
    assert len(replayed) - len(landed) == found["driftgauge_pending_predictions", "", ""]
    # March goes on like the winter. The weather of three days never is that of a season, and is left out.
    assert found["model_monitored_features", "7d", ""] == 8
    assert found["model_drifted_features", "7d", ""] == 0
    assert found["model_feature_psi", "7d", "origin"] < 0.01
    assert ("model_feature_psi", "7d", "temp") not in found
    assert not [key for key in found if key[0] == "model_batch_failures_total"]


def test_the_past_ends_now(prepared: Prepared) -> None:
    """The newest prediction is fresh; recent days lie in the story's window, the others as far back as they were."""
    times = pd.to_datetime(prepared.predictions["timestamp"], utc=True, format="ISO8601")
    ages = (prepared.moment - times).dt.total_seconds().sort_values()
    preparing = ages.iloc[0]
    assert 0 < preparing < 300
    recent = ages[ages < preparing + WINDOW + 1]
    assert len(recent) == pytest.approx(len(ages) * PAST.recent_days / DAYS, rel=0.1)
    oldest = ages.iloc[-1] - preparing - WINDOW
    assert (PAST.days * 24 - 2) * 3600 < oldest <= PAST.days * 24 * 3600
    assert prepared.found["model_window_predictions", "1h", ""] >= len(recent)


def test_progress_is_shown(prepared: Prepared) -> None:
    """Each step is announced before it begins, and the last line says how long all took."""
    steps = [line for line in prepared.said if line.endswith("…")]
    assert [step.split()[0] for step in steps] == ["reading", "training", "logging", "replaying"]
    assert prepared.said[-1].startswith("Ready after")


def test_programs_that_are_missing(prepared: Prepared) -> None:
    """Without Prometheus and Alertmanager, one line says what to install."""
    (line,) = [line for line in prepared.said if "alert" in line]
    assert line.strip().startswith("no alerts: for them, apt-get install prometheus prometheus-alertmanager")


def test_flights_keep_coming(tmp_path: Path, flights: pd.DataFrame) -> None:
    """While it serves, the next hours are logged with times of the last seconds, labels of earlier flights too."""
    seen: list[tuple[pd.DataFrame, pd.DataFrame]] = []

    def serve(config: Path, started: Callable[[str], None]) -> None:
        started("http://127.0.0.1:10210")
        began, deadline = pd.Timestamp.now("UTC"), time.monotonic() + PATIENCE
        while time.monotonic() < deadline and len(seen) < 1:
            time.sleep(0.2)
            tables = [logged(config.parent, kind) for kind in ("predictions", "labels")]
            fresh = [table[pd.to_datetime(table["timestamp"], utc=True, format="ISO8601") >= began] for table in tables]
            if all(len(table) > 100 for table in fresh):
                seen.append((fresh[0], fresh[1]))

    run_demo(tmp_path / "demo", serve=serve, past=Past(1, 0), batch_interval=0.3, say=lambda _: None)
    predictions, labels = seen[0]
    source = flights.set_index("request_id")
    assert (source["departed"].loc[predictions.index] >= module.PRESENT).all()
    assert (source["landed"].loc[labels.index] >= module.PRESENT).all()
    assert (source["departed"].loc[labels.index] < module.PRESENT).any()


def test_a_foreign_directory_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing is said, trained or written in a directory that is not the demo's."""
    (tmp_path / "thesis.tex").write_text("x")
    said: list[str] = []
    with pytest.raises(DriftgaugeError, match="not made by the demo"):
        run_demo(tmp_path, serve=lambda *_: None, say=said.append)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
