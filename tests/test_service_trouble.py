"""Parts of the refresh loop that are replaced while it runs: what goes on around them.

Apart from test_service.py, whose shared front would run into the replaced parts as well.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driftgauge.config import Config
from driftgauge.errors import StateError
from driftgauge.feed import Feed
from driftgauge.pipeline.feeds import Feeds
from driftgauge.service import refreshing
from driftgauge.snapshot import ModelState, model_samples
from e2e.service_bench import MODELS, PATIENCE, Bench, about_models, filled, refreshed, until, values


@pytest.fixture
def bench(empty_database: Path, tmp_path: Path) -> Bench:
    """Return a bench of the test's own."""
    return filled(empty_database, tmp_path)


def test_a_bug_with_one_model_does_not_stop_the_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failing model keeps its values and its error is shown; the other is refreshed; both recover."""
    with bench.serving() as front:
        good = until(front, refreshed)
        monkeypatch.setattr(Feeds, "__getitem__", failing("churn", ZeroDivisionError("a bug")))
        # The refresh that was under way before may have got past that.
        until(front, lambda found: ("driftgauge_refresh_failures_total", "internal") in found)
        for model in MODELS:
            bench.log(model, "second.jsonl")
        found = until(front, lambda found: found["model_batches_total", "fraud"] == 2)

        assert found["driftgauge_refresh_failures_total", "internal"] >= 1
        assert (found["driftgauge_refresh_success",], found["driftgauge_mlflow_up",]) == (0, 1)
        assert found["model_batches_total", "churn"] == good["model_batches_total", "churn"]
        shown = {model.name: model.error for model in front.status().models}
        assert "a bug" in (shown["churn"] or "")
        assert shown["fraud"] is None

        monkeypatch.undo()
        until(front, lambda found: refreshed(found) and found["model_batches_total", "churn"] == 2)


def test_a_bug_in_the_statistics_of_a_model_does_not_stop_the_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose samples cannot be computed keeps those it had; the other's are new."""

    def broken(state: ModelState, **given: Any) -> Any:
        return 1 / 0 if state.config.name == "churn" else model_samples(state, **given)

    with bench.serving() as front:
        good = until(front, refreshed)
        monkeypatch.setattr(refreshing, "model_samples", broken)
        for model in MODELS:
            bench.log(model, "second.jsonl")
        found = until(front, lambda found: found["model_batches_total", "fraud"] == 2)

        assert found["driftgauge_refresh_failures_total", "internal"] >= 1
        assert found["model_batches_total", "churn"] == good["model_batches_total", "churn"]

        monkeypatch.undo()
        until(front, lambda found: refreshed(found) and found["model_batches_total", "churn"] == 2)


def test_a_state_that_fails_is_opened_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure of the state file the exporter starts again from the file, with nothing lost or doubled."""
    with bench.serving() as front:
        good = until(front, refreshed)
        monkeypatch.setattr(Feeds, "__getitem__", failing("churn", StateError("the disk is full")))
        during = until(front, lambda found: ("driftgauge_refresh_failures_total", "state") in found)
        monkeypatch.undo()
        after = until(front, refreshed)

    for found in (during, after):
        assert (
            found["model_predictions_total", "churn", "unknown"] == good["model_predictions_total", "churn", "unknown"]
        )


def failing(model: str, failure: Exception) -> Callable[..., Any]:
    """Return what looks a feed up and raises for one model."""
    original = Feeds.__getitem__

    def feed_of(feeds: Feeds, name: str) -> Feed:
        if name == model:
            raise failure
        return original(feeds, name)

    return feed_of


def test_the_refresher_survives_a_bug_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When publishing fails the old page stays with the failure on it, and the next refresh is good again."""
    with bench.serving() as front:
        good = until(front, refreshed)
        monkeypatch.setattr(refreshing, "publish", lambda *_, **__: 1 / 0)
        found = until(front, lambda found: ("driftgauge_refresh_failures_total", "internal") in found)
        assert about_models(found) == about_models(good)
        assert (found["driftgauge_refresh_success",], found["driftgauge_mlflow_up",]) == (0, 1)

        monkeypatch.undo()
        until(front, refreshed)


def test_a_first_refresh_that_fails_keeps_the_last_page(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reload whose refresher fails the page of the one before stays, with the failure on it."""
    publish = refreshing.publish

    def broken(models: Any, config: Config, *given: Any, **named: Any) -> Any:
        return 1 / 0 if len(config.windows) == 1 else publish(models, config, *given, **named)

    with bench.serving() as front:
        good = until(front, refreshed)
        monkeypatch.setattr(refreshing, "publish", broken)
        bench.settings = {"windows": ["1h"]}
        assert front.reload() is None
        found = until(front, lambda found: ("driftgauge_refresh_failures_total", "internal") in found)
        assert about_models(found) == about_models(good)
        assert front.ready

        monkeypatch.undo()
        until(front, lambda found: refreshed(found) and not any("24h" in key for key in found))


def test_a_scrape_does_not_wait_for_a_refresh(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are answered while a refresh is under way; it shows only after it was let go."""
    under_way, let_go = threading.Event(), threading.Event()

    original = Feeds.__getitem__

    def slow(feeds: Feeds, name: str) -> Feed:
        under_way.set()
        assert let_go.wait(PATIENCE)
        return original(feeds, name)

    with bench.serving() as front:
        until(front, refreshed)
        monkeypatch.setattr(Feeds, "__getitem__", slow)
        bench.log("churn", "second.jsonl")
        assert under_way.wait(PATIENCE)

        assert values(front)["model_batches_total", "churn"] == 1
        assert front.status().models[0].name == "churn"
        let_go.set()


def test_a_stop_waits_for_statistics_that_are_under_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop while models are computed, the refresher begins with none again."""
    under_way, let_go = threading.Event(), threading.Event()
    begun: list[str] = []

    def slow(state: ModelState, **given: Any) -> Any:
        begun.append(state.config.name)
        under_way.set()
        assert let_go.wait(PATIENCE)
        return model_samples(state, **given)

    with bench.serving() as front:
        until(front, refreshed)
        monkeypatch.setattr(refreshing, "model_samples", slow)
        assert under_way.wait(PATIENCE)
        threading.Timer(0.5, let_go.set).start()
        assert front.stop()
    assert len(begun) == len(set(begun))
