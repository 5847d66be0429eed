"""The requests to MLflow, and their failures as errors of ours. Used in background threads only.

MLflow is imported at the first request. `check_reachable` sends a short one before MLflow's own client is used, which
would retry for minutes. No message contains credentials, and no setting of the host process is changed.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from driftgauge.client.process import FORK_GUARD
from driftgauge.errors import DriftgaugeError, SourceMissing, SourceUnavailable
from driftgauge.redaction import Secrets, secrets_in

_PING: Final = "/api/2.0/mlflow/experiments/search"
_PING_SECONDS: Final = (3.05, 10)
_MISSING: Final = "RESOURCE_DOES_NOT_EXIST"
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_USERINFO: Final = re.compile(r"(?<=://)[^/\s]*@")
_QUERY: Final = re.compile(r"(://[^\s?'\"]*)\?[^\s'\"]*")
# MLflow appends the answer it got, which may contain anything.
_BODY: Final = re.compile(r"Response (?:body|text):")
_LONGEST: Final = 300


def redacted(text: str) -> str:
    """Return text without the user info and query of its URLs and without secrets of the environment."""
    return Secrets(secrets_in(os.environ)).hide(_QUERY.sub(r"\1", _USERINFO.sub("", text)))


class Tracking:
    """One MLflow tracking server or store. Every method raises SourceUnavailable, or SourceMissing where it says so.

    uri: empty to leave it to MLflow.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._client: Any = None

    def check_reachable(self) -> None:
        """Send one small request; return when the server answers it."""
        with _mlflow_errors(self._uri):
            self._make_client()
            if not self._uri.startswith(("http://", "https://")):
                return
            from mlflow.utils.credentials import get_default_host_creds  # noqa: PLC0415 - as below
            from mlflow.utils.rest_utils import http_request  # noqa: PLC0415

            answer = http_request(
                get_default_host_creds(self._uri),
                _PING,
                "GET",
                params={"max_results": 1},
                timeout=_PING_SECONDS,
                max_retries=0,
                raise_on_status=False,
            )
            if answer.status_code >= 400:
                raise SourceUnavailable(f"it answers HTTP {answer.status_code}")

    def create_run(self, experiment: str, *, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of a new run, in an experiment that is made when it does not exist."""
        with _mlflow_errors(self._uri):
            run = self._client.create_run(self._experiment_id(experiment), run_name=name, tags=dict(tags))
            return str(run.info.run_id)

    def is_active(self, run_id: str) -> bool:
        """Return whether a run exists and is not deleted. Raises SourceMissing when it is gone for good."""
        with _mlflow_errors(self._uri):
            return bool(self._client.get_run(run_id).info.lifecycle_stage == "active")

    def upload(self, run_id: str, path: Path) -> None:
        """Return when MLflow has the file, as an artifact of the same name at the root of the run."""
        with _mlflow_errors(self._uri):
            self._client.log_artifact(run_id, str(path))

    def sizes(self, run_id: str) -> dict[str, int | None]:
        """Return the files at the root of a run, deleted or not: name -> bytes."""
        with _mlflow_errors(self._uri):
            return {file.path: file.file_size for file in self._client.list_artifacts(run_id)}

    def finish(self, run_id: str) -> None:
        """Mark a run as finished, if it is not deleted. Raises SourceMissing as `is_active` does."""
        if not self.is_active(run_id):
            return
        with _mlflow_errors(self._uri):
            from mlflow.entities import RunStatus  # noqa: PLC0415 - as above

            # The public method prints the run's address to standard output and ends asynchronous logging of the host.
            store = self._client._tracking_client.store  # noqa: SLF001
            store.update_run_info(run_id, RunStatus.FINISHED, int(time.time() * 1000), None)

    def _make_client(self) -> None:
        if self._client is None:
            # An import that a fork interrupts never ends in the child.
            with FORK_GUARD:
                from mlflow import MlflowClient  # noqa: PLC0415 - it takes seconds, and only this thread needs it

                self._client = MlflowClient(self._uri or None)

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name) or self._created(name)
        if found.lifecycle_stage != "active":
            remedy = f"restore it with `mlflow experiments restore -x {found.experiment_id}`"
            raise SourceUnavailable(f'experiment "{name}" is deleted: {remedy}')
        return str(found.experiment_id)

    def _created(self, name: str) -> Any:
        try:
            return self._client.get_experiment(self._client.create_experiment(name))
        except Exception as error:
            # Another process was quicker.
            if getattr(error, "error_code", "") != _EXISTS:
                raise
            return self._client.get_experiment_by_name(name)


@contextmanager
def _mlflow_errors(uri: str) -> Iterator[None]:
    server = redacted(uri) or "MLflow"
    try:
        yield
    except DriftgaugeError as error:
        raise type(error)(f"{server}: {error}") from None
    except Exception as error:  # noqa: BLE001 - MLflow's stores raise trees of their own: requests, boto3, sqlalchemy
        # Not chained: a traceback would show the original text, credentials and all.
        kind = SourceMissing if getattr(error, "error_code", "") == _MISSING else SourceUnavailable
        detail = redacted(_BODY.split(str(error), 1)[0]).strip()
        raise kind(f"{server}: {type(error).__name__}: {detail[:_LONGEST]}") from None
