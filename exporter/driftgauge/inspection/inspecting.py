"""One model looked at: its files as a refresh would read them, its reference, its labels, and a refresh to try."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from structlog.testing import capture_logs

from driftgauge.batch.shape import Role
from driftgauge.config import Config, ModelConfig
from driftgauge.errors import BatchError, DriftgaugeError, SourceDown, SourceMissing
from driftgauge.feed import Cursor, Opener, Piece
from driftgauge.hiding import hidden
from driftgauge.inspection.choosing import MOST_FILES, Chosen, NamedFiles
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.looking import Job, look
from driftgauge.pipeline import baseline
from driftgauge.pipeline.executor import NOTHING
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.monitored import Monitored
from driftgauge.pipeline.monitoring import look_up
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.samples import Samples
from driftgauge.schema import ReadAs
from driftgauge.scratch import temporary_folder
from driftgauge.segments import ALL_ROWS
from driftgauge.service.refreshing import refresh_models, workers_for
from driftgauge.source import Choice
from driftgauge.store import Store
from driftgauge.windows import AHEAD, MICROSECONDS

# What is found out about single files and columns is told with them.
_TOLD: Final = frozenset({"batch read with doubt", "batch set aside"})
_LOUD: Final = frozenset({"warning", "error", "critical"})
_OF_AN_EVENT: Final = frozenset({"event", "log_level", "model"})
_MINUTE: Final = 60 * MICROSECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What a model's files hold, by role; `names` of the files, and how many others there are."""

    facts: Mapping[str, Facts]
    names: Mapping[str, tuple[str, ...]]
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceLook:
    """A reference: what it holds and the kinds of its features as compiled.

    problem: why it cannot be used. unlearned: by signal, why it could not be learned.
    """

    facts: Facts | None = None
    kinds: Mapping[str, ReadAs] | None = None
    problem: str = ""
    unlearned: Mapping[str, str] = field(default_factory=dict)


class Bench:
    """A folder for states and downloads, and the workers that read files; close it after use."""

    def __init__(self, config: Config) -> None:
        self._stack = ExitStack()
        self.folder: Final = self._stack.enter_context(temporary_folder())
        self.workers: Final = workers_for(config.model_copy(update={"state_dir": str(self.folder)}))
        self._stack.callback(self.workers.close)
        self._states = 0

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._stack.close()

    def state(self) -> str:
        """Return a new folder for a state."""
        self._states += 1
        return str(self.folder / f"state-{self._states}")


def monitored(bench: Bench, config: Config, model: ModelConfig) -> Monitored:
    """Return what a model's registered version makes of it; nothing of one without. Raises SourceUnavailable."""
    if model.monitoring is None:
        return Monitored()
    return look_up(model, Feeds(config.model_copy(update={"state_dir": bench.state(), "models": (model,)})).source)


