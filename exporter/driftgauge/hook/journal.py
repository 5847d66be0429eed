"""What is to be started, what was, and what came of it: a SQLite file that receiver and workers share.

Every change is one transaction that is on the disk when the method returns. A trigger goes from `waiting` to `running`
by the claim of one worker, and from there to an end, or back to `waiting` when it may be tried again.
"""

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final, Literal

from driftgauge.errors import StateError, StateInUse
from driftgauge.hook.incoming import Alert

State = Literal["waiting", "running", "done", "failed", "unclear", "cancelled", "dry_run"]
# unclear: nobody knows whether it had an effect. cancelled: the alert was resolved before it started.
ENDS: Final[tuple[State, ...]] = ("done", "failed", "unclear", "cancelled", "dry_run")
DAY_SECONDS: Final = 86_400.0

_FILE: Final = "journal.sqlite"
# Ended triggers that are kept: as long as their alert may be sent again, it must be known.
_MOST_KEPT: Final = 100_000
_WAIT_SECONDS: Final = 30.0
_MAX_ANSWER: Final = 4000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS triggers (
    id TEXT PRIMARY KEY, action TEXT NOT NULL, model TEXT NOT NULL, fingerprint TEXT NOT NULL, starts_at TEXT NOT NULL,
    labels TEXT NOT NULL, annotations TEXT NOT NULL, received REAL NOT NULL, state TEXT NOT NULL,
    not_before REAL NOT NULL, postponed TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
    started REAL, ended REAL, answer TEXT NOT NULL DEFAULT '', recorded INTEGER NOT NULL DEFAULT 0,
    record_at REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_state ON triggers (state, not_before);
CREATE INDEX IF NOT EXISTS by_incident ON triggers (fingerprint, starts_at);
CREATE TABLE IF NOT EXISTS totals (
    name TEXT, label TEXT, value TEXT, count INTEGER NOT NULL, PRIMARY KEY (name, label, value)
);
"""
# What a trigger is made of, beside its alert.
_OWN: Final = (
    *("id", "action", "received", "state", "not_before", "postponed", "attempts", "started", "ended", "answer"),
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """One start of an action for one incident. Times in seconds since 1970; started: the first attempt."""

    id: str
    action: str
    alert: Alert
    received: float
    state: State
    not_before: float
    postponed: str = ""
    attempts: int = 0
    started: float | None = None
    ended: float | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """That an action was started for a model, and when."""

    action: str
    model: str
    time: float


@dataclass(frozen=True, slots=True)
class Counts:
    """totals: (what, action, which) -> how often since the beginning; now: (action, state or reason) -> triggers."""

    totals: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    now: Mapping[tuple[str, str], int] = field(default_factory=dict)
    last_started: Mapping[str, float] = field(default_factory=dict)
    unrecorded: int = 0


def trigger_id(alert: Alert, action: str) -> str:
    """Return what names the start of an action for an incident: the same however often the alert is sent."""
    parts = json.dumps([alert.fingerprint, alert.starts_at, action])
    return blake2b(parts.encode(), digest_size=10).hexdigest()


class Journal:
    """The journal in `folder`; each process and thread opens its own."""

    def __init__(self, folder: Path) -> None:
        """Open it. Raises StateError where it cannot be written."""
        self._path = folder / _FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self._path}: the journal cannot be used: {error}") from error

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def receive(self, alerts: Sequence[tuple[Alert, str | None]], *, now: float) -> dict[str, int]:
        """Take the alerts of a notification, each with the name of its action, if any; return how many became what.

        A firing one becomes a trigger, once; a resolved one cancels what has not started.
        """
        found: dict[str, int] = {}
        with self._transaction() as run:
            for alert, action in alerts:
                result = self._take(run, alert, action, now)
                found[result] = found.get(result, 0) + 1
            for result, count in found.items():
                _add(run, "alerts", "", result, count)
        return found

    def _take(self, run: sqlite3.Connection, alert: Alert, action: str | None, now: float) -> str:
        if not alert.firing:
            incident = (alert.fingerprint, alert.starts_at)
            # What was tried and failed for a time may have had an effect all the same; but nobody needs it any more.
            waiting = run.execute(
                "SELECT id, action FROM triggers WHERE fingerprint = ? AND starts_at = ? AND state = 'waiting'",
                incident,
            ).fetchall()
            for trigger, of in waiting:
                _end(run, trigger, of, "cancelled", "the alert was resolved before", now)
            return "resolved"
        if action is None:
            return "no_action"
        added = run.execute(
            "INSERT OR IGNORE INTO triggers (id, action, model, fingerprint, starts_at, labels, annotations, received, "
            "state, not_before) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?)",
            (
                trigger_id(alert, action), action, alert.model, alert.fingerprint, alert.starts_at,
                json.dumps(alert.labels), json.dumps(alert.annotations), now, now,
            ),
        )  # fmt: skip
        return "triggered" if added.rowcount else "duplicate"

    def due(self, now: float) -> list[Trigger]:
        """Return the waiting triggers whose time has come, the longest known first."""
        return self._triggers("state = 'waiting' AND not_before <= ? ORDER BY received, id LIMIT 1000", now)

    def running(self) -> list[Trigger]:
        """Return the triggers that a worker has claimed and not ended."""
        return self._triggers("state = 'running'")

    def find(self, trigger: str) -> Trigger | None:
        """Return a trigger by its id."""
        return next(iter(self._triggers("id = ?", trigger)), None)

    def starts(self, *, since: float) -> list[Start]:
        """Return all starts at or after a time, and the last one of each action and model however old it is."""
        query = (
            "SELECT action, model, started FROM triggers WHERE started >= ? UNION "
            "SELECT action, model, max(started) FROM triggers WHERE started IS NOT NULL GROUP BY action, model"
        )
        return [Start(*row) for row in self._connection.execute(query, (since,))]

    def postpone(self, trigger: str, *, until: float, reason: str) -> None:
        """Have a waiting trigger wait longer."""
        with self._transaction() as run:
            run.execute(
                "UPDATE triggers SET not_before = ?, postponed = ? WHERE id = ? AND state = 'waiting'",
                (until, reason, trigger),
            )

    def admit(self, trigger: str, *, now: float) -> None:
        """Note that a waiting trigger is started now: from here on it counts, even if its worker has not claimed it."""
        with self._transaction() as run:
            run.execute(
                "UPDATE triggers SET started = coalesce(started, ?), postponed = '' WHERE id = ? AND state = 'waiting'",
                (now, trigger),
            )

    def claim(self, trigger: str, *, now: float) -> bool:
        """Return whether the caller is the one that may do what this trigger is for, now."""
        with self._transaction() as run:
            claimed = run.execute(
                "UPDATE triggers SET state = 'running', attempts = attempts + 1, started = coalesce(started, ?) "
                "WHERE id = ? AND state = 'waiting'",
                (now, trigger),
            )
            return claimed.rowcount == 1

    def again(self, trigger: str, *, action: str, at: float, answer: str) -> None:
        """Have a claimed trigger tried again at a time: it is known, or harmless, that it had no effect."""
        with self._transaction() as run:
            run.execute(
                "UPDATE triggers SET state = 'waiting', not_before = ?, answer = ? WHERE id = ?",
                (at, answer[-_MAX_ANSWER:], trigger),
            )
            _add(run, "retries", action, "", 1)

    def end(self, trigger: str, *, action: str, state: State, answer: str, now: float) -> None:
        """Put on record what came of a trigger."""
        with self._transaction() as run:
            _end(run, trigger, action, state, answer, now)

    def unrecorded(self, now: float) -> list[str]:
        """Return the triggers that ended and that MLflow has not been told of yet, if it is time to try."""
        query = f"SELECT id FROM triggers WHERE recorded = 0 AND record_at <= ? AND state IN {ENDS!r} LIMIT 100"
        return [row[0] for row in self._connection.execute(query, (now,))]

    def recorded(self, trigger: str) -> None:
        """Note that MLflow knows of it, or need not."""
        with self._transaction() as run:
            run.execute("UPDATE triggers SET recorded = 1 WHERE id = ?", (trigger,))

    def record_later(self, trigger: str, *, at: float) -> None:
        """Have MLflow told of it at another time."""
        with self._transaction() as run:
            run.execute("UPDATE triggers SET record_at = ? WHERE id = ?", (at, trigger))

    def refused(self, reason: str) -> None:
        """Count a body that was no notification."""
        with self._transaction() as run:
            _add(run, "bodies_refused", "", reason, 1)

    def counts(self) -> Counts:
        """Return what metrics show."""
        connection = self._connection
        totals = {tuple(row[:3]): row[3] for row in connection.execute("SELECT name, label, value, count FROM totals")}
        now: dict[tuple[str, str], int] = {}
        query = (
            "SELECT action, state, postponed, count(*) FROM triggers WHERE state IN ('waiting', 'running') "
            "GROUP BY action, state, postponed"
        )
        for action, state, postponed, count in connection.execute(query):
            now[action, postponed or state] = now.get((action, postponed or state), 0) + count
        last = dict(connection.execute("SELECT action, max(started) FROM triggers WHERE started > 0 GROUP BY action"))
        ((unrecorded,),) = connection.execute(f"SELECT count(*) FROM triggers WHERE recorded = 0 AND state IN {ENDS!r}")
        return Counts(totals, now, last, unrecorded)

    def prune(self) -> None:
        """Forget the oldest triggers that ended, beyond what is kept."""
        with self._transaction() as run:
            run.execute(
                f"DELETE FROM triggers WHERE state IN {ENDS!r} AND id NOT IN "
                "(SELECT id FROM triggers ORDER BY received DESC LIMIT ?)",
                (_MOST_KEPT,),
            )

    def _triggers(self, condition: str, *values: object) -> list[Trigger]:
        rows = self._connection.execute(f"SELECT * FROM triggers WHERE {condition}", values)
        return [_trigger(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StateError(f"{self._path}: the journal cannot be written: {error}") from error


def _trigger(row: sqlite3.Row) -> Trigger:
    labels, annotations = (json.loads(row[name]) for name in ("labels", "annotations"))
    alert = Alert(row["fingerprint"], row["starts_at"], firing=True, labels=labels, annotations=annotations)
    return Trigger(alert=alert, **{name: row[name] for name in _OWN})


def _add(run: sqlite3.Connection, name: str, label: str, value: str, count: int) -> None:
    run.execute(
        "INSERT INTO totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (name, label, value, count),
    )


def _end(run: sqlite3.Connection, trigger: str, action: str, state: State, answer: str, now: float) -> None:
    run.execute(
        "UPDATE triggers SET state = ?, ended = ?, answer = ?, postponed = '' WHERE id = ?",
        (state, now, answer[-_MAX_ANSWER:], trigger),
    )
    _add(run, "triggers", action, state, 1)


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """Open the journal, and close it after that."""
    with closing(Journal(folder)) as journal:
        yield journal


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Be the only process that starts what is in a journal; raises StateInUse if another one is."""
    with (folder / "lock").open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateInUse(
                f"{folder}: another driftgauge hook uses it; give this one a state_dir of its own"
            ) from error
        yield
