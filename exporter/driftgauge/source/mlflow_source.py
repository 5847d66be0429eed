"""What the pipeline reads from MLflow: runs and their files, reference files, model versions."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import BinaryIO, TypeVar

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.source import environment, references
from driftgauge.source.discovery import Reach, discover
from driftgauge.source.failures import redacted, translated_errors
from driftgauge.source.spool import fingerprint, refuse_cut, refuse_oversize, spooled
from driftgauge.source.survey import Sighting, survey
from driftgauge.source.values import Artifact, Discovery, ModelVersion, ReferenceFile, RunState

K = TypeVar("K", bound=Hashable)


class Source:
    """One MLflow tracking URI: an http(s) server, a database such as sqlite, or a folder of runs.

    Nothing is contacted before the first call; calls may come from any thread. All raise SourceUnavailable when the
    server or store does not answer, and SourceMissing when it answers and the requested thing does not exist; messages
    contain no credentials.

    max_artifact_bytes bounds every file that is opened. timeout (s) bounds each request to a server or database and
    each MiB of a download, however slowly the bytes arrive; a pass sends several requests and ends with the first that
    shows that the server is gone. clock returns seconds since the epoch.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        max_artifact_bytes: int,
        timeout: float = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        environment.prepare(timeout=timeout)
        from driftgauge.source.connection import Connection  # noqa: PLC0415 - brings MLflow, which takes seconds

        self._connection = Connection(tracking_uri, timeout=timeout)
        self._max_bytes = max_artifact_bytes
        self._clock = clock
        self._roots: dict[str, str] = {}
        self._versions: dict[tuple[str, str], ModelVersion] = {}

    def survey(self, asked: Mapping[K, tuple[str, Mapping[str, RunState]]]) -> Mapping[K, Sighting]:
        """Look in several experiments at once, each given with its `known` runs, for runs that can be new.

        Of several experiments, those that do not exist are left out; a single one raises SourceMissing. A server that
        is gone is noticed as quickly as by `healthy`.
        """
        self._connection.recheck()
        return survey(self._connection, asked, now=int(self._clock() * 1000))

    def runs(
        self,
        experiment: str,
        *,
        known: Mapping[str, RunState],
        full: bool,
        relist: bool = False,
        sighting: Sighting | None = None,
    ) -> Discovery:
        """Find the files of the experiment (a name or id) that may be new since the pass that returned `known`.

        full: search for all runs, as the first pass of a process must; else only for those that can be new. sighting:
        what a survey with the same `known` found, in place of that search. relist: search for and list every run,
        settled or not.
        """
        now = int(self._clock() * 1000)
        reach: Reach = "everything" if relist else "all" if full else "new"
        found = discover(self._connection, experiment, known=known, reach=reach, now=now, sighting=sighting)
        self._roots.update(found.roots)
        for deleted in known.keys() - found.discovery.states.keys():
            self._roots.pop(deleted, None)
        return found.discovery

    def open(self, artifact: Artifact) -> BinaryIO:
        """Return the artifact's bytes as they are now, in a seekable file at its start that is deleted when closed.

        Raises BatchError "too_large" before the download where the size is known, else in its middle; "incomplete"
        when fewer bytes arrived than were listed; and "not_delivered" when the server answers, but not with this file.
        A run known to be deleted is missing; one deleted since the last pass still counts.
        """
        refuse_oversize(artifact.path, size=artifact.size or 0, limit=self._max_bytes)
        root = self._root(artifact.run_id)
        try:
            file = self._fetch(root, artifact.path)
        except SourceUnavailable as error:
            # Raises when the server itself is gone, and not only this file fails.
            self._connection.ping()
            raise BatchError("not_delivered", f'"{artifact.path}" is not delivered: {error}') from None
        return refuse_cut(file, size=artifact.size or 0, name=artifact.path)

    def open_reference(self, uri: str) -> ReferenceFile:
        """Return the reference at a path or a file:, runs:, models:, mlflow-artifacts: or store URI (s3:, gs:, …).

        A model version's own artifacts come before those of its run. Raises BatchError "too_large".
        """
        target = references.resolve(self._connection, uri)
        for root in target.roots:
            try:
                file = self._fetch(root, target.path)
            except SourceMissing:
                continue
            return ReferenceFile(file, uri.rpartition("/")[2], fingerprint(file))
        raise references.missing(uri, target)

    def reference_identity(self, uri: str) -> str:
        """Return a text that changes when `uri` means another file, which has to be loaded then.

        An alias or stage follows its version, a local path its size and time; any other URI is taken as constant.
        """
        return references.resolve(self._connection, uri).identity

    def model_version(self, name: str, version: str) -> ModelVersion | None:
        """Return the registered version of the model, or None when the registry has none."""
        if not version.isdigit():
            return None
        if (name, version) not in self._versions:
            found = references.registered(self._connection, name, version)
            if found is None:
                return None
            self._versions[name, version] = found
        return self._versions[name, version]

    def healthy(self) -> bool:
        """Return whether the server or store answers one small request now; never raises."""
        try:
            self._connection.ping()
        except SourceUnavailable:
            return False
        return True

    def _fetch(self, root: str, path: str) -> BinaryIO:
        store = self._connection.store_at(root)
        with translated_errors(redacted(root)):
            return spooled(store.chunks(path, limit=self._max_bytes), limit=self._max_bytes, name=path)

    def _root(self, run_id: str) -> str:
        if run_id not in self._roots:
            with self._connection.client() as client:
                info = client.get_run(run_id).info
            if info.lifecycle_stage != "active":
                raise SourceMissing(f"run {run_id} is deleted: restore it with `mlflow runs restore --run-id {run_id}`")
            self._roots[run_id] = info.artifact_uri
        return self._roots[run_id]
