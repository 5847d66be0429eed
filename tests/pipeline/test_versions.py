"""Each version is compared with its own reference, whatever the alias means by now."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp
from structlog.testing import capture_logs

from driftgauge.errors import SourceUnavailable
from driftgauge.source import Source
from driftgauge.windows import MICROSECONDS
from mlflow_servers import free_port
from pipeline.conftest import LIMIT, NOW, PREDICTIONS, SECONDS, Bench, Values, a_model, published
from source.conftest import Canned, canned

__all__ = ["canned"]

NAME = "churn-registered"
MINUTE = 60 * MICROSECONDS


class Registry:
    """A registered model whose version n has a reference around 10 n, and live rows next to it."""

    def __init__(self, bench: Bench, versions: int, *, without: Sequence[int] = ()) -> None:
        self.bench = bench
        rng = np.random.default_rng(8)
        self.known = {n: rng.normal(10 * n, 3, 300).round(2) for n in range(1, versions + 1)}
        self.live = {n: rng.normal(10 * n, 3, 80).round(2) for n in range(1, versions + 1)}
        bench.client.create_registered_model(NAME)
        for number, known in self.known.items():
            hits = (known > 9 * number).astype(int)
            text = "x,prediction,label\n" + "".join(f"{x},1,{hit}\n" for x, hit in zip(known, hits, strict=True))
            run = bench.log("/training", "other.csv" if number in without else "reference.csv", text.encode())
            bench.client.create_model_version(NAME, bench.client.get_run(run).info.artifact_uri, run)
        self.promote(1)

    def promote(self, version: int) -> None:
        """Let the alias mean a version."""
        self.bench.client.set_registered_model_alias(NAME, "champion", version)

    def log(self, *versions: int, ago: float = 60) -> None:
        """Log the live rows of versions, in one file."""
        rows: list[dict[str, Any]] = [
            {"timestamp": SECONDS - ago, "model_version": str(n), "features": {"x": x}, "prediction": 1}
            for n in versions
            for x in self.live[n].tolist()
        ]
        self.bench.log(PREDICTIONS, "predictions.jsonl", rows)

    def config(self, *, max_versions: int = 5, uri: str = f"models:/{NAME}@champion/reference.csv") -> Any:
        """Return a configuration that follows the alias."""
        limits = {"max_artifact_bytes": LIMIT, "max_versions": max_versions}
        return self.bench.config(a_model(reference={"uri": uri}), limits=limits)

    def right(self, version: int, *, of: int | None = None) -> tuple[Any, Any]:
        """Return what KS and the baseline accuracy of a version have to be, by the reference `of` a version."""
        known = self.known[of or version]
        return (
            pytest.approx(ks_2samp(known, self.live[version]).statistic, abs=1e-12),
            pytest.approx(np.mean(known > 9 * (of or version))),
        )


def judged(values: Values, version: int) -> tuple[float | None, float | None]:
    """Return KS and the baseline accuracy of a version."""
    ks = values.get(("model_feature_ks_statistic", str(version), "1h", "x"))
    return ks, values.get(("model_performance_baseline", str(version), "accuracy"))


@pytest.mark.parametrize("follows", ["@champion", "/latest"])
def test_a_promotion_changes_nothing_for_the_others(bench: Bench, follows: str) -> None:
    """Before, at and after a promotion, in one process and after a restart, each version has its own figures."""
    registry = Registry(bench, 2)
    config = registry.config(uri=f"models:/{NAME}{follows}/reference.csv")
    registry.log(1)
    with capture_logs() as logs, bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        assert judged(published(pipeline, config), 1) == registry.right(1)
        registry.promote(2)
        pipeline.refresh(NOW + MINUTE)
        assert judged(published(pipeline, config, now=NOW + MINUTE), 1) == registry.right(1)
        registry.log(2)
        pipeline.refresh(NOW + 2 * MINUTE)
        both = published(pipeline, config, now=NOW + 2 * MINUTE)
    _, restarted = bench.refreshed(config, now=NOW + 2 * MINUTE)
    for values in (both, restarted):
        assert [judged(values, n) for n in (1, 2)] == [registry.right(1), registry.right(2)]
    assert [line for line in logs if "read again" in line["event"]] == []


def test_versions_in_one_file(bench: Bench) -> None:
    """Rows of versions that come for the first time, side by side in one file, are folded by their own references."""
    registry = Registry(bench, 3)
    registry.log(1, 2, 3)
    report, values = bench.refreshed(registry.config())
    assert report.failures == {}
    assert [judged(values, n) for n in (1, 2, 3)] == [registry.right(n) for n in (1, 2, 3)]
    assert sum(v for key, v in values.items() if key[0] == "model_predictions_total") == 240


def test_a_version_without_a_reference(bench: Bench) -> None:
    """It is compared with the alias's, which is said; after a promotion its rows are read again for the new one."""
    registry = Registry(bench, 3, without=[2])
    registry.log(1, 2)
    with capture_logs() as logs:
        _, first = bench.refreshed(registry.config())
    assert judged(first, 2) == registry.right(2, of=1)
    (said,) = [line for line in logs if "without a reference" in line["event"]]
    assert (said["version"], said["compared_with"]) == ("2", "that of the alias")
    registry.promote(3)
    _, second = bench.refreshed(registry.config())
    assert [judged(second, n) for n in (1, 2)] == [registry.right(1), registry.right(2, of=3)]


