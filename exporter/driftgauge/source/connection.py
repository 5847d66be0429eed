"""One tracking URI: MLflow's client for it, made on first use, and its artifact stores.

Every request through it ends within the deadline.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from driftgauge.errors import SourceMissing, SourceUnavailable
from driftgauge.hiding import hidden
from driftgauge.scratch import Scratch
from driftgauge.source.deadline import BoundedClient, Deadline
from driftgauge.source.entries import CHUNK_BYTES
from driftgauge.source.failures import failure, translated_errors
from driftgauge.source.greeting import ENDPOINT, VERSION_ENDPOINT, check_answer, too_old
from driftgauge.source.guards import check_present, check_schema
from driftgauge.source.http import Http
from driftgauge.source.origins import Borders
from driftgauge.source.pacing import pace_for
from driftgauge.source.registry import REST_SECONDS, Registry
from driftgauge.source.repositories import Elsewhere
from driftgauge.source.schedule import Portions
from driftgauge.source.setbacks import Setbacks
from driftgauge.source.stores import ArtifactStore, is_local, put, store_at
from driftgauge.source.transport import guard_mlflow

_LONGEST_VERSION: Final = 40


class Connection:
    """The connection to one tracking server or store; safe to share between threads.

    `server` is its URI without credentials, as messages show it. artifact_hosts: see `Borders`. clock: s since the
    epoch. on_answer: is called after each request that was answered in time. registry_rest: for how long (s) a registry
    that does not answer is left alone.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        artifact_hosts: tuple[str, ...] = (),
        timeout: float,
        spool: Scratch,
        portions: Portions,
        clock: Callable[[], float] = time.time,
        on_answer: Callable[[], None] = lambda: None,
        registry_rest: float = REST_SECONDS,
    ) -> None:
        self.tracking_uri = tracking_uri
        self.server = hidden(tracking_uri)
        self._registry = Registry(tracking_uri, rest=registry_rest)
        self.portions = portions
        # Runs per request of a search; fewer where a server's runs are long.
        self.page = portions.page
        self._deadline = Deadline(timeout, on_answer=on_answer)
        self._borders = Borders(tracking_uri, artifact_hosts)
        self._http = Http(self._deadline, self._borders)
        # What could not be used lately, by run and folder, or by store.
        self.setbacks = Setbacks(clock)
        self._elsewhere = Elsewhere(Deadline(timeout, on_answer=on_answer), self.setbacks)
        self._spool = spool
        guard_mlflow()
        # Held here, and found by whoever sends a request.
        self.pace = pace_for(tracking_uri, patience=portions.patience)
        self._registry_pace = pace_for(self._registry.uri, patience=portions.patience)
        self._lock = Lock()
        self._client: Any = None
        self._answered = False

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Yield MLflow's client; its failures are raised as SourceMissing or SourceUnavailable."""
        try:
            with translated_errors(self.server):
                self._ensure_client()
                yield self._client
        except SourceUnavailable:
            self._answered = False
            raise

    @contextmanager
    def registry(self, name: str) -> Iterator[Any]:
        """Yield MLflow's client, to ask the registry about the model `name`: a failure of that is not the server's."""
        with self.client():
            pass
        with self._registry.asked(name):
            yield self._client

    def recheck(self) -> None:
        """Send a small request before the next one, so that a server that is gone is noticed within seconds."""
        self._answered = False

    def ping(self) -> None:
        """Raise SourceUnavailable when the server or store does not answer, within seconds if it is gone."""
        self.recheck()
        with self.client() as client:
            if not self._is_remote:
                client.search_experiments(max_results=1)

    def store_at(self, root: str, *, ours: bool = False, hurried: bool = False) -> ArtifactStore:
        """Return the artifact store at the URI `root`.

        ours: it is in the configuration, so any place is meant. hurried: others wait for its listings. Raises
        BatchError when the tracking server may not name it, or when it is no store.
        """
        with translated_errors(hidden(root)):
            if not ours:
                self._borders.refuse(root)
            return store_at(
                root,
                tracking_uri=self.tracking_uri,
                http=self._http,
                spool=self._spool,
                elsewhere=self._elsewhere,
                hurried=hurried,
            )

    def put(self, root: str, file: Path) -> None:
        """Write a file into the artifacts of a run, which are at `root`, under its own name; see `stores.put`."""
        mebibytes = file.stat().st_size / CHUNK_BYTES
        with translated_errors(hidden(root)):
            self._deadline.within(partial(put, root, file, borders=self._borders), times=1 + mebibytes)

    @property
    def resting(self) -> set[str]:
        """The ids of runs that could not be listed in full lately, and are not to be tried again yet."""
        return {key[0] for key in self.setbacks.resting if isinstance(key, tuple)}

    def is_on_this_machine(self, root: str) -> bool:
        """Return whether the artifact store at the URI `root` is a local folder."""
        return is_local(root)

    @property
    def _is_remote(self) -> bool:
        return self.tracking_uri.startswith(("http://", "https://"))

    def _ensure_client(self) -> None:
        if not self.tracking_uri:
            raise SourceUnavailable("there is no tracking server: set mlflow.tracking_uri or MLFLOW_TRACKING_URI")
        check_present(self.tracking_uri)
        if self._is_remote and not self._answered:
            self._deadline.within(self._check_reachable)
        with self._lock:
            if self._client is None:
                self._client = BoundedClient(self._deadline.within(self._connect), self._deadline)
        self._answered = True

    def _check_reachable(self) -> None:
        response = self._asked(ENDPOINT, params={"max_results": 1})
        if response.status_code == 404:
            known = self._asked(VERSION_ENDPOINT)
            if known.ok and (cause := too_old(known.text[:_LONGEST_VERSION])):
                raise failure(cause, self.server)
        check_answer(response, server=self.server)

    def _asked(self, endpoint: str, **options: Any) -> Any:
        # One small request with a short connect timeout: MLflow's client has a single long one for everything.
        return http_request(
            get_default_host_creds(self.tracking_uri),
            endpoint,
            "GET",
            timeout=self._deadline.connect_and_read,
            max_retries=0,
            raise_on_status=False,
            **options,
        )

    def _connect(self) -> Any:
        check_schema(self.tracking_uri)
        try:
            with translated_errors(self.server):
                return MlflowClient(tracking_uri=self.tracking_uri)
        except SourceMissing as error:
            # For example a scheme that MLflow does not know.
            raise SourceUnavailable(str(error)) from None
