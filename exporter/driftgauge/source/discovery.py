"""One pass over an experiment: find its runs, list those that are due, return what is known afterwards.

With nothing new, the number of requests does not grow with the number of runs (see `schedule`). Runs that were
created since the last pass with a start AND an end in the past show up only in a full pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from driftgauge.patterns import candidates
from driftgauge.source import schedule
from driftgauge.source.contents import Outcome, listed
from driftgauge.source.listing import Listing
from driftgauge.source.setbacks import NOT_LISTED
from driftgauge.source.survey import Choice, Run, Sighting, find_experiment, search, survey, wanted_of
from driftgauge.source.values import Artifact, Discovery, RunState, Unlisted

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection


# "new": search for runs that can be new, and list what is due. "all": search for all runs, and list what is due.
# "everything": search for all runs and list them all.
Reach = Literal["new", "all", "everything"]


@dataclass(frozen=True, slots=True)
class Pass:
    """A discovery, and for each run of it the URI of its artifacts."""

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
    every: bool = False,
) -> Pass:
    """Search and list; `now` is our clock in ms when the pass begins. See `Source.runs` for the rest.

    sighting: the result of a survey at the start of the pass; then only the runs it wants are listed. choose: which of
    the runs that were found are listed, where that is not what their state says. every: none of them may be left out.

    Of a server that limits requests only some runs are listed. One that cannot be listed in full stays due, and rests
    for a while; see `contents`, also for what is raised.
    """
    if reach == "new":
        sighting = sighting or survey(connection, {"": (experiment, known)}, now=now)[""]
    else:
        sighting = _search_all(connection, experiment, known=known, reach=reach, now=now, choose=choose)
    now, experiment_id, seen, wanted = sighting.at, sighting.experiment_id, sighting.seen, sighting.wanted
    deleted = (wanted if reach == "new" else known.keys()) - seen.keys()
    runs = sorted((seen[run_id] for run_id in wanted & seen.keys()), key=lambda run: (run.start, run.run_id))

    def is_due(run: Run) -> bool:
        return every or schedule.is_due(run.status, run.end, known.get(run.run_id))

    # The others are listed now and then, and what was never listed comes before what was.
    found = listed(connection, sorted(runs, key=lambda run: (is_due(run), run.run_id not in known)))
    left = {run.run_id: run for run in runs if found[run.run_id] is None and is_due(run)}
    states = {run_id: state for run_id, state in known.items() if run_id not in deleted}
    states |= {run.run_id: _state(run, known.get(run.run_id), found[run.run_id], now=now) for run in runs}
    artifacts = tuple(file for run in runs for file in _artifacts(run, found[run.run_id]))
    unlisted = tuple(item for run in runs for item in _unlisted(run, found[run.run_id]))
    again = Sighting(now, experiment_id, left, left.keys()) if left else None
    return Pass(Discovery(experiment_id, artifacts, states, unlisted, again), {run.run_id: run.root for run in runs})


def _search_all(
    connection: "Connection",
    experiment: str,
    *,
    known: Mapping[str, RunState],
    reach: Reach,
    now: int,
    choose: Choice | None,
) -> Sighting:
    experiment_id = find_experiment(connection, experiment)
    seen = {run.run_id: run for run in search(connection, [experiment_id], "")}
    if choose:
        wanted = choose(seen)
    elif reach == "everything":
        wanted = set(seen)
    else:
        wanted = wanted_of(seen, known, now, relisted=connection.portions.relisted, resting=connection.resting)
    return Sighting(now, experiment_id, seen, wanted)


def _state(run: Run, known: RunState | None, found: Outcome, *, now: int) -> RunState:
    before = known.listed_at if known else 0
    # What lies beyond a bound is there the next time as well.
    is_listed = isinstance(found, Listing) and all(error.reason != NOT_LISTED for error in found.missing.values())
    return RunState(status=run.status, end_time=run.end, listed_at=now if is_listed else before)


def _unlisted(run: Run, found: Outcome) -> Iterator[Unlisted]:
    if found is None:
        return
    missing = found.missing if isinstance(found, Listing) else {"/": found}
    for path, error in sorted(missing.items()):
        yield Unlisted(run.run_id, run.experiment_id, path, run.start, error.reason, str(error))


def _artifacts(run: Run, outcome: Outcome) -> Iterator[Artifact]:
    found = outcome.files if isinstance(outcome, Listing) else []
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