def test_a_uri_with_a_number_is_for_all(bench: Bench) -> None:
    """Whoever names a version's file compares all versions with it."""
    registry = Registry(bench, 2)
    registry.log(1, 2)
    _, values = bench.refreshed(registry.config(uri=f"models:/{NAME}/1/reference.csv"))
    assert [judged(values, n) for n in (1, 2)] == [registry.right(1), registry.right(2, of=1)]


def test_versions_that_take_turns(bench: Bench) -> None:
    """With more versions at a time than are published none is read again at its turn; each has its own reference."""
    registry = Registry(bench, 4)
    config = registry.config(max_versions=2)
    with bench.opened(config) as pipeline, capture_logs() as logs:
        for step, version in enumerate((1, 2, 3, 4, 1)):
            registry.log(version, ago=600 - 60 * step)
            pipeline.refresh(NOW + step * MINUTE)
        values = published(pipeline, config, now=NOW + 4 * MINUTE)
    assert [line for line in logs if "read again" in line["event"]] == []
    registry.live[1] = np.concatenate([registry.live[1]] * 2)
    assert [judged(values, n) for n in (1, 4)] == [registry.right(1), registry.right(4)]


def test_references_of_versions_that_are_gone(bench: Bench) -> None:
    """When the rows of a version have left the windows, its reference leaves memory and state; it may come back."""
    registry = Registry(bench, 2)
    config = registry.config()
    registry.log(1)
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        registry.log(2, ago=-8 * 86_400 + 60)
        later = NOW + 8 * 86_400 * MINUTE // 60
        pipeline.refresh(later)
        (state,) = pipeline.states
        assert set(state.own) == {"2"}
        registry.log(1, ago=-8 * 86_400 + 60)
        pipeline.refresh(later)
        values = published(pipeline, config, now=later)
    assert [judged(values, n) for n in (1, 2)] == [registry.right(1), registry.right(2)]


