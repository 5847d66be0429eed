"""MLflow's own basic-auth: a user who may read the experiment and no model, and one who may read nothing."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from mlflow import MlflowClient
from mlflow.server.auth.client import AuthServiceClient
from structlog.testing import capture_logs

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from mlflow_servers import serve_mlflow

EXPERIMENT = "/monitoring/churn"
# MLflow wants twelve characters.
WORD = "geheimes-wort-12"


def become(user: str, patch: pytest.MonkeyPatch, word: str = WORD) -> None:
    """Ask MLflow as this user from now on."""
    patch.setenv("MLFLOW_TRACKING_USERNAME", user)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", word)


def log(uri: str, rows: int) -> None:
    """Log rows of a version that may be registered, in a run of their own."""
    client = MlflowClient(uri)
    run_id = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id).info.run_id
    row = {"prediction": 1, "model_version": "3", "timestamp": time.time(), "request_id": uuid4().hex}
    client.log_text(run_id, (json.dumps(row) + "\n") * rows, "predictions.jsonl")
    client.set_terminated(run_id)


@pytest.fixture(scope="module")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a server on which `reader` may read the experiment, `nobody` nothing, and `admin` all."""
    home = tmp_path_factory.mktemp("auth")
    (home / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{home}/auth.db\n"
        f"admin_username = admin\nadmin_password = {WORD}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    settings = {"MLFLOW_AUTH_CONFIG_PATH": str(home / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "x"}
    lent = serve_mlflow(
        home, empty_database, artifacts=str(home / "a"), options=["--app-name", "basic-auth"], settings=settings
    )
    with lent as uri, pytest.MonkeyPatch.context() as patch:
        become("admin", patch)
        experiment_id = MlflowClient(uri).create_experiment(EXPERIMENT)
        users = AuthServiceClient(uri)
        for name in ("reader", "nobody"):
            users.create_user(name, WORD)
        users.grant_user_permission("reader", "experiment", experiment_id, "READ")
        yield uri


@pytest.fixture
def pipeline(server: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Return a pipeline over one model of that server."""
    model = {"name": "churn", "predictions": {"experiment": EXPERIMENT}}
    config = Config.model_validate(
        {"mlflow": {"tracking_uri": server}, "state_dir": str(tmp_path / "state"), "models": [model]}
    )
    store = Store.open(config.state_dir)
    yield Pipeline(config, Feeds(config), store, executor=Inline())
    store.close()


def test_who_may_read_the_experiment_only(server: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures go on; one warning names the registry, the model and the permission."""
    counted = []
    with capture_logs() as logs:
        for rows in (3, 5):
            become("admin", monkeypatch)
            log(server, rows)
            become("reader", monkeypatch)
            report = pipeline.refresh(int(time.time() * 1e6))
            assert (report.mlflow_up, report.failures) == (True, {})
            counted.append(pipeline.states[0].totals.versions["3"].predictions)
    assert counted[1] - counted[0] == 5
    said = [line for line in logs if line.get("reason") == "forbidden"]
    assert len(said) == 1
    assert "the model registry at" in said[0]["error"]
    assert '"churn"' in said[0]["error"]
    assert WORD not in repr(logs)


@pytest.mark.parametrize(
    ("user", "word", "reason", "words"),
    [("reader", "another-word-12", "unauthorized", "(401)"), ("nobody", WORD, "forbidden", "ask for read access")],
)
def test_who_may_read_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, user: str, word: str, reason: str, words: str
) -> None:
    """A wrong password and a missing permission are told apart; with the right ones all is there at once."""
    become(user, monkeypatch, word)
    found, text = pipeline.refresh(int(time.time() * 1e6)).failures["churn"]
    assert (found, words in text) == (reason, True), text
    become("reader", monkeypatch)
    assert pipeline.refresh(int((time.time() + 60) * 1e6)).failures == {}
