"""Searches for runs: all of one experiment, or those that can be new of many experiments at once.

A server takes about as long to find nothing as to find some runs, and as long for one experiment as for hundreds. So a
few searches cover all experiments that were last searched at about the same time.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeVar

from driftgauge.errors import SourceMissing, SourceUnavailable
from driftgauge.source import schedule
from driftgauge.source.bodies import AnswerTooLong
from driftgauge.source.failures import not_mlflow
from driftgauge.source.values import RunState

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection

_IDS_PER_SEARCH: Final = 100
_EXPERIMENTS_PER_SEARCH: Final = 500
_FEWER: Final = 8
# Of a run that has results of driftgauge, which are never read as rows.
RESULT_TAG: Final = "driftgauge.result"
_VERSION_KEY: Final = "model_version"
# The end of the year 9999, in ms: no later time can be written as a date.
_LATEST: Final = 253_402_300_799_999

K = TypeVar("K", bound=Hashable)


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


# Which runs of those that were found, by id, are listed.
Choice = Callable[[Mapping[str, Run]], AbstractSet[str]]


@dataclass(frozen=True, slots=True)
class Sighting:
    """The runs of an experiment that can be new, by id, and which of all to list; `wanted` but not `seen` are deleted.

    at: when the search began, in ms of our clock.
    """

    at: int
    experiment_id: str
    seen: Mapping[str, Run]
    wanted: AbstractSet[str]


def survey(
    connection: "Connection", asked: Mapping[K, tuple[str, Mapping[str, RunState]]], *, now: int
) -> dict[K, Sighting]:
    """Look for new runs in experiments, each given with its known runs; `now` is our clock (ms) before the search.

    An experiment that does not exist is left out when it is one of several, and raised when it is the only one.
    """
    ids = _found_experiments(connection, asked)
    seen: dict[str, dict[str, Run]] = {experiment_id: {} for experiment_id in ids.values()}

    def look(experiment_ids: AbstractSet[str], text: str) -> None:
        ordered = sorted(experiment_ids)
        for start in range(0, len(ordered), _EXPERIMENTS_PER_SEARCH):
            for run in search(connection, ordered[start : start + _EXPERIMENTS_PER_SEARCH], text):
                seen.setdefault(run.experiment_id, {})[run.run_id] = run

    unfinished = " AND ".join(f"attributes.status != '{status}'" for status in sorted(schedule.FINISHED))
    look(seen.keys(), unfinished)
    for since, together in by_age({key: schedule.watermark(asked[key][1], now=now) for key in ids}, now=now):
        for time in ("start_time", "end_time"):
            look({ids[key] for key in together}, f"attributes.{time} >= {since}")
    relisted = connection.portions.relisted
    resting = connection.resting
    wanted = {key: wanted_of(seen[ids[key]], asked[key][1], now, relisted=relisted, resting=resting) for key in ids}
    missing = {run_id: ids[key] for key, runs in wanted.items() for run_id in runs - seen[ids[key]].keys()}
    ordered = sorted(missing)
    for start in range(0, len(ordered), _IDS_PER_SEARCH):
        chunk = ordered[start : start + _IDS_PER_SEARCH]
        look({missing[run_id] for run_id in chunk}, f"attributes.run_id IN ({', '.join(map(repr, chunk))})")
    return {key: Sighting(now, ids[key], seen[ids[key]], wanted[key]) for key in ids}


def by_age(since: Mapping[K, int], *, now: int) -> Iterator[tuple[int, list[K]]]:
    """Group times (ms) of about the same age, so that no search returns much more than is new; earliest first."""
    groups: dict[int, list[K]] = {}
    for key, time in since.items():
        groups.setdefault(max(0, now - time).bit_length(), []).append(key)
    for _, together in sorted(groups.items(), reverse=True):
        yield min(since[key] for key in together), together


def _found_experiments(connection: "Connection", asked: Mapping[K, tuple[str, Any]]) -> dict[K, str]:
    """Return the id of each experiment."""
    if len(asked) == 1:
        return {key: find_experiment(connection, name) for key, (name, _) in asked.items()}
    with connection.client() as client:
        page = client.search_experiments(max_results=connection.portions.page)
        ids = {found.name: str(found.experiment_id) for found in page}
    found: dict[K, str] = {}
    for key, (name, _) in asked.items():
        # With thousands of experiments it may not be on the page, and the name may be an id.
        with suppress(SourceMissing):
            found[key] = ids[name] if name in ids else find_experiment(connection, name)
    return found


def find_experiment(connection: "Connection", experiment: str) -> str:
    """Return the id of the experiment of this name or id; raises SourceMissing if it does not exist or is deleted."""
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
        # MLflow's client reads an empty answer, as a proxy may send, as an empty experiment.
        raise not_mlflow(connection.server)
    if found.lifecycle_stage != "active":
        raise SourceMissing(
            f'experiment "{experiment}" on {connection.server} is deleted: restore it with '
            f"`mlflow experiments restore -x {found.experiment_id}` or correct models[].predictions.experiment"
        )
    return str(found.experiment_id)


def _nearest(connection: "Connection", experiment: str) -> str:
    with connection.client() as client:
        names = [found.name for found in client.search_experiments(max_results=connection.portions.page)]
    near = get_close_matches(experiment, names, n=3, cutoff=0.5)
    return f" (it has {', '.join(map(repr, near))})" if near else ""


def search(connection: "Connection", experiment_ids: Sequence[str], text: str) -> Iterator[Run]:
    """Yield the runs of these experiments, at most a few hundred, that match the filter `text`; not our own results.

    Raises SourceUnavailable when there is no end of pages, or one run alone is more than is read.
    """
    most = connection.portions.page * connection.portions.pages
    token, used, asked = None, set[str | None](), 0
    while token not in used:
        size = connection.page
        if asked + size > most:
            raise SourceUnavailable(
                f"{connection.server} answers a search for runs with more than {len(used):,} pages; use an experiment "
                f"with fewer than {most:,} runs, and look at the proxies on the way"
            )
        try:
            with connection.client() as client:
                page = client.search_runs(list(experiment_ids), text, max_results=size, page_token=token)
        except AnswerTooLong as error:
            if size == 1:
                raise AnswerTooLong(f"{connection.server}: {error}: a run has too many parameters or tags") from None
            # Runs with many parameters: fewer at a time, from now on.
            connection.page = max(1, size // _FEWER)
            continue
        used.add(token)
        asked += size
        yield from (_run(found) for found in page if RESULT_TAG not in found.data.tags)
        token = page.token or None
    if token is not None:
        # The token repeats, so following it would never end.
        raise not_mlflow(connection.server)


def _run(found: Any) -> Run:
    version = found.data.tags.get(_VERSION_KEY) or found.data.params.get(_VERSION_KEY)
    info = found.info
    return Run(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        name=info.run_name or "",
        status=info.status,
        start=_time(info.start_time) or 0,
        end=_time(info.end_time),
        root=info.artifact_uri,
        version=version or None,
    )


def _time(milliseconds: int | None) -> int | None:
    """Return a run's time, None when it is none: MLflow takes any number, and nanoseconds are a likely mistake."""
    return milliseconds if milliseconds is not None and 0 <= milliseconds <= _LATEST else None


def wanted_of(
    seen: Mapping[str, Run],
    known: Mapping[str, RunState],
    now: int,
    *,
    relisted: int,
    resting: AbstractSet[str] = frozenset(),
) -> set[str]:
    """Return the runs to list: those that are due, and some whose last listing is oldest.

    resting: runs that could not be listed in full lately; those that have ended wait until they are tried again.
    """
    due = {run.run_id for run in seen.values() if schedule.is_due(run.status, run.end, known.get(run.run_id))}
    due |= schedule.unsettled(known)
    waiting = {run_id for run_id in resting if run_id in known and _has_ended(run_id, seen, known)}
    due -= waiting
    return due | schedule.stalest(known, relisted, without=due | waiting, now=now)


def _has_ended(run_id: str, seen: Mapping[str, Run], known: Mapping[str, RunState]) -> bool:
    status = seen[run_id].status if run_id in seen else known[run_id].status
    return status in schedule.FINISHED