def test_a_registry_that_refuses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The references that are known stay, rows are read on, it is said once; later all is as it would have been."""
    registry = Registry(bench, 2)
    config = registry.config()
    registry.log(1)
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)

        def refused(*_: object) -> str:
            raise SourceUnavailable("403 Forbidden")

        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(Source, "reference_identity", refused)
            registry.log(2)
            for minute in (1, 2):
                assert pipeline.refresh(NOW + minute * MINUTE).failures == {}
            values = published(pipeline, config, now=NOW + 2 * MINUTE)
            assert judged(values, 1) == registry.right(1)
            assert values["model_window_predictions", "2", "1h"] == 80
            said = [line["event"].split(":")[0] for line in logs if line["log_level"] == "warning"]
            assert said == ["reference not looked up", "version without a reference of its own"]
        for minute in (10, 11):
            pipeline.refresh(NOW + minute * MINUTE)
        values = published(pipeline, config, now=NOW + 11 * MINUTE)
    assert [judged(values, n) for n in (1, 2)] == [registry.right(1), registry.right(2)]
    assert sum(v for key, v in values.items() if key[0] == "model_predictions_total") == 160


def _named(registry: Registry, name: str, version: int) -> list[dict[str, Any]]:
    """Return the live rows of a version that carry a name for it."""
    return [
        {"timestamp": SECONDS - 60, "model_version": name, "features": {"x": x}, "prediction": 1}
        for x in registry.live[version].tolist()
    ]


@pytest.mark.parametrize("name", ["champion", "Production", "latest"])
def test_names_of_versions(bench: Bench, name: str) -> None:
    """A row whose version is an alias, a stage or "latest" counts under the number that this means when it is read.

    What it meant stays when the rows are read again.
    """
    registry = Registry(bench, 3)

    def let_mean(version: int) -> None:
        if name == "champion":
            registry.promote(version)
        elif name == "Production":
            bench.client.transition_model_version_stage(NAME, str(version), name, archive_existing_versions=True)

    first, second = (3, 3) if name == "latest" else (1, 2)
    let_mean(first)
    bench.log(PREDICTIONS, "predictions.jsonl", _named(registry, name, first))
    config = registry.config()
    _, before = bench.refreshed(config)
    let_mean(second)
    bench.log(PREDICTIONS, "more.jsonl", _named(registry, name, second))
    _, after = bench.refreshed(config)
    again = bench.config(
        a_model(reference={"uri": f"models:/{NAME}@champion/reference.csv"}, timezone="Asia/Tokyo"),
        limits={"max_artifact_bytes": LIMIT},
    )
    _, read_again = bench.refreshed(again)
    assert before["model_window_predictions", str(first), "1h"] == 80
    for values in (after, read_again):
        counts = [values["model_window_predictions", str(n), "1h"] for n in {first, second}]
        assert counts == ([160] if first == second else [80, 80])
        assert {key[1] for key in values if key[0] == "model_predictions_total"} == {str(first), str(second)}
        assert sum(v for key, v in values.items() if key[0] == "model_predictions_total") == 160
    if first != second:
        assert [judged(read_again, n) for n in (first, second)] == [registry.right(n) for n in (first, second)]


def test_a_name_while_the_registry_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows count under the name until it can be looked up; then they are read again, and counted no second time."""
    registry = Registry(bench, 1)
    bench.log(PREDICTIONS, "predictions.jsonl", _named(registry, "champion", 1))
    config = registry.config()

    def refused(*_: object) -> dict[str, str]:
        raise SourceUnavailable("403 Forbidden")

    with monkeypatch.context() as patch:
        patch.setattr(Source, "version_names", refused)
        report, before = bench.refreshed(config)
    assert report.failures == {}
    assert before["model_window_predictions", "champion", "1h"] == 80
    _, after = bench.refreshed(config)
    assert after["model_window_predictions", "1", "1h"] == 80
    assert sum(v for key, v in after.items() if key[0] == "model_predictions_total") == 80


def test_versions_that_no_registry_knows(bench: Bench) -> None:
    """Builds and words that the registry does not know stay as they are."""
    registry = Registry(bench, 1)
    bench.log(PREDICTIONS, "predictions.jsonl", _named(registry, "1.2.0", 1) + _named(registry, "blue", 1))
    _, values = bench.refreshed(registry.config())
    assert {key[1] for key in values if key[0] == "model_predictions_total"} == {"1.2.0", "blue"}
    assert judged(values, 1) == (None, None)
    assert values["model_feature_ks_statistic", "blue", "1h", "x"] == registry.right(1)[0]


