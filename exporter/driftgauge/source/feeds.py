"""MLflow's runs as feeds: which experiments of which models are asked for, and when.

The feeds of all models share a session, since a server takes as long to find nothing in one experiment as in hundreds:
what can be new is asked for once for all of them. So whatever fails for the server fails for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from random import Random
from threading import Lock
from typing import Any, Final

import structlog

from driftgauge.errors import SourceDown, SourceError, SourceUnavailable
from driftgauge.feed import Cursor, FileRole, Opener, Piece
from driftgauge.hiding import key
from driftgauge.patterns import matches, reaches
from driftgauge.source.mlflow_source import Source
from driftgauge.source.schedule import is_news
from driftgauge.source.survey import Choice, Sighting
from driftgauge.source.values import Artifact, Discovery, RunState, Unlisted

# All runs are enumerated this often (s); in between only those that can be new are asked for.
_FULL_INTERVAL: Final = 3600.0
# How long (s) a server that does not answer is left alone at most.
LONGEST_REST: Final = 60.0
_MICROSECONDS: Final = 1_000_000
_log = structlog.get_logger("driftgauge.source")


class RunFeed:
    """The files of a model's experiments; a `Feed`. `roles`: the role, experiment and glob of each kind of file."""

    def __init__(self, session: "Session", roles: Sequence[tuple[FileRole, str, str]]) -> None:
        self._session = session
        # Labels first: in an experiment that has both, a name that matches the labels is a label file.
        self._roles = sorted(roles)
        self.experiments: Final = tuple(dict.fromkeys(experiment for _, experiment, _ in roles))
        self.last = _Look(Cursor(), time=0.0, is_full=False)
        self._last_full = float("-inf")

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:
        """Return the files of runs that can have new ones; see `Feed`."""
        last = self.last
        # Only what was read to its end counts.
        if last.is_full and cursor is last.cursor:
            self._last_full = last.time
        if last.left and cursor is last.cursor and now == last.now:
            return self._looked(cursor, last, last.left)
        time = self._session.source.clock()
        look = _Look(cursor, time=time, is_full=_is_long(time - self._last_full), now=now)
        return self._looked(cursor, look, self._session.begin(self, cursor, now))

    def _looked(
        self, cursor: Cursor, look: "_Look", sightings: Mapping[str, Sighting]
    ) -> tuple[Sequence[Piece], Cursor]:
        """List the runs of all experiments, or go on with those that a look has left."""
        left: dict[str, Sighting] = {}
        states: dict[str, Mapping[str, RunState]] = {}
        pieces: dict[tuple[str, str], Piece] = {}
        for experiment in look.left or self.experiments:
            found = self._session.source.runs(
                experiment,
                known=known_runs(cursor, experiment),
                full=look.is_full and not look.left,
                relist=self._session.relist,
                choose=None if look.left else self._session.choose,
                sighting=sightings.get(experiment),
            )
            states[experiment] = found.states
            if found.left:
                left[experiment] = found.left
            pieces |= self._pieces(experiment, found)
        following = replace(_next(cursor, states), left=sum(len(runs.wanted) for runs in left.values()))
        self.last = replace(look, cursor=following, left=left)
        return list(pieces.values()), following

    def _pieces(self, experiment: str, found: Discovery) -> dict[tuple[str, str], Piece]:
        pieces: dict[tuple[str, str], Piece] = {}
        for artifact in found.artifacts:
            if role := self._role(experiment, artifact.path):
                pieces[artifact.run_id, artifact.path] = _piece(artifact, role)
        for item in found.unlisted:
            if role := self._role_below(experiment, item.path):
                pieces[item.run_id, item.path] = _unlisted_piece(item, role)
        return pieces

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened; see `Feed`."""
        artifact = Artifact(
            piece.source, piece.experiment_id, "", piece.path, piece.size, piece.time // 1000, piece.version
        )
        return self._session.source.opener(artifact)

    def may_be_partial(self, time: float) -> bool:
        """Return whether only runs that can be new will be asked for at `time` (s), if the last look was read."""
        return not _is_long(time - (self.last.time if self.last.is_full else self._last_full))

    def _role(self, experiment: str, path: str) -> FileRole | None:
        return next((role for role, of, pattern in self._roles if of == experiment and matches(path, pattern)), None)

    def _role_below(self, experiment: str, path: str) -> FileRole | None:
        """Return the role of files that may be in a folder, or of a file whose name cannot be used."""
        selects = reaches if path.endswith("/") else matches
        found = (role for role, of, pattern in self._roles if of == experiment and selects(path.strip("/"), pattern))
        return next(found, None)


@dataclass(frozen=True, slots=True)
class _Look:
    """When a feed looked (s), whether at all runs, and the cursor it returned.

    now: of the refresh. left: by experiment, the runs that were not listed.
    """

    cursor: Cursor
    time: float
    is_full: bool
    now: int = 0
    left: Mapping[str, Sighting] = field(default_factory=dict)


@dataclass(slots=True)
class _Round:
    """One refresh: why the server does not answer, what a survey has found, and which feeds have looked so far.

    sightings: by feed and experiment, for whom the cursor is still the one of the feed's last look.
    """

    now: int
    down: SourceUnavailable | None
    sightings: Mapping[tuple[RunFeed, str], Sighting]
    looked: list[RunFeed] = field(default_factory=list)


@dataclass(slots=True)
class _Rest:
    """How long a server is left alone that did not answer: for `first` s, and twice as long after each more refresh.

    Another failure than before begins anew: somebody is at it.
    """

    first: float
    random: Random
    failure: SourceUnavailable | None = None
    times: int = 0
    begun: int = 0
    seconds: float = 0.0

    def after(self, failure: SourceUnavailable, now: int) -> None:
        """Rest from `now` (µs) on."""
        known = self.failure is not None and self.failure.reason == failure.reason
        self.times = self.times + 1 if known else 1
        pause = min(self.first * 2 ** min(self.times - 1, 16), max(LONGEST_REST, self.first))
        # Not longer, or the refresh after the first failure would come too early.
        self.failure, self.begun, self.seconds = failure, now, pause * self.random.uniform(0.8, 1.0)

    def lasts(self, now: int) -> SourceUnavailable | None:
        """Return the failure while the server is to be left alone."""
        return self.failure if 0 < now - self.begun < self.seconds * _MICROSECONDS else None


class Session:
    """The feeds of all models over one tracking server.

    relist: every run is listed at each look, settled or not; choose: those that it returns are, instead. rest: for how
    long (s) a server that does not answer is left alone at first; random: spreads that.
    """

    def __init__(
        self,
        source: Source,
        *,
        relist: bool = False,
        choose: Choice | None = None,
        rest: float = 0.0,
        random: Random | None = None,
    ) -> None:
        self.source: Final = source
        self.relist: Final = relist
        self.choose: Final = choose
        self._feeds: list[RunFeed] = []
        self._round: _Round | None = None
        self._rest = _Rest(rest, random or Random())  # noqa: S311 - spreads retries, guards nothing
        self._lock = Lock()

    @property
    def up(self) -> bool | None:
        """Whether the server answered when it was last asked; None while nobody has asked."""
        return self._round.down is None if self._round else None

    @property
    def down(self) -> SourceUnavailable | None:
        """Why the server did not answer when it was last asked."""
        return self._round.down if self._round else None

    def feed(self, roles: Sequence[tuple[FileRole, str, str]]) -> RunFeed:
        """Return the feed of a model; see `RunFeed`."""
        feed = RunFeed(self, roles)
        self._feeds.append(feed)
        return feed

    def begin(self, feed: RunFeed, cursor: Cursor, now: int) -> dict[str, Sighting]:
        """Return what a survey of all feeds has found for one of them, by experiment; the first that looks surveys.

        Raises SourceDown when the server does not answer, which is found out once.
        """
        with self._lock:
            if self._round is None or self._round.now != now or feed in self._round.looked:
                self._round = self._begun(now)
            begun = self._round
            begun.looked.append(feed)
        if begun.down is not None:
            text = f"MLflow does not answer, and the last values are served until it does: {begun.down}"
            raise SourceDown(text, reason=begun.down.reason)
        if cursor is not feed.last.cursor:
            # What the survey took for known was not read to its end.
            return {}
        return {experiment: sighting for (of, experiment), sighting in begun.sightings.items() if of is feed}

    def _begun(self, now: int) -> _Round:
        if (failure := self._rest.lasts(now)) is not None:
            return _Round(now, failure, {})
        # A survey that has found something out has shown that the server is there.
        sightings = self._survey()
        try:
            if not sightings:
                self.source.check()
        except SourceUnavailable as error:
            self._rest.after(error, now)
            return _Round(now, error, {})
        self._rest.failure = None
        return _Round(now, None, sightings)

    def _survey(self) -> Mapping[tuple[RunFeed, str], Sighting]:
        """Look for new runs of all feeds at once; those of which nothing is found ask for their own."""
        if self.relist:
            return {}
        time = self.source.clock()
        asked = {
            (feed, experiment): (experiment, known_runs(feed.last.cursor, experiment))
            for feed in self._feeds
            if feed.may_be_partial(time)
            for experiment in feed.experiments
        }
        if not asked:
            return {}
        try:
            return self.source.survey(asked)
        except SourceError:
            # Each model then says what is wrong.
            return {}
        except Exception:  # noqa: BLE001 - the comment below
            # One strange run must not take all models down.
            _log.exception("new runs not asked for together: this is a bug in driftgauge")
            return {}


def known_runs(cursor: Cursor, experiment: str) -> Mapping[str, RunState]:
    """Return what a cursor knows of the runs of an experiment, by run id."""
    passing: Mapping[str, RunState] | None = cursor.passing.get(experiment)
    if passing is not None:
        return passing
    of, kept = key(experiment), cursor.kept.items()
    named = ((name.rpartition("/"), state) for name, state in kept)
    return {run_id: RunState(**state) for (place, _, run_id), state in named if place == of}


def _is_long(seconds: float) -> bool:
    # The distance, for clocks also go back.
    return abs(seconds) >= _FULL_INTERVAL


def _next(cursor: Cursor, states: Mapping[str, Mapping[str, RunState]]) -> Cursor:
    """Return the cursor after a look that left the runs of these experiments in these states.

    When a settled run was last listed is not kept: that changes at most looks, and if it is lost the run is listed
    again a little sooner.
    """
    news: dict[str, Any] = {}
    gone: set[str] = set()
    for experiment, found in states.items():
        known = known_runs(cursor, experiment)
        news |= {
            f"{key(experiment)}/{run}": asdict(state)
            for run, state in found.items()
            if is_news(state, before=known.get(run))
        }
        gone |= {f"{key(experiment)}/{run_id}" for run_id in known.keys() - found.keys()}
    kept = cursor.kept
    if news or gone:
        kept = {place: state for place, state in kept.items() if place not in gone} | news
    return Cursor(kept, {**cursor.passing, **states})


def _piece(artifact: Artifact, role: FileRole) -> Piece:
    run_id, experiment_id = artifact.run_id, artifact.experiment_id
    time = artifact.run_start * 1000
    return Piece(run_id, artifact.path, role, artifact.size, time, artifact.version, run_id, experiment_id)


def _unlisted_piece(item: Unlisted, role: FileRole) -> Piece:
    time, why = item.run_start * 1000, (item.reason, item.text)
    return Piece(item.run_id, item.path, role, None, time, None, item.run_id, item.experiment_id, why)
