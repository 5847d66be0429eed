"""A model that is read again: windows are those of a clean pass under the new settings, and no row counts twice."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import ks_2samp
from structlog.testing import capture_logs

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.pace import USUAL, Pace
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import NOW, SECONDS, Values, published

DAY = 86_400
Row = dict[str, Any]


class Place:
    """A folder of files and a state next to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "in").mkdir()

    def put(self, name: str, rows: Sequence[Row], *, suffix: str = "jsonl") -> None:
        """Write a file, in place of the one of that name."""
        (self.folder / "in" / f"{name}.{suffix}").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def config(self, *, state: str = "state", windows: Sequence[str] = ("1h", "24h"), **model: Any) -> Config:
        """Return a configuration of one model."""
        files = {"predictions": {"files": str(self.folder / "in"), "artifacts": "p*"}}
        section = {"name": "m", **files, **model}
        values = {"state_dir": str(self.folder / state), "windows": windows, "models": [section]}
        return Config.model_validate(values)

    def pipeline(self, config: Config, process: ExitStack, *, patience: float = 1e9, pace: Pace = USUAL) -> Pipeline:
        """Return a pipeline as a fresh process has it."""
        store = Store.open(config.state_dir)
        process.callback(store.close)
        return Pipeline(config, Feeds(config), store, executor=Inline(), patience=patience, pace=pace)

    def refreshed(self, config: Config, *, now: int = NOW, times: int = 1) -> Values:
        """Return what a fresh process publishes after so many refreshes."""
        with ExitStack() as process:
            pipeline = self.pipeline(config, process)
            for _ in range(times):
                assert pipeline.refresh(now).failures == {}
            return shown(pipeline, config, now=now)