def _numbered(bench: Bench, rows: int) -> None:
    """Log rows of a version that may be registered."""
    row = {"timestamp": SECONDS - 60, "model_version": "3", "prediction": 1}
    bench.log(PREDICTIONS, "predictions.jsonl", [row] * rows)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((403, {}, b'{"error_code": "PERMISSION_DENIED", "message": "no"}'), "forbidden"),
        # As MLflow's own basic-auth says it.
        ((403, {}, b"Permission denied"), "forbidden"),
        ((401, {}, b"You are not authenticated"), "unauthorized"),
        ((404, {}, b"<html>nginx</html>"), "not_found"),
        ((200, {}, b"<html>log in</html>"), "not_mlflow"),
        ((503, {}, b"maintenance"), "server_error"),
        (None, "unreachable"),
    ],
)
def test_a_registry_that_refuses_costs_model_info(
    bench: Bench,
    canned: Canned,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, dict[str, str], bytes] | None,
    reason: str,
) -> None:
    """Rows logged later count, the refresh is good, and one warning names the registry and the model."""
    registry = canned.url if answer else f"http://127.0.0.1:{free_port()}"
    canned.answers = {"/": answer} if answer else {}
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", registry.replace("http://", "http://me:geheim@"))
    config = bench.config(a_model())
    with bench.opened(config) as pipeline, capture_logs() as logs:
        for minute, rows in enumerate((3, 5)):
            _numbered(bench, rows)
            report = pipeline.refresh(NOW + minute * MINUTE)
            assert (report.mlflow_up, report.failures) == (True, {})
        values = published(pipeline, config, now=NOW + MINUTE)
        remarks = [remark for remark in pipeline.memory("churn").journal.remarks.values() if remark.kind == "lookup"]
    assert values["model_predictions_total", "3"] == 8
    assert values["model_window_predictions", "3", "1h"] == 8
    assert not any(key[0] == "model_info" for key in values)
    (said,) = [line for line in logs if line["log_level"] == "warning"]
    assert (said["model"], said["reason"]) == ("churn", reason)
    assert said["error"].startswith("the model registry at http://")
    assert registry.removeprefix("http://") in said["error"]
    assert "geheim" not in repr(logs)
    assert [(remark.reason, remark.text) for remark in remarks] == [(reason, said["error"])]


def test_a_registry_that_answers_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of versions stays while the registry is away; with its answer the rest comes, and that is said."""
    registry = Registry(bench, 2)
    registry.log(1)
    config = bench.config(a_model(NAME))

    def refused(*_: object) -> None:
        raise SourceUnavailable("the model registry at http://host: connection refused", reason="unreachable")

    def versions() -> list[str]:
        return [key[1] for key in published(pipeline, config) if key[0] == "model_info"]

    with bench.opened(config) as pipeline, capture_logs() as logs:
        pipeline.refresh(NOW)
        assert versions() == ["1"]
        with monkeypatch.context() as patch:
            patch.setattr(Source, "model_version", refused)
            registry.log(2)
            for _ in range(2):
                assert pipeline.refresh(NOW).failures == {}
            assert versions() == ["1"]
        pipeline.refresh(NOW)
        assert sorted(versions()) == ["1", "2"]
    said = [line["event"] for line in logs if "model_info" in repr(line)]
    assert len(said) == 2
    assert said[-1] == "looked up again"


def test_a_reference_in_a_registry_that_refuses(bench: Bench, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that needs the registry for its reference fails by it, and its rows are read all the same."""
    registry = Registry(bench, 1)
    registry.log(1)
    canned.answers = {"/": (403, {}, b"Permission denied")}
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", canned.url)
    report, values = bench.refreshed(registry.config())
    reason, message = report.failures["churn"]
    assert reason == "reference"
    assert f"the model registry at {canned.url}: access is denied (403)" in message
    assert NAME in message
    assert values["model_window_predictions", "1", "1h"] == 80
