"""One pass over an experiment: find its runs, list those that are due, tell what is known afterwards.

With nothing new, the number of requests does not grow with the number of runs (see `schedule`). Runs that were
created since the last pass with a start AND an end in the past show up only in a full pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog

from driftgauge.errors import SourceError, SourceMissing
from driftgauge.source import schedule
from driftgauge.source.failures import asking, not_mlflow, redacted
from driftgauge.source.listing import files_of
from driftgauge.source.patterns import is_data_file
from driftgauge.source.values import Artifact, Discovery, RunState

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection
    from driftgauge.source.stores import Entry

THREADS: Final = 8
_PAGE: Final = 1_000
_IDS_PER_SEARCH: Final = 100
_VERSION_KEY: Final = "model_version"

log = structlog.get_logger(__name__)


# "new": search for runs that can be new, and list what is due. "all": search for all runs, and list what is due.
# "everything": search for all runs and list them all.
Reach = Literal["new", "all", "everything"]


@dataclass(frozen=True, slots=True)
class Run:
    """A run as a search returns it; times in ms, `root` is its artifact URI."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    start: int
    end: int | None
    root: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Pass:
    """A discovery, and for each run listed in it the URI of its artifacts."""

    discovery: Discovery
    roots: Mapping[str, str]


def discover(
    connection: "Connection", experiment: str, *, known: Mapping[str, RunState], reach: Reach, now: int
) -> Pass:
    """Search and list; `now` is our clock in ms when the pass begins. See `Source.runs` for the rest.

    A run whose artifacts cannot be listed is logged and stays due. When not one of the newest runs can be
    listed, the artifact store is taken to be gone and its failure is raised; so is that of a tracking server that
    went away in between.
    """
    experiment_id = _experiment_id(connection, experiment)
    filters = _filters_for_new(schedule.watermark(known, now=now)) if reach == "new" else [""]
    seen = {run.run_id: run for text in filters for run in _search(connection, experiment_id, text)}
    wanted = set(seen) if reach == "everything" else _wanted(seen, known, now)
    if reach == "new":
        seen |= _fetch(connection, experiment_id, wanted - seen.keys())
    deleted = (wanted if reach == "new" else known.keys()) - seen.keys()
    runs = sorted((seen[run_id] for run_id in wanted & seen.keys()), key=lambda run: (run.start, run.run_id))
    listed = _listed(connection, runs)
    states = {run_id: state for run_id, state in known.items() if run_id not in deleted}
    states |= {run.run_id: _state(run, known.get(run.run_id), listed=run.run_id in listed, now=now) for run in runs}
    artifacts = tuple(found for run in runs for found in _artifacts(run, listed.get(run.run_id, ())))
    return Pass(Discovery(experiment_id, artifacts, states), {run.run_id: run.root for run in runs})


def _experiment_id(connection: "Connection", experiment: str) -> str:
    with connection.client() as client:
        found = client.get_experiment_by_name(experiment)
    if found is None and experiment.isdigit():
        with suppress(SourceMissing), connection.client() as client:
            found = client.get_experiment(experiment)
    if found is None:
        raise SourceMissing(
            f'experiment "{experiment}" does not exist on {connection.server}{_nearest(connection, experiment)}: '
            "create it or correct models[].predictions.experiment"
        )
    if not found.experiment_id:
        # MLflow's client reads an answer without content, as a proxy may give, as an experiment without content.
        raise not_mlflow(connection.server)
    if found.lifecycle_stage != "active":
        raise SourceMissing(
            f'experiment "{experiment}" on {connection.server} is deleted: restore it with '
            f"`mlflow experiments restore -x {found.experiment_id}` or correct models[].predictions.experiment"
        )
    return str(found.experiment_id)


def _nearest(connection: "Connection", experiment: str) -> str:
    with connection.client() as client:
        names = [found.name for found in client.search_experiments(max_results=_PAGE)]
    near = get_close_matches(experiment, names, n=3, cutoff=0.5)
    return f" (it has {', '.join(map(repr, near))})" if near else ""


def _filters_for_new(since: int) -> list[str]:
    unfinished = " AND ".join(f"attributes.status != '{status}'" for status in sorted(schedule.FINISHED))
    return [unfinished, f"attributes.start_time >= {since}", f"attributes.end_time >= {since}"]


def _search(connection: "Connection", experiment_id: str, text: str) -> Iterable[Run]:
    token, asked = None, set[str | None]()
    while token not in asked:
        asked.add(token)
        with connection.client() as client:
            page = client.search_runs([experiment_id], text, max_results=_PAGE, page_token=token)
        yield from map(_run, page)
        token = page.token or None
    if token is not None:
        # Followed, it would lead round in circles.
        raise not_mlflow(connection.server)


def _run(found: Any) -> Run:
    version = found.data.tags.get(_VERSION_KEY) or found.data.params.get(_VERSION_KEY)
    info = found.info
    return Run(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        name=info.run_name or "",
        status=info.status,
        start=info.start_time or 0,
        end=info.end_time,
        root=info.artifact_uri,
        version=version or None,
    )


def _wanted(seen: Mapping[str, Run], known: Mapping[str, RunState], now: int) -> set[str]:
    due = {run.run_id for run in seen.values() if schedule.is_due(run.status, run.end, known.get(run.run_id))}
    due |= schedule.unsettled(known)
    return due | schedule.stalest(known, besides=due, now=now)


def _fetch(connection: "Connection", experiment_id: str, run_ids: AbstractSet[str]) -> dict[str, Run]:
    ordered = sorted(run_ids)
    chunks = (ordered[start : start + _IDS_PER_SEARCH] for start in range(0, len(ordered), _IDS_PER_SEARCH))
    texts = ("attributes.run_id IN ({})".format(", ".join(f"'{run_id}'" for run_id in chunk)) for chunk in chunks)
    return {run.run_id: run for text in texts for run in _search(connection, experiment_id, text)}


def _listed(connection: "Connection", runs: Sequence[Run]) -> dict[str, list["Entry"]]:
    newest, older = runs[-THREADS:], runs[:-THREADS]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="driftgauge-list") as pool:
        outcomes = list(pool.map(lambda run: _files_or_failure(connection, run), newest))
        failures = [outcome for outcome in outcomes if isinstance(outcome, SourceError)]
        if failures and len(failures) == len(newest):
            raise failures[-1]
        outcomes += pool.map(lambda run: _files_or_failure(connection, run), older)
    listed = {}
    for run, outcome in zip((*newest, *older), outcomes, strict=True):
        if isinstance(outcome, SourceError):
            log.warning("run_not_listed", run_id=run.run_id, reason=str(outcome))
        else:
            listed[run.run_id] = outcome
    return listed


def _files_or_failure(connection: "Connection", run: Run) -> "list[Entry] | SourceError":
    try:
        with asking(redacted(run.root)):
            return files_of(connection.store_at(run.root), run_id=run.run_id)
    except SourceError as error:
        # Without a server each of the other runs would cost its time and a line in the log.
        connection.ping()
        return error


def _state(run: Run, known: RunState | None, *, listed: bool, now: int) -> RunState:
    before = known.listed_at if known else 0
    return RunState(status=run.status, end_time=run.end, listed_at=now if listed else before)


def _artifacts(run: Run, files: Iterable["Entry"]) -> Iterable[Artifact]:
    for file in sorted(files, key=lambda file: file.path):
        if is_data_file(file.path):
            yield Artifact(
                run_id=run.run_id,
                experiment_id=run.experiment_id,
                run_name=run.name,
                path=file.path,
                size=file.size,
                run_start=run.start,
                version=run.version,
            )
