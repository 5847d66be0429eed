"""What the runs of a pass hold: each is listed for itself, so that one that cannot be costs itself only.

A run or folder that cannot be listed rests (`setbacks`) and then fails as it did, without being asked for. Of a server
that limits requests a few runs are listed at a time, so that their files are read before the others are asked for.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from driftgauge.errors import BatchError, SourceError, SourceUnavailable
from driftgauge.hiding import hidden
from driftgauge.source.causes import LIMITED
from driftgauge.source.entries import PROXIED, Entry, place_of, scheme_of
from driftgauge.source.failures import translated_errors
from driftgauge.source.listing import Listing, files_of
from driftgauge.source.setbacks import NotListed
from driftgauge.source.survey import Run

if TYPE_CHECKING:
    from driftgauge.source.connection import Connection
    from driftgauge.source.pacing import Pace

# The files of a run, or why it cannot be listed at all; None: it was not its turn.
Outcome = Listing | BatchError | None
# How many runs are listed at a time at most.
_MOST_TURNS: Final = 16


class _Turns:
    """Which runs are listed in this pass: all of them until the server limits requests, and from then on a few."""

    def __init__(self, pace: "Pace") -> None:
        self._pace = pace
        self._begun = 0

    def has(self, run: Run) -> bool:
        """Return whether a run is listed now."""
        if not (self._pace.is_limited and scheme_of(run.root) in PROXIED):
            return True
        self._begun += 1
        # About as many as are read in a few seconds.
        return self._begun <= min(_MOST_TURNS, max(2, int(2 * self._pace.rate)))


def listed(connection: "Connection", runs: Sequence[Run]) -> dict[str, Outcome]:
    """Return what is in each of the runs; the last ones come first, as they are the newest of those that are due.

    The newest are asked for first, and when none of them can be listed, as many of the others. When none of these can
    either, the artifact store counts as gone and its failure is raised; so is that of a tracking server that is gone
    meanwhile, and a limit of requests of which no run got through.
    """
    turns = _Turns(connection.pace)
    threads = connection.portions.threads
    # Starting threads takes longer than listing a few local folders.
    few = len(runs) <= 2 * threads and all(connection.is_on_this_machine(run.root) for run in runs)
    hurried = len({place_of(run.root) for run in runs}) > 1
    outcomes: dict[str, Outcome] = {}
    with nullcontext() if few else ThreadPoolExecutor(threads, thread_name_prefix="driftgauge-list") as pool:

        def ask(some: Sequence[Run]) -> None:
            found = (pool.map if pool else map)(lambda run: _listed(connection, run, turns, hurried=hurried), some)
            outcomes.update(zip([run.run_id for run in some], found, strict=True))

        newest, others, rest = runs[-threads:], runs[-2 * threads : -threads], runs[: -2 * threads]
        ask(newest)
        if others and not _is_gone(outcomes):
            others, rest = (), [*rest, *others]
        ask(others)
        if _is_gone(outcomes):
            raise SourceUnavailable(str(outcomes[runs[-1].run_id]))
        ask(rest)
    if outcomes and all(outcome is None for outcome in outcomes.values()):
        raise SourceUnavailable(f"{connection.server}: {LIMITED.words}", reason=LIMITED.reason)
    for run_id, outcome in outcomes.items():
        key = run_id, ""
        if isinstance(outcome, BatchError) and connection.setbacks.of(key) is not outcome:
            connection.setbacks.failed(key, outcome)
    return outcomes


def _is_gone(outcomes: dict[str, Outcome]) -> bool:
    return bool(outcomes) and all(isinstance(outcome, NotListed) for outcome in outcomes.values())


def _listed(connection: "Connection", run: Run, turns: _Turns, *, hurried: bool) -> Outcome:
    if not turns.has(run):
        return None
    try:
        return files_of(_folders(connection, run, hurried=hurried), bounds=connection.portions)
    except BatchError as error:
        return error
    except SourceUnavailable as error:
        if error.reason == LIMITED.reason:
            return None
        raise


def _folders(connection: "Connection", run: Run, *, hurried: bool) -> Callable[[str], list[Entry]]:
    """Return what lists the folders of a run; it raises BatchError, or SourceUnavailable when the server is gone."""
    root = hidden(run.root)
    setbacks = connection.setbacks

    def asked(folder: str) -> list[Entry]:
        try:
            with translated_errors(root):
                return connection.store_at(run.root, hurried=hurried).entries(folder)
        except SourceError as error:
            if isinstance(error, SourceUnavailable) and error.reason == LIMITED.reason:
                raise
            # When the server is gone, each of the other runs would cost a time-out.
            connection.ping()
            what = f'folder "{folder}"' if folder else "all files"
            raise NotListed(f"{what} of run {run.run_id} cannot be listed: {error}") from None

    def list_folder(folder: str) -> list[Entry]:
        key = run.run_id, folder
        if error := setbacks.of(key) or setbacks.of(place_of(run.root)):
            raise error
        try:
            found = asked(folder)
        except BatchError as error:
            if folder:
                setbacks.failed(key, error)
            raise
        setbacks.ended(key)
        return found

    return list_folder
