"""However a store was filled and however often the process was stopped, the values are those of one clean pass."""

import random
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import duckdb
import pytest
import yaml

from driftgauge.errors import StateError
from driftgauge.pipeline import commit
from driftgauge.pipeline.pace import Pace
from driftgauge.store import FileRecord, Store, Transaction
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import (
    LABELS,
    NOW,
    PREDICTIONS,
    SECONDS,
    Bench,
    Rows,
    Values,
    a_model,
    label,
    prediction,
    published,
)

FINAL = NOW + 240 * MICROSECONDS
SEGMENTS = {"plan A": {"plan": "A"}, "young": {"age": {"below": 40}}, "young A": {"age": {"below": 40}, "plan": "A"}}


def uploads(dice: random.Random) -> list[tuple[str, Rows]]:
    """Return files (experiment, rows): 300 predictions of two versions over two days, and their labels.

    Some predictions get no label, some two or three that differ, some labels belong to nothing, some records carry
    their label, and some rows are a little ahead of the clock.
    """
    predictions, labels = [], []
    for number in range(300):
        ago = dice.choice([dice.uniform(-200, 600), dice.uniform(0, 2 * 86_400)])
        extra: dict[str, Any] = {"model_version": dice.choice("12"), "latency_ms": dice.uniform(1, 900)}
        extra["features"] = {"age": dice.gauss(40, 9), "plan": dice.choice("ABC")}
        if dice.random() < 0.1:
            extra["label"] = dice.randint(0, 1)
        predictions.append(prediction(number, round(dice.random(), 3), ago=ago, **extra))
        times = [dice.uniform(-200, ago) for _ in range(dice.choice([0, 1, 1, 1, 2, 3]))]
        labels += [label(number, dice.randint(0, 1), ago=each) for each in times]
    labels += [label(number, 1, ago=100) for number in range(1000, 1010)]
    # Label files are known by their name; in the predictions' experiment the name means nothing.
    parts = [(PREDICTIONS, predictions[n::4]) for n in range(4)] + [(LABELS, labels[n::4]) for n in range(4)]
    dice.shuffle(parts)
    return parts


def assert_same(found: Values, expected: Values) -> None:
    """Compare values that were added in different orders.

    Left out is what the order decides by definition: when the last file was read, into how many batches growing files
    fell, the delay of a first label, which a counter cannot take back when a newer one is read, and how many labels are
    kept that were replaced. The number of delays is that of the labels, which is compared.
    """
    left_out = {"model_last_batch_timestamp_seconds", "model_batches_total", "model_label_delay_seconds"}
    left_out |= {"model_label_match_ratio"}
    kept, wanted = ({k: v for k, v in values.items() if k[0] not in left_out} for values in (found, expected))
    assert kept == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    assert _delays(found) == _delays(expected)


def _delays(values: Values) -> float:
    return sum(value for key, value in values.items() if key[0] == "model_label_delay_seconds" and len(key) == 3)


@pytest.mark.no_cover
@pytest.mark.parametrize(("seed", "window_by"), [*enumerate(["label_time", "prediction_time"])])
def test_any_order_equals_one_pass(bench: Bench, seed: int, window_by: str) -> None:
    """Files in any order, growing files, refreshes between and restarts give what one pass over everything gives."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    reference = bench.folder / "reference.csv"
    rows = [f"{dice.gauss(40, 10)},{dice.choice('AB')},{number / 200}\n" for number in range(200)]
    reference.write_text("age,plan,prediction\n" + "".join(rows))
    model = a_model(labels={"window_by": window_by}, reference={"uri": str(reference)}, segments=SEGMENTS)
    stepwise, whole = bench.config(model), bench.config(model, state="whole")
    parts = uploads(dice)
    runs = [bench.run(experiment) for experiment, _ in parts]
    # Every file is logged twice: cut short, and later as a whole.
    events = [(number, cut) for number in range(len(parts)) for cut in (True, False)]
    events.sort(key=lambda event: (event[0] + dice.randint(0, 3), not event[1]))
    whole_by_now: set[int] = set()
    with ExitStack() as process:
        pipeline = process.enter_context(bench.opened(stepwise))
        for place, (number, cut) in enumerate(events):
            if not (cut and number in whole_by_now):
                rows_now = parts[number][1][: 15 if cut else None]
                bench.put(runs[number], "labels.jsonl", rows_now)
            whole_by_now |= set() if cut else {number}
            if dice.random() < 0.3:
                process.close()
                pipeline = process.enter_context(bench.opened(stepwise))
            if dice.random() < 0.6:
                report = pipeline.refresh(NOW + (place - 10) * 9 * MICROSECONDS)
                assert report.failures == {}
        pipeline.refresh(FINAL)
        found = published(pipeline, stepwise, now=FINAL)
    _, expected = bench.refreshed(whole, now=FINAL)
    assert_same(found, expected)
    names = ("model_predictions_total", "model_labels_total")
    totals = [sum(found[name, version] for version in "12") for name in names]
    assert totals == [300, len(_labelled(parts))]


def _labelled(parts: list[tuple[str, Rows]]) -> set[str]:
    """Return the keys that were predicted and labelled."""
    predicted = {row["request_id"] for experiment, rows in parts for row in rows if experiment == PREDICTIONS}
    return {row["request_id"] for _, rows in parts for row in rows if "label" in row} & predicted


def _failing_once(monkeypatch: pytest.MonkeyPatch, *, at: int) -> None:
    """Let the commit with this number fail at its last statement."""
    original, calls = commit.write_files, iter(range(1000))

    def write_files(tx: Transaction, records: list[FileRecord], **options: Any) -> None:
        original(tx, records, **options)
        if next(calls) == at:
            raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(commit, "write_files", write_files)


@pytest.mark.parametrize(("at", "counted"), [(0, 0), (2, 8)])
def test_commit_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch, at: int, counted: int) -> None:
    """A step whose commit fails changes neither memory nor file, the ones before stay, and the next refresh catches up.

    Steps of two files with two rows each: when the third fails, four files were committed.
    """
    for number in range(5):
        rows = [prediction(2 * number + n, 0.9) for n in range(2)]
        bench.log(PREDICTIONS, "rows.jsonl", rows, start_time=SECONDS * 1000 + number)
    bench.log(LABELS, "labels.jsonl", [label(number, number % 3 == 0) for number in range(10)])
    config, clean = bench.config(a_model(labels={})), bench.config(a_model(labels={}), state="clean")
    _, expected = bench.refreshed(clean)
    _failing_once(monkeypatch, at=at)
    with bench.opened(config, pace=Pace(step_files=2, together=2)) as pipeline:
        report = pipeline.refresh(NOW)
        after_failure = published(pipeline, config)
    assert report.failures["churn"][0] == "state"
    assert "No space left" in report.failures["churn"][1]
    with bench.opened(config) as pipeline:
        restored = published(pipeline, config)
        assert restored.items() <= after_failure.items()
        assert restored.get(("model_predictions_total", "unknown"), 0) == counted
        assert pipeline.pending == counted
        assert pipeline.refresh(NOW).failures == {}
        assert_same(published(pipeline, config), expected)


def test_a_state_that_cannot_be_settled_after_a_commit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed counts once, also when writing the log into the state file fails right after."""

    def failing(_: Store, **__: bool) -> None:
        raise StateError("No space left on device")

    bench.log(PREDICTIONS, "rows.jsonl", [prediction(number, 0.9) for number in range(4)])
    config = bench.config(a_model())
    with bench.opened(config) as pipeline:
        with monkeypatch.context() as full:
            full.setattr(Store, "settle", failing)
            assert pipeline.refresh(NOW).failures["churn"][0] == "state"
        assert pipeline.refresh(NOW).failures == {}
        assert published(pipeline, config)["model_predictions_total", "unknown"] == 4


