"""An object store on this machine, and places that feeds look at: runs of MLflow, a folder, a prefix."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest
from moto.server import ThreadedMotoServer

from driftgauge.config import Config
from driftgauge.feed import Feed
from driftgauge.pipeline.feeds import Feeds

BUCKET = "monitoring"
LIMIT = 1_000_000


class Place(Protocol):
    """Where files are put, and feeds over it, each as in a process of its own."""

    def put(self, path: str, text: str) -> None:
        """Write a file, in place of what was there."""
        ...

    def delete(self, path: str) -> None:
        """Remove a file."""
        ...

    def feed(self) -> Feed:
        """Return a new feed of predictions and labels."""
        ...


def feeds(state: Path, model: Mapping[str, Any], **settings: Any) -> Feeds:
    """Return the feeds of a configuration with one model `m`."""
    values = {"models": [{"name": "m", **model}], "state_dir": str(state), "limits": {"max_artifact_bytes": LIMIT}}
    return Feeds(Config.model_validate(values | settings))


@dataclass
class Folder:
    """A folder on this machine."""

    state: Path
    root: Path

    def put(self, path: str, text: str) -> None:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def delete(self, path: str) -> None:
        """Remove a file."""
        (self.root / path).unlink()

    def feed(self) -> Feed:
        """Return a new feed."""
        self.root.mkdir(exist_ok=True)
        return feeds(self.state, {"predictions": {"files": str(self.root)}, "labels": {}})["m"]


@dataclass
class Prefix:
    """A prefix of an object store."""

    state: Path
    client: Any
    prefix: str

    def put(self, path: str, text: str) -> None:
        """Write an object."""
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{path}", Body=text.encode())

    def delete(self, path: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{path}")

    def feed(self) -> Feed:
        """Return a new feed."""
        return feeds(self.state, {"predictions": {"files": f"s3://{BUCKET}/{self.prefix}/"}, "labels": {}})["m"]


@dataclass
class Runs:
    """Runs of an MLflow experiment, one for each file."""

    state: Path
    uri: str
    client: Any
    runs: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, text: str) -> None:
        """Log an artifact."""
        if path not in self.runs:
            run = self.client.create_run(self.client.get_experiment_by_name("e").experiment_id)
            self.runs[path] = run.info.run_id
        self.client.log_text(self.runs[path], text, path)
        self.client.set_terminated(self.runs[path])

    def delete(self, path: str) -> None:
        """Delete the run."""
        self.client.delete_run(self.runs.pop(path))

    def feed(self) -> Feed:
        """Return a new feed."""
        if self.client.get_experiment_by_name("e") is None:
            self.client.create_experiment("e")
        model = {"predictions": {"experiment": "e"}, "labels": {}}
        return feeds(self.state, model, mlflow={"tracking_uri": self.uri})["m"]


@dataclass
class Apart:
    """Labels in a folder, and predictions in a place of another kind."""

    state: Path
    predictions: Runs
    labels: Folder

    def _place(self, path: str) -> Place:
        return self.labels if path.startswith("labels") else self.predictions

    def put(self, path: str, text: str) -> None:
        """Write a file where it belongs."""
        self._place(path).put(path, text)

    def delete(self, path: str) -> None:
        """Remove a file."""
        self._place(path).delete(path)

    def feed(self) -> Feed:
        """Return a new feed."""
        self.predictions.feed()
        self.labels.feed()
        model = {"predictions": {"experiment": "e"}, "labels": {"files": str(self.labels.root)}}
        return feeds(self.state, model, mlflow={"tracking_uri": self.predictions.uri})["m"]


@pytest.fixture(scope="session")
def store() -> Iterator[str]:
    """Yield the URL of an object store with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(store: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client of the store, after the environment says where it is and who asks."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture(params=["runs", "folder", "prefix", "apart"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return an empty place of each kind in turn."""
    state, folder = tmp_path / "state", Folder(tmp_path / "state", tmp_path / "files")
    if request.param == "folder":
        return folder
    if request.param == "prefix":
        return Prefix(state, request.getfixturevalue("s3"), tmp_path.name)
    from mlflow import MlflowClient  # noqa: PLC0415 - after the environment is prepared

    uri = request.getfixturevalue("sqlite_store")
    runs = Runs(state, uri, MlflowClient(uri))
    return runs if request.param == "runs" else Apart(state, runs, folder)
