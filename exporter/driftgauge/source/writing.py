"""Results into MLflow: one run for each model version and day, and tags of the registered version.

A result has two parts, and each is written so that it may be cut off between any two requests and be written again: the
run is found by its key, metrics that are there already add nothing, and what says that a part is complete comes last.

Nothing that a server names gets results but what it may name for files that are read (`origins`), and none of that is
asked without its credentials: where reading is allowed there, writing is not.
"""

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from driftgauge.errors import BatchError, ConfigError, SourceError, SourceMissing, SourceUnavailable, StateError
from driftgauge.hiding import hidden
from driftgauge.scratch import Scratch
from driftgauge.source import environment
from driftgauge.source.causes import FORBIDDEN
from driftgauge.source.survey import RESULT_TAG

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection

# Of a run and of a registered version: as of when (ms since 1970) they are complete.
CHECKED_AT: Final = "driftgauge.checked_at"
_STATUS: Final = "driftgauge.status"
_REPORT: Final = "driftgauge.report"
# With it MLflow's pages show runs and charts of metrics, and nothing about prompts.
_KIND: Final = {"mlflow.experimentKind": "custom_model_development"}
_MINUTE: Final = 60_000
_MINUTES_OF_A_DAY: Final = 1_440
# Beyond these MLflow refuses what it is sent, or a file is none that a person opens.
_LONGEST_TAG: Final = 5_000
_LONGEST_NAME: Final = 250
_LARGEST_FILE: Final = 8 << 20
# More runs of one key than exporters that write it are no accident.
_MOST_RUNS: Final = 20


@dataclass(frozen=True, slots=True)
class Result:
    """What is written of a model version. at: as of when, in ms since 1970.

    key: of model, version and day, 32 hex digits. name: of the run. registered: name and number of the version in the
    registry, None where it can be none. tags, metrics: by name. files: makes them, by name; the one that is `shown` is
    named in the tags of the registered version.
    """

    experiment: str
    key: str
    name: str
    registered: tuple[str, str] | None
    at: int
    status: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Callable[[], Mapping[str, bytes]]
    shown: str


