"""A registered version says how it is monitored: which file is in force, also when another one cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

import pytest
from mlflow import MlflowClient, set_tracking_uri
from structlog.testing import capture_logs

from driftgauge.client import log_reference
from driftgauge.config import Config
from driftgauge.errors import SourceUnavailable
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.service.refreshing import about_monitoring, samples_of, shown_of
from driftgauge.source import Source
from driftgauge.windows import MICROSECONDS
from pipeline.conftest import NOW, PREDICTIONS, Bench, a_model, prediction, published

NAME: Final = "churn"
MINUTE: Final = 60 * MICROSECONDS
HIGH: Final = "threshold: 0.9\n"


class Versions:
    """A registered model, of which each version has a file of its own or none."""

    def __init__(self, bench: Bench, name: str = NAME) -> None:
        self.bench = bench
        self.name = name
        bench.client.create_registered_model(name)
        rows = [prediction(n, score, label=1) for n, score in enumerate((0.6, 0.7, 0.8, 0.95))]
        bench.log(PREDICTIONS, "predictions.jsonl", rows)

    def add(self, text: str | None = None) -> str:
        """Register a version with this file, and have the alias mean it; return its run."""
        run = self.bench.run("/training")
        if text is not None:
            self.bench.put(run, "driftgauge.yml", text.encode())
        version = self.bench.client.create_model_version(
            self.name, self.bench.client.get_run(run).info.artifact_uri, run
        )
        self.bench.client.set_registered_model_alias(self.name, "champion", version.version)
        return run

    def config(self, **settings: Any) -> Config:
        """Return a configuration that follows the alias."""
        uri = f"models:/{self.name}@champion/driftgauge.yml"
        return self.bench.config(a_model(self.name, monitoring=uri, **settings))


class Steps:
    """A pipeline that is refreshed a minute later each time."""

    def __init__(self, pipeline: Pipeline, config: Config) -> None:
        self.pipeline = pipeline
        self.config = config
        self.now = NOW

    def failure(self) -> Any:
        """Refresh; return why that failed, if it did."""
        self.now += MINUTE
        return self.pipeline.refresh(self.now).failures.get(self.memory.state.config.name)

    @property
    def memory(self) -> Memory:
        """What is known of the model."""
        return self.pipeline.memory(self.config.models[0].name)

    @property
    def accuracy(self) -> float | None:
        """What is published: by the threshold 0.5 all are right, by 0.9 one in four."""
        return published(self.pipeline, self.config, now=self.now).get(("model_accuracy", "unknown", "1h"))

    @property
    def shown(self) -> dict[str, Any]:
        """What the landing page has."""
        return shown_of(self.memory, self.config, {}, now=self.now)

    @property
    def said(self) -> tuple[str, float]:
        """Whose file is in force, and whether that is the one that is named now, as metrics have it."""
        found = about_monitoring(self.memory)
        source = found["model_monitoring_info"][0].labels[1] if "model_monitoring_info" in found else ""
        (current,) = found["driftgauge_monitoring_config_last_reload_successful"]
        return source.removeprefix(f"models:/{self.config.models[0].name}/"), getattr(current, "value", -1.0)


@contextmanager
def steps(bench: Bench, config: Config) -> Iterator[Steps]:
    """Lend a fresh process."""
    with bench.opened(config) as pipeline:
        yield Steps(pipeline, config)


def test_the_file_of_the_version_that_is_named(bench: Bench) -> None:
    """It is in force from the first row on; when the alias moves, rows are read again by the next one's."""
    versions = Versions(bench)
    versions.add(HIGH)
    with steps(bench, versions.config()) as process:
        assert process.failure() is None
        assert (process.accuracy, process.said) == (0.25, ("1/driftgauge.yml", 1.0))
        versions.add("threshold: 0.75")
        assert process.failure() is None
        assert (process.accuracy, process.said) == (0.5, ("2/driftgauge.yml", 1.0))
        assert process.memory.state.totals.versions["unknown"].predictions == 4
    with steps(bench, versions.config(threshold=0.5)) as process:
        assert process.failure() is None
        assert (process.accuracy, process.said) == (1.0, ("2/driftgauge.yml", 1.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("threshold: 3", "models:/churn/2/driftgauge.yml:1: threshold: must be"),
        ("a: " + "x" * 300_000, "has more than 262,144 bytes: write less"),
    ],
)
def test_a_file_that_cannot_be_used(bench: Bench, text: str, words: str) -> None:
    """The last good one stays, also over a restart; it is said once, and ends with one that can be used."""
    versions = Versions(bench)
    versions.add(HIGH)
    with steps(bench, versions.config()) as process:
        assert process.failure() is None
        versions.add(text)
        with capture_logs() as logs:
            assert (process.failure(), process.failure()) == (None, None)
        assert (process.accuracy, process.said) == (0.25, ("1/driftgauge.yml", 0.0))
        assert words in process.shown["not_taken"]
        assert process.shown["not_taken"].endswith("the last good one is in force")
        assert process.shown["monitoring"] == "models:/churn/1/driftgauge.yml"
        assert [log["event"] for log in logs].count("monitoring configuration not taken") == 1
    with steps(bench, versions.config()) as process:
        assert process.memory.state.config.threshold == 0.9
        assert process.failure() is None
        assert (process.accuracy, process.said) == (0.25, ("1/driftgauge.yml", 0.0))
        versions.add(HIGH)
        assert process.failure() is None
        assert (process.said, process.memory.monitored.problem) == (("3/driftgauge.yml", 1.0), "")


