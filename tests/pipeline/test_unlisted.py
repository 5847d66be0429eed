"""What could not be looked at is set aside as a file is: counted once, named, and it costs nothing else."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import pytest

from driftgauge.config import Config
from driftgauge.feed import Cursor, Opener, Piece
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import NOW, PREDICTIONS, Bench, a_model, prediction, published

MINUTE = 60 * MICROSECONDS


def stray(bench: Bench, root: str) -> str:
    """Return a finished run with this artifact root."""
    run_id = bench.run(PREDICTIONS)
    bench.client.set_terminated(run_id)
    with sqlite3.connect(bench.uri.removeprefix("sqlite:///")) as connection:
        connection.execute("update runs set artifact_uri = ? where run_uuid = ?", (root, run_id))
    return run_id


def test_an_odd_run_costs_itself(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """The others count, the model is fresh, and run, cause and remedy are said once, also across restarts."""
    bench.log(PREDICTIONS, "a.jsonl", [prediction(1, 1.0)])
    run_id = stray(bench, "gs://bucket/x")
    config = bench.config(a_model())
    for minute in range(3):
        report, values = bench.refreshed(config, now=NOW + minute * MINUTE)
        assert report.failures == {}
        assert values["model_predictions_total", "unknown"] == 1
        assert values["model_batch_failures_total", "no_driver"] == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "batch set aside" in line)
    assert run_id in line
    assert "pip install 'driftgauge[gcs]'" in line
    with bench.opened(config) as pipeline:
        (remark,) = pipeline.memory("churn").journal.remarks.values()
    assert (remark.kind, remark.reason, remark.file, remark.count) == ("file", "no_driver", "/", 1)


class Odd:
    """A feed with nothing but folders that it could not look at."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces

    def look(self, cursor: Cursor, _: int) -> tuple[Sequence[Piece], Cursor]:
        """Return them."""
        return self.pieces, cursor

    def opener(self, _: Piece) -> Opener:
        """Fail: there is nothing to open."""
        raise AssertionError


class OddFeeds(Feeds):
    """Feeds of which every one is odd."""

    def __init__(self, config: Config, feed: Odd) -> None:
        super().__init__(config)
        self.feed = feed

    def __getitem__(self, _: str) -> Odd:
        """Return the odd feed."""
        return self.feed


def test_each_reason_counts_once(bench: Bench) -> None:
    """Looked at again the same folder says nothing new; with another reason it counts again."""
    folder = Piece("run", "eval#1/", "predictions", None, NOW, None, "run", "1", ("not_listed", "refused"))
    feed = Odd(folder, replace(folder, path="other.csv/"))
    config = bench.config(a_model())
    store = Store.open(config.state_dir)
    pipeline = Pipeline(config, OddFeeds(config, feed), store, executor=Inline())
    for _ in range(2):
        assert pipeline.refresh(NOW).failures == {}
    assert published(pipeline, config)["model_batch_failures_total", "not_listed"] == 2
    feed.pieces = (replace(folder, unlisted=("too_deep", "deep")),)
    pipeline.refresh(NOW)
    assert published(pipeline, config)["model_batch_failures_total", "too_deep"] == 1
    store.close()