class Inspector:
    """Looks at one model of a configuration.

    choose, files: which runs, and how many files of each role. named: the only files that there are.
    """

    def __init__(
        self,
        bench: Bench,
        config: Config,
        model: ModelConfig,
        *,
        choose: Choice,
        files: int = MOST_FILES,
        named: NamedFiles | None = None,
    ) -> None:
        self.config: Final = config.model_copy(update={"models": (model,), "state_dir": bench.state()})
        self.model: Final = model
        self._workers = bench.workers
        self._feeds = Chosen(self.config, clock=time.time, choose=choose, files=files, named=named)

    @property
    def reference_uri(self) -> str:
        """Where the reference is, "" without one."""
        return self.model.reference.uri if self.model.reference else ""

    def files(self, kinds: Mapping[str, ReadAs] | None = None, *, most: int | None = None) -> Looked:
        """Return what the chosen files hold; `most` chunks of each. Raises SourceError."""
        feed = self._feeds[self.model.name]
        try:
            pieces, _ = feed.look(Cursor(), _now())
        except SourceDown:
            # It does not say why.
            self._feeds.source.check()
            raise
        facts: dict[str, Facts] = {}
        for role in dict.fromkeys(piece.role for piece in pieces):
            of_role = [piece for piece in pieces if piece.role == role]
            facts[role] = Facts.combine([self._file(piece, kinds, most) for piece in of_role])
        names = {role: tuple(piece.path for piece in pieces if piece.role == role) for role in facts}
        return Looked(facts, names, feed.left)

    def reference(self) -> ReferenceLook:
        """Return the reference; one that cannot be used has a problem."""
        if not self.reference_uri:
            return ReferenceLook()
        source = self._feeds.source
        try:
            compiled = baseline.load(
                source, self.model, self.reference_uri, self.config.limits, executor=self._workers
            )[ALL_ROWS]
            found = source.reference(self.reference_uri)
            kinds = compiled.reference.kinds
            facts = Facts.combine([self._look(part.opener, part.name, "reference", kinds) for part in found.parts])
        except DriftgaugeError as error:
            return ReferenceLook(problem=f"reference {hidden(self.reference_uri)}: {error}")
        unlearned = {
            name: str(found["reason"]) for name, found in compiled.reference.learned.items() if "reason" in found
        }
        return ReferenceLook(facts, kinds, unlearned=unlearned)

    def samples(self, looked: Looked) -> tuple[Samples, int, tuple[str, ...]]:
        """Return what a refresh of the chosen files publishes, at which time (µs), and what it warns of.

        That is now, unless all rows are older than the longest window: then it is when the newest of them was new.
        """
        at = self._evaluated(looked)
        with closing(Store.open(self.config.state_dir)) as store, capture_logs() as logs:
            pipeline = Pipeline(self.config, self._feeds, store, executor=self._workers)
            report, samples = refresh_models(self.config, pipeline, {}, now=at)
        said = [_sentence(entry) for entry in logs if entry["log_level"] in _LOUD and entry["event"] not in _TOLD]
        said += [message for _, message in report.failures.values()]
        return samples[self.model.name], at, tuple(dict.fromkeys(said))

    def _evaluated(self, looked: Looked) -> int:
        now = _now()
        newest = max((facts.newest for facts in looked.facts.values() if facts.newest is not None), default=now)
        longest = max(window.seconds for window in self.config.windows) * MICROSECONDS
        return now if now - newest < longest else (newest // _MINUTE + 1) * _MINUTE

    def _file(self, piece: Piece, kinds: Mapping[str, ReadAs] | None, most: int | None) -> Facts:
        if piece.unlisted:
            return Facts(files=1, problems={piece.path: piece.unlisted})
        try:
            opener = self._feeds[self.model.name].opener(piece)
        except (BatchError, SourceMissing) as error:
            reason = error.reason if isinstance(error, BatchError) else "missing"
            return Facts(files=1, problems={piece.path: (reason, str(error))})
        return self._look(opener, piece.path, piece.role, kinds, time=piece.time, version=piece.version, most=most)

    def _look(self, opener: Opener, name: str, role: Role, kinds: Mapping[str, ReadAs] | None, **rest: Any) -> Facts:
        how = {"time": 0, "version": None, "most": None, **rest}
        job = Job(
            opener=opener,
            name=name,
            role=role,
            model=self.model,
            kinds=kinds,
            max_bytes=self.config.limits.max_artifact_bytes,
            latest=_now() + AHEAD,
            **how,
        )
        try:
            return self._workers.submit(look, NOTHING, job).result()
        except (BatchError, SourceMissing) as error:
            # What the file did to its worker.
            reason = error.reason if isinstance(error, BatchError) else "missing"
            return Facts(files=1, problems={name: (reason, str(error))})
        finally:
            opener.release()


def _now() -> int:
    return int(time.time() * MICROSECONDS)


def _sentence(entry: Mapping[str, Any]) -> str:
    rest = ", ".join(f"{key}={value}" for key, value in entry.items() if key not in _OF_AN_EVENT)
    return f"{entry['event']}: {rest}" if rest else str(entry["event"])