def test_a_model_is_not_read_without_one(bench: Bench) -> None:
    """Nobody knows what its rows mean; the failure says what to do, and other models go on."""
    versions = Versions(bench)
    config = versions.config()
    with steps(bench, config) as process:
        reason, text = process.failure()
        assert reason == "monitoring"
        assert "correct models[].monitoring" in text
        assert (process.accuracy, process.said) == (None, ("", 0.0))
        versions.add()
        process.now += 600 * MINUTE
        _, text = process.failure()
        assert 'there is no "driftgauge.yml" in ' in text
        assert "log it there or correct models[].monitoring" in text
        versions.add(HIGH)
        process.now += 600 * MINUTE
        assert process.failure() is None
        assert process.said == ("2/driftgauge.yml", 1.0)


def test_a_registry_that_does_not_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force stays; a model that has none yet fails for the reason that the registry gives."""
    versions = Versions(bench)
    versions.add(HIGH)
    asked = Source.reference_identity

    def away(_: Source, uri: str) -> str:
        raise SourceUnavailable(f"the model registry is away ({uri})", reason="unreachable")

    with steps(bench, versions.config()) as process:
        assert process.failure() is None
    monkeypatch.setattr(Source, "reference_identity", away)
    with steps(bench, versions.config()) as process:
        assert process.failure() is None
        assert (process.accuracy, process.said) == (0.25, ("1/driftgauge.yml", 0.0))
        assert "registry is away" in process.memory.monitored.problem
        monkeypatch.setattr(Source, "reference_identity", asked)
        assert process.failure() is None
        assert process.said == ("1/driftgauge.yml", 1.0)
        monkeypatch.setattr(Source, "reference_identity", away)
    elsewhere = versions.config().model_copy(update={"state_dir": str(bench.folder / "new")})
    with steps(bench, elsewhere) as process:
        assert process.failure()[0] == "unreachable"


def test_what_is_shown_of_another_file_is_computed_anew(bench: Bench) -> None:
    """Where a version only judges otherwise, nothing is read again, and windows are not those of before."""
    versions = Versions(bench)
    versions.add("drift: {min_samples: 2}")
    reference = bench.folder / "reference.csv"
    reference.write_text("probability,prediction\n" + "".join(f"{n / 100},1\n" for n in range(100)))
    config = versions.config(reference={"uri": str(reference)})
    with steps(bench, config) as process:

        def flag() -> Any:
            samples, _ = samples_of(process.memory, config, None, None, now=process.now)
            return [each for each in samples.get("model_prediction_drift_detected", ()) if each.labels[2] == "1h"]

        assert process.failure() is None
        assert len(flag()) == 1
        versions.add("drift: {min_samples: 1000}")
        with capture_logs() as logs:
            assert process.failure() is None
        assert flag() == []
        assert not [log for log in logs if "read again" in log["event"]]


def test_from_the_client_to_the_page(mlflow_server: str, bench: Bench) -> None:
    """On a server: what `log_reference` logs with a version is in force for its rows and its verdicts."""
    name = f"churn-{uuid4().hex}"
    remote = Bench(mlflow_server, MlflowClient(mlflow_server), bench.folder)
    versions = Versions(remote, name)
    run = versions.add()
    said = {"threshold": 0.9, "thresholds": {"alerts": {"ModelPredictionShifted": {"psi": 0.4}}}}
    set_tracking_uri(mlflow_server)
    try:
        log_reference({"probability": [0.1, 0.9], "label": [0, 1]}, f"models:/{name}@champion", monitoring=said)
    finally:
        set_tracking_uri(None)
    assert {file.path for file in remote.client.list_artifacts(run)} == {"driftgauge.yml", "reference.parquet"}
    with steps(remote, versions.config()) as process:
        assert process.failure() is None
        assert (process.accuracy, process.said) == (0.25, ("1/driftgauge.yml", 1.0))
        assert "psi" in process.memory.state.config.judging