def test_memory_after_a_commit_that_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running process itself goes on as if the failed commit had never been tried."""
    bench.log(PREDICTIONS, "rows.jsonl", [prediction(number, 0.9, label=1) for number in range(4)])
    config = bench.config(a_model(labels={"experiment": PREDICTIONS}))
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        before = published(pipeline, config)
        bench.log(PREDICTIONS, "more.jsonl", [prediction(number, 0.2, label=1) for number in range(4, 7)])
        _failing_once(monkeypatch, at=0)
        assert pipeline.refresh(NOW).failures["churn"][0] == "state"
        assert (published(pipeline, config), pipeline.pending) == (before, 0)
        assert pipeline.refresh(NOW).failures == {}
        after = published(pipeline, config)
    counts = [after[name, "unknown"] for name in ("model_predictions_total", "model_labels_total")]
    assert (counts, after["model_accuracy", "unknown", "1h"]) == ([7, 7], pytest.approx(4 / 7))


FILES, FILE_ROWS = 200, 250
LABEL_FILES, LABEL_ROWS = 40, 750
MODELS = [a_model(labels={}, segments=SEGMENTS)]


def _fill(bench: Bench) -> None:
    """Log predictions in many files of one run, and labels for most of them in those of another."""
    for experiment, files, rows in ((PREDICTIONS, FILES, FILE_ROWS), (LABELS, LABEL_FILES, LABEL_ROWS)):
        folder = bench.folder / experiment.rpartition("/")[2]
        folder.mkdir()
        for file in range(files):
            numbers = range(file * rows, (file + 1) * rows)
            if experiment == PREDICTIONS:
                lines = [f"r{n},{SECONDS - n % 80_000},{n * 7919 % 1000 / 1000},{n % 97}\n" for n in numbers]
                header = "request_id,timestamp,prediction,feature_age\n"
            else:
                lines = [f"r{n},{SECONDS - n % 3_000},{n % 3 == 0:d}\n" for n in numbers]
                header = "request_id,timestamp,label\n"
            (folder / f"labels{file:03}.csv").write_text(header + "".join(lines))
        bench.client.log_artifacts(bench.run(experiment), str(folder))


def _killed(command: list[str], *, commits: int) -> bool:
    """Start the command, kill it right after this many commits, and tell whether it was killed before it was done."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            commits -= "batches committed" in line
            if commits == 0:
                process.kill()
                break
        process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.no_cover
def test_kill_in_the_middle(bench: Bench) -> None:
    """`driftgauge once`, killed twice while it pulls 80,000 rows and then finished, gives what one clean pass gives."""
    _fill(bench)
    config, clean = (bench.config(a_model(labels={}), state=state) for state in ("killed", "clean"))
    file = bench.folder / "driftgauge.yml"
    file.write_text(
        yaml.safe_dump({"mlflow": {"tracking_uri": bench.uri}, "state_dir": config.state_dir, "models": MODELS})
    )
    at = "--at=2026-01-09T12:00:00Z"
    command = [sys.executable, "-m", "driftgauge", "once", f"--config.file={file}", at]
    assert [_killed(command, commits=commits) for commits in (1, 2)] == [True, True]
    _, found = bench.refreshed(config)
    _, expected = bench.refreshed(clean)
    assert expected["model_predictions_total", "unknown"] == FILES * FILE_ROWS
    assert expected["model_labels_total", "unknown"] == LABEL_FILES * LABEL_ROWS
    assert_same(found, expected)
