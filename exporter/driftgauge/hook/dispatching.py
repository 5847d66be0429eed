"""The thread that starts workers for what is due, looks after those that died, and has MLflow told of what ended."""

import subprocess
import sys
import tempfile
import threading
import time
from typing import Final

import structlog

from driftgauge.errors import StateError
from driftgauge.hook.deciding import postponed
from driftgauge.hook.journal import DAY_SECONDS, Journal, Trigger, opened
from driftgauge.hook.planning import plan_of
from driftgauge.hook.plans import Plan
from driftgauge.hook.settings import Action, Settings
from driftgauge.hook.templates import TemplateFailed
from driftgauge.hook.worker import alone

_log = structlog.get_logger("driftgauge.hook")

_PRUNE_SECONDS: Final = 3600.0
_RECORDERS: Final = 2


class Dispatcher:
    """Starts workers until it is stopped; what they do goes on after that."""

    def __init__(self, settings: Settings, *, every: float = 1.0) -> None:
        self._settings = settings
        self._folder = settings.state_dir
        self._every = every
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._awake = threading.Event()
        self._stopping = False
        self._pruned = float("-inf")
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once at what is due."""
        self._awake.set()

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping = True
        self._awake.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether it still does its work."""
        return self._thread.is_alive()

    @property
    def workers(self) -> list[int]:
        """The processes that it has started, each the leader of a group."""
        return [process.pid for process in self._workers.values()]

    def _run(self) -> None:
        with opened(self._folder) as journal:
            while not self._stopping:
                self._awake.clear()
                try:
                    self.look(journal, now=time.time())
                except (StateError, OSError) as error:
                    _log.error("cannot go on, trying again", error=str(error), remedy="is the disk full?")
                self._awake.wait(self._every)

    def look(self, journal: Journal, *, now: float) -> None:
        """Do once what there is to do."""
        self._reap(journal)
        for trigger in journal.running():
            if trigger.id not in self._workers:
                self._look_after(journal, trigger, now)
        self._begin(journal, now)
        self._record(journal, now)
        if now - self._pruned >= _PRUNE_SECONDS:
            self._pruned = now
            journal.prune()

    def _begin(self, journal: Journal, now: float) -> None:
        """Start what is due, as far as it may start."""
        for trigger in journal.due(now):
            # Again for each, since the one before has started.
            starts = journal.starts(since=now - DAY_SECONDS)
            if trigger.id in self._workers:
                continue
            if self._busy(journal) >= self._settings.concurrency:
                return
            action = self._settings.action(trigger.action)
            if action is None:
                self._fail(journal, trigger, f"there is no action {trigger.action} any more", now)
            elif wait := postponed(trigger, action, self._settings, starts, now=now):
                journal.postpone(trigger.id, until=wait.until, reason=wait.reason)
                _log.info("postponed", trigger=trigger.id, reason=wait.reason, seconds=round(wait.until - now))
            else:
                self._start(journal, trigger, action, now)

    def _busy(self, journal: Journal) -> int:
        running = {trigger.id for trigger in journal.running()}
        return len(running | self._workers.keys())

    def _start(self, journal: Journal, trigger: Trigger, action: Action, now: float) -> None:
        try:
            plan = plan_of(trigger, action, self._settings)
        except TemplateFailed as error:
            self._fail(journal, trigger, str(error), now)
            return
        journal.admit(trigger.id, now=now)
        self._spawn(trigger, plan)
        _log.info(
            "started",
            action=trigger.action,
            trigger=trigger.id,
            alert=trigger.alert.labels.get("alertname", ""),
            model=trigger.alert.model,
            attempt=trigger.attempts + 1,
        )

    def _spawn(self, trigger: Trigger, plan: Plan) -> None:
        command = [sys.executable, "-m", "driftgauge.hook.worker", str(self._folder), trigger.id]
        # In a session of its own it gets no Ctrl-C, and goes on when this process is gone.
        with tempfile.TemporaryFile() as stdin:
            stdin.write(plan.to_json().encode())
            stdin.seek(0)
            self._workers[trigger.id] = subprocess.Popen(command, stdin=stdin, start_new_session=True)

    def _reap(self, journal: Journal) -> None:
        for identity, process in list(self._workers.items()):
            if process.poll() is None:
                continue
            del self._workers[identity]
            trigger = journal.find(identity)
            if trigger is not None and trigger.ended is not None:
                say = _log.info if trigger.state in {"done", "dry_run", "cancelled"} else _log.error
                say(
                    "ended", action=trigger.action, trigger=identity, outcome=trigger.state, answer=trigger.answer[:300]
                )
            elif trigger is not None and trigger.state == "waiting":
                _log.warning(
                    "will be tried again", action=trigger.action, trigger=identity, answer=trigger.answer[:300]
                )

    def _look_after(self, journal: Journal, trigger: Trigger, now: float) -> None:
        """End what was claimed by a worker that died, or have it done again where that is harmless."""
        with alone(self._folder, trigger.id) as is_free:
            known = journal.find(trigger.id)
            if not is_free or known is None or known.state != "running":
                return
            action = self._settings.action(trigger.action)
            harmless = action is not None and (action.job or (action.http and action.http.repeat_unanswered))
            answer = "its worker died; it is not known how far it came"
            if harmless and action and trigger.attempts < action.attempts:
                journal.again(trigger.id, action=trigger.action, at=now + action.backoff, answer=answer)
            else:
                journal.end(trigger.id, action=trigger.action, state="unclear", answer=answer, now=now)
                _log.error("a worker died", action=trigger.action, trigger=trigger.id, remedy="look whether it ran")

    def _fail(self, journal: Journal, trigger: Trigger, why: str, now: float) -> None:
        if journal.claim(trigger.id, now=now):
            journal.end(trigger.id, action=trigger.action, state="failed", answer=why, now=now)
            _log.error("cannot be started", action=trigger.action, trigger=trigger.id, error=why)

    def _record(self, journal: Journal, now: float) -> None:
        mlflow = self._settings.mlflow
        where = {"tracking_uri": mlflow.tracking_uri, "experiment": mlflow.experiment} if mlflow else None
        waiting = [identity for identity in journal.unrecorded(now) if identity not in self._workers]
        for identity in waiting[: _RECORDERS if where else None]:
            if where is None:
                journal.recorded(identity)
            elif trigger := journal.find(identity):
                # It has ended, so that its worker cannot claim it and does nothing but record.
                self._spawn(trigger, Plan("dry_run", {}, 0.0, mlflow=where))