class Results:
    """What writes to one tracking server or database; nothing is contacted before the first `write`.

    It has a connection of its own, so that a refusal to write is none to read. folder: for files on their way, is
    emptied. read: experiments, by name or id, that rows are read from, which get nothing. timeout (s): of each request.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        folder: Path,
        read: Collection[str] = (),
        artifact_hosts: tuple[str, ...] = (),
        timeout: float = 20.0,
    ) -> None:
        self._uri = tracking_uri
        self._folder = folder
        self._read = frozenset(read)
        self._artifact_hosts = artifact_hosts
        self._timeout = timeout
        self._connected: Connection | None = None

    def write(self, result: Result, *, is_written: Callable[[Mapping[str, str]], bool]) -> None:
        """Write a result: the run of its key, then the tags of its registered version; what is complete is left alone.

        is_written: whether a run with these tags needs nothing more. Raises SourceError and BatchError, with what to
        do, when a part cannot be written; the other one is written all the same. Raises ConfigError when rows are read
        from the experiment, and writes nothing.
        """
        failure: SourceError | BatchError | None = None
        run_id = ""
        try:
            run_id = self._run(result, is_written)
        except (SourceError, BatchError) as error:
            failure = error
        # While a server does not answer, there is no point in asking it more.
        if result.registered and (failure is None or getattr(failure, "reason", "") == FORBIDDEN):
            self._tag_version(result, *result.registered, run_id)
        if failure is not None:
            raise failure

    @property
    def _connection(self) -> "Connection":
        if self._connected is None:
            environment.prepare(timeout=self._timeout)
            from driftgauge.source.connection import Connection  # noqa: PLC0415 - MLflow's import takes seconds
            from driftgauge.source.schedule import DEFAULT_PORTIONS  # noqa: PLC0415 - as above

            shutil.rmtree(self._folder, ignore_errors=True)
            spool = Scratch(self._folder)
            self._connected = Connection(
                self._uri,
                artifact_hosts=self._artifact_hosts,
                timeout=self._timeout,
                spool=spool,
                portions=DEFAULT_PORTIONS,
            )
        return self._connected

    def _run(self, result: Result, is_written: Callable[[Mapping[str, str]], bool]) -> str:
        """Write the run of a result and return its id."""
        connection, what = self._connection, f'experiment "{result.experiment}"'
        from mlflow.entities import Metric, RunTag  # noqa: PLC0415 - after the connection has set MLflow's environment

        with _writing(what), connection.client() as client:
            run = self._run_of(client, result, self._experiment(client, result.experiment))
            run_id = str(run.info.run_id)
            if is_written(run.data.tags):
                return run_id
            tags = {**result.tags, "alert_status": result.status}
            step = result.at // _MINUTE % _MINUTES_OF_A_DAY
            metrics = [Metric(name, value, result.at, step) for name, value in result.metrics.items()]
            client.log_batch(run_id, metrics=metrics, tags=[RunTag(*each) for each in _cut(tags).items()])
        self._upload(str(run.info.artifact_uri), result.files())
        with _writing(what), connection.client() as client:
            client.set_terminated(run_id, "FINISHED", end_time=result.at)
            client.set_tag(run_id, CHECKED_AT, str(result.at))
        return run_id

    def _experiment(self, client: Any, name: str) -> str:
        """Return the id of the experiment for results, which is made if there is none."""
        found = client.get_experiment_by_name(name)
        if found is None:
            # Where somebody else makes it at the same time, this fails, and is tried again.
            found = client.get_experiment(client.create_experiment(name, tags=_KIND))
        if found.lifecycle_stage != "active":
            raise SourceMissing(
                f'experiment "{name}" is deleted: restore it with `mlflow experiments restore -x '
                f"{found.experiment_id}` or correct models[].writeback.experiment"
            )
        if {str(found.experiment_id), found.name} & self._read:
            raise ConfigError(
                f'experiment "{name}" (id {found.experiment_id}) is one that rows are read from: write another one as '
                "models[].writeback.experiment",
            )
        return str(found.experiment_id)

    def _run_of(self, client: Any, result: Result, experiment_id: str) -> Any:
        """Return the run of a result's key, which is made if there is none.

        A request that was cut off may have made one of which nobody knows, and two exporters may each make one. So
        there may be several: all use the one that began first, and what was begun beside it and never used is deleted.
        """
        found = self._found(client, result, experiment_id)
        if not found:
            tags = _cut({**result.tags, RESULT_TAG: result.key})
            client.create_run(experiment_id, start_time=result.at, tags=tags, run_name=result.name[:_LONGEST_NAME])
            found = self._found(client, result, experiment_id)
        if not found:
            raise SourceUnavailable(f"{self._connection.server} does not show the run that was made there")
        used, *others = sorted(found, key=lambda run: (CHECKED_AT not in run.data.tags, run.info.start_time, _id(run)))
        for run in others:
            if CHECKED_AT not in run.data.tags:
                client.delete_run(_id(run))
        return used

    def _found(self, client: Any, result: Result, experiment_id: str) -> list[Any]:
        text = f"tags.`{RESULT_TAG}` = '{result.key}'"
        return list(client.search_runs([experiment_id], text, max_results=_MOST_RUNS))

    def _upload(self, root: str, files: Mapping[str, bytes]) -> None:
        """Put files into the artifacts of a run; one that is too large is left out."""
        with _writing(f"the artifacts at {hidden(root)}"):
            for name, content in files.items():
                if len(content) <= _LARGEST_FILE:
                    with self._on_disk(name, content) as path:
                        self._connection.put(root, path)

    @contextmanager
    def _on_disk(self, name: str, content: bytes) -> Iterator[Path]:
        """Lend a file of this name: MLflow's stores take no bytes."""
        try:
            place = TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True)
            path = Path(place.name, name)
            path.write_bytes(content)
        except OSError as error:
            raise StateError(f"cannot write to {self._folder}: {error.strerror}") from error
        with place:
            yield path

    def _tag_version(self, result: Result, name: str, number: str, run_id: str) -> None:
        """Write the tags of a registered version, unless it has none or these are as new."""
        with _writing(f'the registered model "{name}"'):
            try:
                with self._connection.registry(name) as client:
                    tags = client.get_model_version(name, number).tags
            except SourceMissing:
                # Not every version that serves is registered.
                return
            if as_of(tags) >= result.at:
                return
            wanted = {_STATUS: result.status, CHECKED_AT: str(result.at)}
            if run_id:
                wanted = {_REPORT: f"runs:/{run_id}/{result.shown}", **wanted}
            for key, value in wanted.items():
                if key == CHECKED_AT or tags.get(key) != value:
                    with self._connection.registry(name) as client:
                        client.set_model_version_tag(name, number, key, value)


def as_of(tags: Mapping[str, str]) -> int:
    """Return as of when (ms since 1970) a run or a version is complete by its tags, -1 when it is not."""
    with suppress(ValueError):
        return int(tags.get(CHECKED_AT, ""))
    return -1


def _id(run: Any) -> str:
    return str(run.info.run_id)


def _cut(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value[:_LONGEST_TAG] for name, value in tags.items()}


@contextmanager
def _writing(what: str) -> Iterator[None]:
    """Say of a refusal which right is missing: those that reading needs are not enough."""
    try:
        yield
    except SourceUnavailable as error:
        if error.reason != FORBIDDEN:
            raise
        server = str(error).partition(": ")[0]
        raise SourceUnavailable(
            f"{server}: writing to {what} is denied (403); give the user of driftgauge the right to edit it, or take "
            "models[].writeback out of the configuration",
            reason=FORBIDDEN,
        ) from None
