"""What the pipeline reads from MLflow: runs and their files, reference files, model versions."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.feed import Opener
from driftgauge.hiding import hidden
from driftgauge.openers import refuse_size
from driftgauge.patterns import is_data_file
from driftgauge.scratch import Scratch
from driftgauge.source import environment, references
from driftgauge.source.discovery import Reach, discover
from driftgauge.source.entries import Entry
from driftgauge.source.failures import translated_errors
from driftgauge.source.listing import files_of
from driftgauge.source.schedule import DEFAULT_PORTIONS, Portions
from driftgauge.source.survey import Choice, Sighting, survey
from driftgauge.source.values import Artifact, Discovery, ModelVersion, ReferenceFile, RunState

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection

_REGISTRY_INTERVAL: Final = 3600.0
K = TypeVar("K", bound=Hashable)


class Source:
    """One MLflow tracking URI: an http(s) server, a database such as sqlite, or a folder of runs.

    Nothing is contacted before the first call, nor is MLflow imported; calls may come from any thread. All raise
    SourceUnavailable when the server or store does not answer, and SourceMissing when it answers and the requested
    thing does not exist; messages contain no credentials.

    max_artifact_bytes bounds every file that is opened. downloads go to `spool`. artifact_hosts: see `Borders`.
    timeout (s) bounds each request to a server or database and each MiB of a download, however slowly the bytes arrive;
    a pass sends several requests and ends with the first that shows that the server is gone. on_answer is called after
    each that was answered in time. clock returns seconds since the epoch. portions: how much a pass does at a time.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        max_artifact_bytes: int,
        spool: Scratch,
        artifact_hosts: tuple[str, ...] = (),
        timeout: float = 20.0,
        on_answer: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        portions: Portions = DEFAULT_PORTIONS,
    ) -> None:
        self.clock: Final = clock
        self._uri = tracking_uri
        self._max_bytes = max_artifact_bytes
        self._artifact_hosts = artifact_hosts
        self._timeout = timeout
        self._portions = portions
        self._on_answer = on_answer
        self._spool = spool
        self._roots: dict[str, str] = {}
        self._versions: dict[tuple[str, str], ModelVersion] = {}
        # When the registry was asked in vain (s).
        self._unregistered: dict[tuple[str, str], float] = {}
        self._lock = Lock()
        self._connected: Connection | None = None

    @property
    def _connection(self) -> "Connection":
        with self._lock:
            if self._connected is None:
                environment.prepare(timeout=self._timeout)
                from driftgauge.source.connection import Connection  # noqa: PLC0415 - MLflow's import takes seconds

                self._connected = Connection(
                    self._uri,
                    artifact_hosts=self._artifact_hosts,
                    timeout=self._timeout,
                    spool=self._spool,
                    portions=self._portions,
                    clock=self.clock,
                    on_answer=self._on_answer,
                )
            return self._connected

    def survey(self, asked: Mapping[K, tuple[str, Mapping[str, RunState]]]) -> Mapping[K, Sighting]:
        """Look in several experiments at once, each given with its `known` runs, for runs that can be new.

        Of several experiments, those that do not exist are left out; a single one raises SourceMissing. A server that
        is gone is noticed as quickly as by `check`.
        """
        self._connection.recheck()
        return survey(self._connection, asked, now=int(self.clock() * 1000))

    def runs(
        self,
        experiment: str,
        *,
        known: Mapping[str, RunState],
        full: bool,
        relist: bool = False,
        sighting: Sighting | None = None,
        choose: Choice | None = None,
    ) -> Discovery:
        """Find the files of the experiment (a name or id) that may be new since the pass that returned `known`.

        full: search for all runs, as the first pass of a process must; else only for those that can be new. sighting:
        what a survey with the same `known` found, or what the last pass left, in place of that search. relist: search
        for and list every run, settled or not. choose: which runs, instead.
        """
        now = int(self.clock() * 1000)
        reach: Reach = "new" if sighting else "everything" if relist else "all" if full else "new"
        found = discover(
            self._connection,
            experiment,
            known=known,
            reach=reach,
            now=now,
            sighting=sighting,
            choose=choose,
            every=relist,
        )
        self._roots.update(found.roots)
        for deleted in known.keys() - found.discovery.states.keys():
            self._roots.pop(deleted, None)
        return found.discovery

    @property
    def rate(self) -> float:
        """How many requests per second the server is asked at most; infinite while it limits none."""
        return self._connection.pace.rate if self._connected else inf

    def experiment_of(self, run_id: str) -> str:
        """Return the name of the experiment that a run is in; raises SourceMissing when there is no such run."""
        with self._connection.client() as client:
            return str(client.get_experiment(client.get_run(run_id).info.experiment_id).name)

    def opener(self, artifact: Artifact) -> Opener:
        """Return how the artifact is opened where it is read; one that is not on this machine is downloaded now.

        Raises BatchError "too_large" before the download where the size is known, else in its middle; "incomplete"
        when fewer bytes arrived than were listed; and "not_delivered" when the server answers, but twice not with this
        file: one answer that broke off is no broken file. A run known to be deleted is missing; one deleted since the
        last pass still counts.
        """
        size = artifact.size or 0
        refuse_size(artifact.path, size=size, expected=0, limit=self._max_bytes)
        root = self._root(artifact.run_id)
        try:
            return self._fetch(root, artifact.path, expected=size)
        except SourceUnavailable:
            # Raises when the server itself is gone, and not only this file fails.
            self._connection.ping()
        try:
            return self._fetch(root, artifact.path, expected=size)
        except SourceUnavailable as error:
            raise BatchError("not_delivered", f'"{artifact.path}" is not delivered: {error}') from None

    def reference(self, uri: str) -> ReferenceFile:
        """Return the reference at a path or a file:, runs:, models:, mlflow-artifacts: or store URI (s3:, gs:, …).

        A model version's own artifacts come before those of its run. A folder, as Spark writes one, is all data files
        in it, and they are to be released together. Raises BatchError "too_large", also of all parts together.
        """
        target = references.resolve(self._connection, uri)
        for root in target.roots:
            try:
                opener = self._fetch(root, target.path, expected=None, ours=target.ours)
                return ReferenceFile(opener, uri.rpartition("/")[2])
            except (SourceMissing, SourceUnavailable, BatchError) as error:
                # Stores differ in what they say of a folder that is asked for as a file.
                if parts := self._parts(root, target.path, ours=target.ours):
                    return self._folder(root, target, parts)
                if not isinstance(error, SourceMissing):
                    raise
        raise references.missing(uri, target)

    def _parts(self, root: str, folder: str, *, ours: bool) -> list[Entry]:
        files: list[Entry] = []
        with suppress(SourceMissing), translated_errors(hidden(root)):
            listing = files_of(self._connection.store_at(root, ours=ours).entries, folder=folder)
            for error in listing.missing.values():
                # A part of a reference is another reference.
                raise error
            files = listing.files
        parts = [file for file in files if is_data_file(file.path) and not _is_marker(file.path)]
        return sorted(parts, key=lambda part: part.path)

    def _folder(self, root: str, target: references.Location, parts: Sequence[Entry]) -> ReferenceFile:
        folder = target.path
        refuse_size(folder, size=sum(part.size or 0 for part in parts), expected=0, limit=self._max_bytes)
        files: list[ReferenceFile] = []
        try:
            for part in parts:
                opener = self._fetch(root, part.path, expected=part.size or 0, ours=target.ours)
                files.append(ReferenceFile(opener, part.path))
                size = sum(file.opener.size for file in files)
                refuse_size(folder, size=size, expected=0, limit=self._max_bytes)
        except Exception:
            for file in files:
                file.release()
            raise
        return replace(files[0], others=tuple(files[1:]))

    def reference_identity(self, uri: str) -> str:
        """Return a text that changes when `uri` means another file, which has to be loaded then.

        An alias or stage follows its version, a local path its size and time; any other URI is taken as constant.
        """
        return references.resolve(self._connection, uri).identity

    def text(self, uri: str, *, limit: int) -> str:
        """Return the text at a URI as a reference may have, of at most `limit` bytes of UTF-8.

        Raises BatchError "too_large", and "wrong_encoding" when it is none.
        """
        target = references.resolve(self._connection, uri)
        for root in target.roots:
            with suppress(SourceMissing), translated_errors(hidden(root)):
                store = self._connection.store_at(root, ours=target.ours)
                try:
                    opener = store.opener(target.path, expected=None, limit=limit)
                except BatchError as error:
                    if error.reason != "too_large":
                        raise
                    raise BatchError(error.reason, f"{hidden(uri)} has more than {limit:,} bytes: write less") from None
                try:
                    with opener() as file:
                        return file.read(limit + 1).decode()
                except UnicodeDecodeError as error:
                    raise BatchError("wrong_encoding", f"{hidden(uri)} is not UTF-8 text: {error.reason}") from None
                finally:
                    opener.release()
        raise references.missing(uri, target)

    def model_version(self, name: str, version: str) -> ModelVersion | None:
        """Return the registered version of the model, or None when the registry has none.

        It is asked once for each version and, while it has none, once an hour. Raises SourceUnavailable, which names
        the registry, when that refuses or does not answer.
        """
        key = (name, version)
        if key in self._versions:
            return self._versions[key]
        asked = self._unregistered.get(key, float("-inf"))
        if not (self._uri and version.isdigit()) or abs(self.clock() - asked) < _REGISTRY_INTERVAL:
            return None
        found = references.registered(self._connection, name, version)
        if found is None:
            self._unregistered[key] = self.clock()
            return None
        self._versions[key] = found
        return found

    def version_names(self, name: str) -> Mapping[str, str]:
        """Return the numbers that aliases, stages and "latest" of a registered model mean now, none without a registry.

        Raises SourceUnavailable.
        """
        return references.version_names(self._connection, name) if self._uri else {}

    def check(self) -> None:
        """Raise SourceUnavailable, with what to do, when the server or store does not answer one small request now."""
        self._connection.ping()

    def _fetch(self, root: str, path: str, *, expected: int | None, ours: bool = False) -> Opener:
        with translated_errors(hidden(root)):
            return self._connection.store_at(root, ours=ours).opener(path, expected=expected, limit=self._max_bytes)

    def _root(self, run_id: str) -> str:
        if run_id not in self._roots:
            with self._connection.client() as client:
                info = client.get_run(run_id).info
            if info.lifecycle_stage != "active":
                raise SourceMissing(f"run {run_id} is deleted: restore it with `mlflow runs restore --run-id {run_id}`")
            self._roots[run_id] = info.artifact_uri
        return self._roots[run_id]


def _is_marker(path: str) -> bool:
    return path.rpartition("/")[2].startswith(("_", "."))
