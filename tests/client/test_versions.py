"""URIs of models against a real registry: the number they stand for, and the run they come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.models import log_model, registry, tracking
from driftgauge.client.versions import number_of, pinned, run_of
from driftgauge.errors import SourceError
from mlflow_servers import free_port


@dataclass(frozen=True)
class Registered:
    """A model of three versions: 1 in Production, 2 the champion, 3 the latest; all of them from one run."""

    client: Any
    run_id: str
    model_id: str


@pytest.fixture(scope="module")
def registered(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a registry with the model `churn`, which the tests only read."""
    folder = tmp_path_factory.mktemp("versions")
    with registry(empty_database, folder) as client:
        logged = log_model(folder, "return model_input['age']")
        client.create_registered_model("churn")
        run_source = f"runs:/{logged.run_id}/model"
        client.create_model_version("churn", source=run_source, run_id=logged.run_id)
        client.create_model_version("churn", source=logged.model_uri, run_id=logged.run_id)
        client.create_model_version("churn", source=run_source, run_id=logged.run_id)
        client.set_registered_model_alias("churn", "champion", "2")
        client.transition_model_version_stage("churn", "1", "Production")
        yield Registered(client, logged.run_id, logged.model_id)


@pytest.mark.parametrize(
    ("form", "uri", "number"),
    [
        ("models:/churn@champion", "models:/churn/2", "2"),
        ("models:/churn/Production", "models:/churn/1", "1"),
        ("models:/churn/production", "models:/churn/1", "1"),
        ("models:/churn/latest", "models:/churn/3", "3"),
        ("models:/churn/2", "models:/churn/2", "2"),
        ("models:/{model}", "models:/{model}", "2"),
        ("runs:/{run}/model", "runs:/{run}/model", "3"),
        ("runs:/{run}/other", "runs:/{run}/other", "2"),
        ("/models/churn", "/models/churn", "2"),
    ],
)
def test_numbers(registered: Registered, form: str, uri: str, number: str) -> None:
    """Every form leads to what is loaded and to its number; of a run's versions it is the newest of that path."""
    places = {"model": registered.model_id, "run": registered.run_id}
    found = pinned(registered.client, form.format(**places))

    assert found == uri.format(**places)
    assert number_of(registered.client, found, model_id=registered.model_id) == number


def test_not_registered(registered: Registered) -> None:
    """A model without any version has no number."""
    assert number_of(registered.client, "/models/churn", model_id=None) is None
    assert number_of(registered.client, f"runs:/{registered.run_id}/other", model_id=None) is None


def test_two_names(empty_database: Path, tmp_path: Path) -> None:
    """A model under two names has no number: nothing says which of them is meant."""
    with registry(empty_database, tmp_path) as client:
        logged = log_model(tmp_path, "return model_input")
        for name in ("churn", "churn-eu"):
            client.create_registered_model(name)
            client.create_model_version(name, source=logged.model_uri, run_id=logged.run_id)

        assert number_of(client, logged.model_uri, model_id=logged.model_id) is None


@pytest.mark.parametrize("form", ["models:/churn@champion", "models:/{model}", "runs:/{run}/model"])
def test_runs(registered: Registered, form: str) -> None:
    """A version, a logged model and a run lead to the run."""
    uri = form.format(model=registered.model_id, run=registered.run_id)

    assert run_of(registered.client, uri) == registered.run_id


@pytest.mark.parametrize(
    "uri",
    [
        "models:/churn@nobody",
        "models:/churn/Staging",
        "models:/churn/99",
        "models:/nothing/1",
        "models:/",
        "models:/m-00000000000000000000000000000000",
        "runs:/00000000000000000000000000000000/model",
        "/models/churn",
    ],
)
def test_missing(registered: Registered, uri: str) -> None:
    """What is missing is named, with what can be written instead."""
    with pytest.raises(SourceError) as failure:
        run_of(registered.client, uri)

    assert uri in str(failure.value)
    assert "models:/<name>@<alias>" in str(failure.value)


def test_a_model_without_run(empty_database: Path, tmp_path: Path) -> None:
    """A version that no run made has no place for a reference, and the message says what to do."""
    with registry(empty_database, tmp_path) as client:
        client.create_registered_model("churn")
        client.create_model_version("churn", source=str(tmp_path))

        with pytest.raises(SourceError, match="made by no run: register it from a run"):
            run_of(client, "models:/churn/1")


def test_an_unreachable_registry_keeps_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing answers, the message says so without the password in the tracking URI."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with tracking(f"http://user:hunter22@127.0.0.1:{free_port()}") as client, pytest.raises(SourceError) as failure:
        pinned(client, "models:/churn@champion")

    assert "127.0.0.1" in str(failure.value)
    assert "hunter22" not in str(failure.value)
