"""Which feed has the files of which model, as the configuration says; and MLflow, where references and versions are."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Final

from driftgauge.config import Config, Labels, ModelConfig, Predictions
from driftgauge.errors import SourceUnavailable
from driftgauge.feed import Cursor, Feed, FileRole, Opener, Piece
from driftgauge.files import FilesFeed, Place
from driftgauge.scratch import Scratch
from driftgauge.source import Choice, ModelVersion, Session, Source
from driftgauge.source.schedule import DEFAULT_PORTIONS, Portions

# How long (s) a request waits for its turn when there is no next refresh.
_PATIENT: Final = 120.0


class Feeds:
    """The feeds of all models of a configuration; they share one session with MLflow, if any of them needs it.

    Raises StateError when downloads have no place in the state folder. clock: s since 1970, by which MLflow is asked.
    relist: every run of MLflow is listed at each look; choose: those that it returns. on_answer: is called whenever
    MLflow has answered something. portions: how much of MLflow is asked for at a time.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        relist: bool = False,
        choose: Choice | None = None,
        on_answer: Callable[[], None] = lambda: None,
        portions: Portions = DEFAULT_PORTIONS,
    ) -> None:
        self._limit = config.limits.max_artifact_bytes
        self._spool = Scratch(Path(config.state_dir) / "spool")
        uri = config.mlflow.tracking_uri or ""
        self.source: Final = Source(
            uri,
            max_artifact_bytes=self._limit,
            spool=self._spool,
            artifact_hosts=config.mlflow.artifact_hosts,
            on_answer=on_answer,
            clock=clock,
            portions=replace(portions, patience=_PATIENT) if relist else portions,
        )
        self._session = Session(self.source, relist=relist, choose=choose, rest=config.refresh_interval)
        self._feeds = {model.name: self._feed(model) for model in config.models}

    def __getitem__(self, model: str) -> Feed:
        """Return the feed of a model."""
        return self._feeds[model]

    @property
    def mlflow_up(self) -> bool | None:
        """Whether MLflow answered when it was last asked; None if nothing is read from it."""
        return self._session.up

    @property
    def mlflow_down(self) -> SourceUnavailable | None:
        """Why MLflow did not answer when it was last asked."""
        return self._session.down

    def rate(self, model: ModelConfig) -> float:
        """How many requests per second the server of a model is asked at most; infinite while it limits none."""
        places = (model.predictions.experiment, model.labels.experiment if model.labels else None)
        return self.source.rate if any(places) else inf

    def registered(self, model: ModelConfig, version: str) -> ModelVersion | None:
        """Return the registered version of a model whose predictions are in MLflow, None when there is none."""
        return self.source.model_version(model.name, version) if model.predictions.experiment else None

    def _feed(self, model: ModelConfig) -> Feed:
        runs: list[tuple[FileRole, str, str]] = []
        places: list[Place] = []
        sections: dict[FileRole, Predictions | Labels | None]
        sections = {"predictions": model.predictions, "labels": model.labels}
        for role, section in sections.items():
            if section is None:
                continue
            if section.files is not None:
                places.append(Place(role, section.files, section.artifacts))
            else:
                runs.append((role, section.experiment or "", section.artifacts))
        feeds: dict[FileRole, Feed] = {}
        if runs:
            feeds |= dict.fromkeys((role for role, _, _ in runs), self._session.feed(runs))
        if places:
            files = FilesFeed(places, spool=self._spool, max_bytes=self._limit)
            feeds |= dict.fromkeys((place.role for place in places), files)
        return next(iter(feeds.values())) if len(set(map(id, feeds.values()))) == 1 else ByRole(feeds)


class ByRole:
    """Predictions from one feed and labels from another; a `Feed`."""

    def __init__(self, feeds: Mapping[FileRole, Feed]) -> None:
        self._feeds = feeds

    def look(self, cursor: Cursor, now: int) -> tuple[Sequence[Piece], Cursor]:
        """Return the files of both; see `Feed`."""
        pieces: list[Piece] = []
        cursors: dict[str, Cursor] = {}
        for role, feed in self._feeds.items():
            found, cursors[role] = feed.look(_part(cursor, role), now)
            pieces += found
        kept = {f"{role}/{key}": value for role, part in cursors.items() for key, value in part.kept.items()}
        left = sum(part.left for part in cursors.values())
        return pieces, Cursor(cursor.kept if kept == cursor.kept else kept, cursors, left)

    def opener(self, piece: Piece) -> Opener:
        """Return how a file is opened; see `Feed`."""
        return self._feeds[piece.role].opener(piece)


def _part(cursor: Cursor, role: str) -> Cursor:
    """Return the cursor of one of the feeds: the same object as it returned, unless this process has not had it."""
    part: Cursor | None = cursor.passing.get(role)
    if part is not None:
        return part
    return Cursor({key.removeprefix(f"{role}/"): v for key, v in cursor.kept.items() if key.startswith(f"{role}/")})