def shown(pipeline: Pipeline, config: Config, *, now: int = NOW) -> Values:
    """Return what is published of the model, in the windows that can be shown."""
    return published(pipeline, config.model_copy(update={"windows": pipeline.memory("m").windows}), now=now)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return an empty folder."""
    return Place(tmp_path)


def rows(count: int, *, first: int = 0, ago: float = 60, **extra: Any) -> list[Row]:
    """Return records that say what they predict as `answer`."""
    return [
        {"request_id": f"r{n}", "timestamp": SECONDS - ago, "answer": n % 2, **extra}
        for n in range(first, first + count)
    ]


def total(values: Values, name: str, *, reason: str | None = None) -> float:
    """Return a counter over all its labels."""
    return sum(value for key, value in values.items() if key[0] == name and (reason is None or reason in key))


def windows_of(values: Values) -> Values:
    """Return what is not a counter, of versions that have rows in a window."""
    left_out = ("_total", "model_latency_seconds", "model_label_delay_seconds", "model_last_batch_timestamp_seconds")
    versions = {key[1] for key, value in values.items() if key[0].startswith("model_window_") and value}
    return {
        key: value
        for key, value in values.items()
        if not key[0].endswith(left_out) and (len(key) == 1 or key[1] in versions)
    }


ANSWER = {"prediction": "answer"}


def test_columns_corrected(place: Place) -> None:
    """Rows that were rejected are read again under the corrected mapping, counted once, and what was rejected stays."""
    place.put("p1", rows(120))
    before = place.refreshed(place.config())
    after = place.refreshed(place.config(columns=ANSWER))
    assert (total(before, "model_predictions_total"), total(after, "model_predictions_total")) == (0, 120)
    assert after["model_window_predictions", "unknown", "24h"] == 120
    assert place.refreshed(place.config(columns=ANSWER), times=3) == after


def test_an_equal_configuration_is_not_read_again(place: Place) -> None:
    """A restart, a default that is written out, and what is only shown differently read nothing again."""
    place.put("p1", rows(10))
    place.refreshed(place.config(columns=ANSWER))
    same = place.config(columns=ANSWER, timezone="UTC", threshold=0.5, average="macro", baseline={"accuracy": 0.9})
    with capture_logs() as logs:
        place.refreshed(same)
    assert [line for line in logs if "again" in line["event"]] == []


def test_counts_go_on_while_a_version_is_renamed(place: Place) -> None:
    """A row whose version was not known counts in the windows of the right one, and its counters hold it once."""
    place.put("p1", rows(30, release="7"))
    first = place.refreshed(place.config(columns=ANSWER))
    second = place.refreshed(place.config(columns=ANSWER | {"version": "release"}))
    assert first["model_window_predictions", "unknown", "1h"] == 30
    assert second["model_window_predictions", "7", "1h"] == 30
    assert total(second, "model_predictions_total") == 30
    place.put("p2", rows(5, first=30, release="7"))
    third = place.refreshed(place.config(columns=ANSWER | {"version": "release"}))
    assert third["model_predictions_total", "7"] == 5


def test_labels_added(place: Place) -> None:
    """Labels of a section that comes later meet the predictions that are in the window."""
    place.put("p1", rows(40))
    place.refreshed(place.config(columns=ANSWER))
    labels = [{"request_id": f"r{n}", "timestamp": SECONDS - 30, "label": int(n % 2 == 0 or n < 20)} for n in range(40)]
    place.put("l1", labels)
    config = place.config(columns=ANSWER, labels={"artifacts": "l*"})
    found = place.refreshed(config)
    right = np.mean([row["label"] == n % 2 for n, row in enumerate(labels)])
    assert found["model_accuracy", "unknown", "24h"] == right
    assert total(found, "model_labels_total") == 40
    assert total(found, "model_predictions_total") == 40
    assert found["model_label_delay_seconds", "unknown"] == 40 * 30
    # Another key: the same labels are no others.
    place.put("l2", [{**labels[0], "label": 1, "timestamp": SECONDS - 20}])
    config = place.config(columns=ANSWER, labels={"artifacts": "l*", "key": ["request_id"], "horizon": "10d"})
    again_found = place.refreshed(config)
    assert total(again_found, "model_labels_total") == 40


def test_labels_of_records_become_those_of_a_join(place: Place) -> None:
    """With a section of labels, those in records with a key wait for corrections; they count no second time."""
    place.put("p1", rows(20, label=1))
    first = place.refreshed(place.config(columns=ANSWER))
    second = place.refreshed(place.config(columns=ANSWER, labels={"artifacts": "l*"}))
    assert [total(values, "model_labels_total") for values in (first, second)] == [20, 20]
    assert second["model_window_labels", "unknown", "1h"] == 20


def test_a_reference_that_comes_later(place: Place) -> None:
    """Rows in the window are compared with a reference that was missing, and with the next one."""
    rng = np.random.default_rng(1)
    known, live = rng.normal(40, 9, 500).round(1), rng.normal(42, 9, 150).round(1)
    place.put("p1", [{**row, "features": {"age": v}} for row, v in zip(rows(150), live.tolist(), strict=True)])
    place.refreshed(place.config(columns=ANSWER))
    reference = place.folder / "reference.csv"
    reference.write_text("age\n" + "\n".join(map(str, known)))
    config = place.config(columns=ANSWER, reference={"uri": str(reference)})
    for shift in (0.0, 3.0):
        reference.write_text("age\n" + "\n".join(map(str, known + shift)))
        found = place.refreshed(config)
        right = ks_2samp(known + shift, live).statistic
        assert found["model_feature_ks_statistic", "unknown", "24h", "age"] == pytest.approx(right, abs=1e-12)
        assert total(found, "model_predictions_total") == 150


def test_the_clock_of_derived_features(place: Place) -> None:
    """Hours of another time zone are those of both sides: the reference is compiled again, too."""
    moments = [f"2026-01-05T{hour:02}:30:00Z" for hour in range(10)] * 10
    place.put("p1", [{**row, "features": {"at": at}} for row, at in zip(rows(100), moments, strict=True)])
    reference = place.folder / "reference.csv"
    reference.write_text("at\n" + "\n".join(moments))
    derived = {"features": {"include": [{"column": "at", "as": "hour"}]}, "reference": {"uri": str(reference)}}
    for zone in ("UTC", "Europe/Berlin"):
        found = place.refreshed(place.config(columns=ANSWER, timezone=zone, **derived))
        assert found["model_feature_ks_statistic", "unknown", "24h", "at.hour"] == 0


def test_what_stays_until_the_swap(place: Place) -> None:
    """While a model is read again its windows are those that were, nothing is half, and it is said."""
    for number in range(3):
        place.put(f"p{number}", rows(10, first=10 * number))
    place.refreshed(place.config(columns=ANSWER))
    second = place.config(columns=ANSWER, timezone="Europe/Berlin")
    with capture_logs() as logs, ExitStack() as process:
        pipeline = place.pipeline(second, process, patience=0.0, pace=Pace(together=1))
        seen = []
        for _ in range(5):
            pipeline.refresh(NOW)
            assert shown(pipeline, second)["model_window_predictions", "unknown", "1h"] == 30
            seen.append(pipeline.memory("m").progress)
    said = [line for line in logs if "again" in line["event"]]
    assert [line["event"].split(":")[0] for line in said] == ["model is read again", "model was read again"]
    assert said[0]["files"] == 3
    assert seen == [(1, 3), (2, 3), None, None, None]


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_another_task(place: Place, task: str) -> None:
    """A task that was wrong is corrected: counters go on, and the windows are those of the new task."""
    place.put("p1", rows(40, label=1))
    place.refreshed(place.config(columns=ANSWER))
    config = place.config(columns=ANSWER, task=task)
    found, clean = place.refreshed(config), place.refreshed(place.config(columns=ANSWER, task=task, state="clean"))
    assert windows_of(found) == pytest.approx(windows_of(clean))
    assert [total(found, name) for name in ("model_predictions_total", "model_labels_total")] == [40, 40]


def test_files_that_are_gone(place: Place) -> None:
    """Rows of a file that is deleted leave the windows with a warning, stay counted, and hide no new ones."""
    place.put("p1", [{**row, "prediction": 1} for row in rows(10)])
    place.put("p2", rows(6, first=10))
    first = place.refreshed(place.config())
    (place.folder / "in" / "p1.jsonl").unlink()
    with capture_logs() as logs:
        second = place.refreshed(place.config(columns=ANSWER))
    assert [total(values, "model_predictions_total") for values in (first, second)] == [10, 16]
    assert second["model_window_predictions", "unknown", "1h"] == 6
    assert [line["example"] for line in logs if "gone" in line["event"]] == ["p1.jsonl"]


def test_a_file_that_was_set_aside(place: Place) -> None:
    """A file of another shape is read when the mapping says what it holds; it counts as set aside once."""
    place.put("p1", [{"when": SECONDS - 60, "verdict": n % 2, "age": n} for n in range(10)])
    first = place.refreshed(place.config())
    config = place.config(columns={"prediction": "verdict", "timestamp": "when"})
    second = place.refreshed(config)
    third = place.refreshed(place.config())
    failures = [total(values, "model_batch_failures_total") for values in (first, second, third)]
    assert failures == [1, 1, 1]
    assert second["model_window_predictions", "unknown", "1h"] == 10
    assert [total(values, "model_predictions_total") for values in (first, second, third)] == [0, 10, 10]
    assert "unknown" not in [key[1] for key in third if key[0] == "model_window_predictions" and third[key]]


def test_old_files_are_left_alone(place: Place) -> None:
    """A file that was read so long ago that no window can hold its rows counts as read."""
    place.put("p1", rows(10))
    place.refreshed(place.config(columns=ANSWER))
    later = NOW + 4 * DAY * MICROSECONDS
    place.put("p2", [{**row, "timestamp": SECONDS + 4 * DAY - 60} for row in rows(5, first=10)])
    place.refreshed(place.config(columns=ANSWER), now=later)
    with ExitStack() as process:
        config = place.config(columns=ANSWER, threshold=0.6)
        pipeline = place.pipeline(config, process, patience=0.0)
        (place.folder / "in" / "p1.jsonl").write_text("no JSON at all")
        pipeline.refresh(later)
        found = shown(pipeline, config, now=later)
    assert found["model_window_predictions", "unknown", "1h"] == 5
    assert total(found, "model_predictions_total") == 15


def test_a_model_that_was_away(place: Place) -> None:
    """A model that is taken out of the configuration and put back goes on where it was."""
    place.put("p1", rows(10))
    place.refreshed(place.config(columns=ANSWER))
    place.put("p2", rows(5, first=10))
    with ExitStack() as process:
        place.pipeline(place.config(name="other"), process).refresh(NOW)
    with capture_logs() as logs:
        found = place.refreshed(place.config(columns=ANSWER))
    assert (total(found, "model_predictions_total"), found["model_window_predictions", "unknown", "1h"]) == (15, 15)
    assert [line["files"] for line in logs if line["event"] == "batches committed"] == [1]


def test_windows_written_otherwise(place: Place) -> None:
    """A window that has another name and the same length is the same one; nothing is read again."""
    place.put("p1", rows(10))
    place.refreshed(place.config(columns=ANSWER))
    with capture_logs() as logs:
        found = place.refreshed(place.config(columns=ANSWER, windows=["60m", "1d"]))
    assert [found["model_window_predictions", "unknown", name] for name in ("60m", "1d")] == [10, 10]
    assert [line for line in logs if "again" in line["event"]] == []


def test_windows_and_segments_added(place: Place) -> None:
    """A window or segment that is added holds the rows that were there before."""
    place.put("p1", rows(6, ago=2 * DAY, features={"plan": "A"}) + rows(4, first=6, features={"plan": "A"}))
    place.refreshed(place.config(columns=ANSWER))
    config = place.config(columns=ANSWER, windows=["1h", "7d"], segments={"a": {"plan": "A"}})
    found = place.refreshed(config)
    assert found["model_window_predictions", "unknown", "7d"] == 10
    assert found["model_window_predictions", "unknown", "7d", "segment a"] == 10
    assert total(found, "model_predictions_total") == 10


_KILLED = """
import os, sys
from driftgauge.config import parse
from driftgauge.pipeline import model, refresh
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.pace import Pace
from driftgauge.store import Store

