"""One pass over an experiment: find its runs, list those that are due, return what is known afterwards.

With nothing new, the number of requests does not grow with the number of runs (see `schedule`). Runs that were
created since the last pass with a start AND an end in the past show up only in a full pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import structlog

from driftgauge.errors import BatchError, SourceError, SourceUnavailable
from driftgauge.patterns import candidates
from driftgauge.source.failures import redacted, translated_errors
from driftgauge.source.listing import files_of
from driftgauge.source.survey import Choice, Run, Sighting, find_experiment, search, survey, wanted_of
from driftgauge.source.values import Artifact, Discovery, RunState

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection
    from driftgauge.source.stores import Entry

log = structlog.get_logger(__name__)


# "new": search for runs that can be new, and list what is due. "all": search for all runs, and list what is due.
# "everything": search for all runs and list them all.
Reach = Literal["new", "all", "everything"]


@dataclass(frozen=True, slots=True)
class Pass:
    """A discovery, and for each run listed in it the URI of its artifacts."""

    discovery: Discovery
    roots: Mapping[str, str]


def discover(
    connection: "Connection",
    experiment: str,
    *,
    known: Mapping[str, RunState],
    reach: Reach,
    now: int,
    sighting: Sighting | None = None,
    choose: Choice | None = None,
) -> Pass:
    """Search and list; `now` is our clock in ms when the pass begins. See `Source.runs` for the rest.

    sighting: the result of a survey at the start of the pass; then only the runs it wants are listed. choose: which of
    the runs that were found are listed, where that is not what their state says.

    A run whose artifacts cannot be listed is logged and stays due. When none of the newest runs can be listed, the
    artifact store counts as gone and its failure is raised; so is that of a tracking server that is gone meanwhile.
    """
    if reach == "new":
        sighting = sighting or survey(connection, {"": (experiment, known)}, now=now)[""]
        now, experiment_id, seen, wanted = sighting.at, sighting.experiment_id, sighting.seen, sighting.wanted
    else:
        experiment_id = find_experiment(connection, experiment)
        seen = {run.run_id: run for run in search(connection, [experiment_id], "")}
        wanted = (
            set(seen) if reach == "everything" else wanted_of(seen, known, now, relisted=connection.portions.relisted)
        )
        wanted = choose(seen) if choose else wanted
    deleted = (wanted if reach == "new" else known.keys()) - seen.keys()
    runs = sorted((seen[run_id] for run_id in wanted & seen.keys()), key=lambda run: (run.start, run.run_id))
    listed = _listed(connection, runs)
    states = {run_id: state for run_id, state in known.items() if run_id not in deleted}
    states |= {run.run_id: _state(run, known.get(run.run_id), listed=run.run_id in listed, now=now) for run in runs}
    artifacts = tuple(found for run in runs for found in _artifacts(run, listed.get(run.run_id, ())))
    return Pass(Discovery(experiment_id, artifacts, states), {run.run_id: run.root for run in runs})


def _listed(connection: "Connection", runs: Sequence[Run]) -> dict[str, list["Entry"]]:
    threads = connection.portions.threads
    newest, older = runs[-threads:], runs[:-threads]
    # Starting threads takes longer than listing a few local folders.
    few = len(runs) <= 2 * threads and all(connection.is_on_this_machine(run.root) for run in runs)
    with nullcontext() if few else ThreadPoolExecutor(threads, thread_name_prefix="driftgauge-list") as pool:
        each = pool.map if pool else map
        outcomes = list(each(lambda run: _files_or_failure(connection, run), newest))
        failures = [outcome for outcome in outcomes if isinstance(outcome, SourceError)]
        if failures and len(failures) == len(newest):
            raise failures[-1]
        outcomes += each(lambda run: _files_or_failure(connection, run), older)
    listed = {}
    for run, outcome in zip((*newest, *older), outcomes, strict=True):
        if isinstance(outcome, SourceError):
            log.warning("run_not_listed", run_id=run.run_id, reason=str(outcome))
        else:
            listed[run.run_id] = outcome
    return listed


def _files_or_failure(connection: "Connection", run: Run) -> "list[Entry] | SourceError":
    try:
        with translated_errors(redacted(run.root)):
            return files_of(connection.store_at(run.root), run_id=run.run_id)
    except BatchError as error:
        return SourceUnavailable(str(error))
    except SourceError as error:
        # When the server is gone, each of the other runs would cost a time-out and a log line.
        connection.ping()
        return error


def _state(run: Run, known: RunState | None, *, listed: bool, now: int) -> RunState:
    before = known.listed_at if known else 0
    return RunState(status=run.status, end_time=run.end, listed_at=now if listed else before)


def _artifacts(run: Run, files: Iterable["Entry"]) -> Iterable[Artifact]:
    found = list(files)
    wanted = candidates(file.path for file in found)
    for file in sorted(found, key=lambda file: file.path):
        if file.path in wanted:
            yield Artifact(
                run_id=run.run_id,
                experiment_id=run.experiment_id,
                run_name=run.name,
                path=file.path,
                size=file.size,
                run_start=run.start,
                version=run.version,
            )