config, now, steps = parse(sys.argv[1], filename="c", environ={}), int(sys.argv[2]), iter(range(int(sys.argv[3])))
pace = Pace(step_files=1, together=1)

def commit(self, *arguments, original=model.ModelRefresh._commit, **options):
    original(self, *arguments, **options)
    if next(steps, None) is None:
        os.kill(os.getpid(), 9)

model.ModelRefresh._commit = commit
refresh.Pipeline(config, Feeds(config), Store.open(config.state_dir), executor=Inline(), pace=pace).refresh(now)
"""


@pytest.mark.parametrize("steps", [0, 1])
def test_killed_in_the_middle(place: Place, steps: int) -> None:
    """What a killed process had read again is not shown, is not read twice, and goes with another configuration."""
    for number in range(4):
        place.put(f"p{number}", rows(5, first=5 * number))
    place.refreshed(place.config(columns=ANSWER))
    model = {"name": "m", "predictions": {"files": str(place.folder / "in"), "artifacts": "p*"}, "columns": ANSWER}
    text = yaml.safe_dump(
        {
            "state_dir": str(place.folder / "state"),
            "windows": ["1h", "24h"],
            "models": [{**model, "timezone": "Asia/Tokyo"}],
        }
    )
    arguments = [sys.executable, "-c", _KILLED, text, str(NOW), str(steps)]
    ended = subprocess.run(arguments, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    config = place.config(columns=ANSWER, timezone="Asia/Tokyo")
    with ExitStack() as process, capture_logs() as logs:
        pipeline = place.pipeline(config, process)
        assert pipeline.memory("m").progress == (steps + 1, 4)
        assert shown(pipeline, config)["model_window_predictions", "unknown", "1h"] == 20
        pipeline.refresh(NOW)
        found = shown(pipeline, config)
    assert sum(line["files"] for line in logs if line["event"] == "batches committed") == 3 - steps
    assert (found["model_window_predictions", "unknown", "1h"], total(found, "model_predictions_total")) == (20, 20)
    clean = place.refreshed(place.config(columns=ANSWER, timezone="Asia/Tokyo", state="clean"))
    assert windows_of(found) == pytest.approx(windows_of(clean))


CHANGES: list[dict[str, Any]] = [
    {},
    {"columns": {"prediction": "answer"}},
    {"columns": {"prediction": "answer", "version": "release"}},
    {"columns": {"prediction": "answer", "latency": "took"}, "latency_unit": "ms"},
    {"columns": {"prediction": "answer"}, "labels": {"artifacts": "l*"}},
    {"columns": {"prediction": "answer"}, "labels": {"artifacts": "l*", "key": ["release", "request_id"]}},
    {"columns": {"prediction": "answer"}, "segments": {"seven": {"age": {"below": 30}}}},
    {"columns": {"prediction": "answer", "error": "failed"}},
    {"columns": {"prediction": "number"}, "task": "regression"},
]


def _some_files(dice: random.Random) -> dict[str, list[Row]]:
    """Return files of predictions in which the spellings of roles differ from row to row, and of labels."""
    found: dict[str, list[Row]] = {f"p{number}": [] for number in range(6)} | {f"l{number}": [] for number in range(3)}
    for n in range(150):
        row: Row = {
            "request_id": f"r{n}",
            "timestamp": SECONDS - dice.uniform(60, 20_000),
            "release": dice.choice("78"),
        }
        row |= {"features": {"age": dice.randint(18, 60)}, "took": dice.uniform(1, 900), "number": dice.gauss(0, 1)}
        row |= {dice.choice(["answer", "answer", "prediction", "neither"]): dice.randint(0, 1)}
        if dice.random() < 0.1:
            row |= {"label": dice.randint(0, 1)}
        if dice.random() < 0.1:
            row |= {"failed": "timed out"}
        found[f"p{dice.randrange(6)}"].append(row)
        if dice.random() < 0.6:
            label = {"request_id": row["request_id"], "release": row["release"], "label": dice.randint(0, 1)}
            found[f"l{dice.randrange(3)}"].append({**label, "timestamp": row["timestamp"] + 40})
    return found


def _accepted(rows_read: Mapping[str, Sequence[Row]], change: Mapping[str, Any]) -> set[tuple[str, int]]:
    """Return which rows of which files have what this configuration takes for a prediction, or an error."""
    column = change.get("columns", {}).get("prediction", "prediction")
    error = change.get("columns", {}).get("error", "error")
    return {
        (name, at)
        for name, some in rows_read.items()
        for at, row in enumerate(some)
        if name.startswith("p") and (column in row or error in row)
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(4))
def test_any_change_at_any_step(place: Place, seed: int) -> None:
    """Settings change between files, growth, half-done readings and restarts; back and forth, too.

    In the end the windows are those of a clean pass under the last settings, and the counter of predictions has each
    row once that was accepted under any settings that it was read with.
    """
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    files = _some_files(dice)
    events = [(name, cut) for name in files for cut in (True, False)]
    dice.shuffle(events)
    events.sort(key=lambda event: (event[0], not event[1]) if dice.random() < 0.3 else ("", False))
    there: dict[str, list[Row]] = {}
    accepted: set[tuple[str, int]] = set()
    counters: dict[tuple[str, ...], float] = {}
    change = dice.choice(CHANGES)
    pace = Pace(step_files=1)
    with ExitStack() as process:
        pipeline = place.pipeline(place.config(**change), process, pace=pace)
        for name, cut in events:
            if len(files[name]) // 2 > len(there.get(name, [])) or not cut:
                there[name] = files[name][: len(files[name]) // 2] if cut else files[name]
                place.put(name, there[name])
            if dice.random() < 0.5:
                process.close()
                change = dice.choice(CHANGES)
                pipeline = place.pipeline(place.config(**change), process, patience=dice.choice([0.0, 1e9]), pace=pace)
            if dice.random() < 0.7:
                report = pipeline.refresh(NOW)
                assert not report.failures
                if pipeline.memory("m").progress is None:
                    accepted |= _accepted(there, change)
                values = shown(pipeline, place.config(**change))
                _assert_monotone(counters, values)
        process.close()
        pipeline = place.pipeline(place.config(**change), process, pace=pace)
        pipeline.refresh(NOW)
        assert pipeline.memory("m").progress is None
        accepted |= _accepted(there, change)
        found = shown(pipeline, place.config(**change))
    _assert_monotone(counters, found)
    clean = place.refreshed(place.config(state="clean", **change))
    assert windows_of(found) == pytest.approx(windows_of(clean), rel=1e-9, abs=1e-9)
    assert total(found, "model_predictions_total") == len(accepted)


def _assert_monotone(before: dict[tuple[str, ...], float], values: Values) -> None:
    for key, value in values.items():
        if key[0].endswith("_total"):
            assert value >= before.get(key, 0), key
            before[key] = value
