"""Which files of a model are to be read, and what is put on record of each."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from driftgauge.config import ModelConfig
from driftgauge.pipeline.delta import Terms
from driftgauge.pipeline.memory import Memory
from driftgauge.pipeline.reading import FileRole, Job
from driftgauge.schema import Kind
from driftgauge.source import Artifact, RunState, Sighting, Source, matches
from driftgauge.store import FileRecord
from driftgauge.windows import MICROSECONDS

_FIRST_RETRY: Final = 60 * MICROSECONDS
_LAST_RETRY: Final = 6 * 3600 * MICROSECONDS


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A file to read, in which role, and what is on record of it."""

    artifact: Artifact
    role: FileRole
    record: FileRecord | None

    @property
    def skip(self) -> int:
        """How many of its rows were read before."""
        return self.record.rows_read if self.record else 0

    def job(self, terms: Terms, kinds: Mapping[str, Kind] | None, *, max_bytes: int) -> Job:
        """Return how its new rows are read."""
        content = self.record.content if self.record else ""
        return Job(self.artifact, self.role, replace(terms, fitted={}), kinds, max_bytes, self.skip, content)

    def is_due(self, now: int) -> bool:
        """Whether the file is new, has changed in size, or failed long enough ago (`now` in µs)."""
        record, size = self.record, self.artifact.size
        if record is None or (size is not None and record.size != size):
            return True
        return now >= record.retry_at if record.failures else size is None

    @property
    def failed_before(self) -> bool:
        """Whether this very file failed before, so that nothing new is to be said when it fails again."""
        return self.record is not None and self.record.failures > 0 and self.record.size == self.artifact.size

    def read(self, rows: int, content: str) -> FileRecord:
        """Return the record after `rows` more rows were read; `content` is the file's at that time."""
        artifact = self.artifact
        return FileRecord(artifact.run_id, artifact.path, artifact.size, self.skip + rows, content=content)

    def failed(self, reason: str, now: int) -> FileRecord:
        """Return the record after an attempt failed: the next comes after 1 min, 2 min, … 6 h."""
        failures = self.record.failures + 1 if self.record and self.failed_before else 1
        return FileRecord(
            self.artifact.run_id,
            self.artifact.path,
            self.artifact.size,
            self.skip,
            failures=failures,
            retry_at=now + min(_FIRST_RETRY * 2 ** min(failures - 1, 20), _LAST_RETRY),
            reason=reason,
            origin=json.dumps({"artifact": asdict(self.artifact), "role": self.role}),
            content=self.record.content if self.record else "",
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Which runs MLflow is asked for: all (`full`) or those that can be new; `relist`: every run is listed again.

    sightings: what a survey has found already, by model and experiment.
    """

    full: bool
    relist: bool
    sightings: Mapping[tuple[str, str], Sighting]


def asked_for(memory: Memory) -> dict[tuple[str, str], tuple[str, Mapping[str, RunState]]]:
    """Return what a survey asks of the model, each by model and experiment: the experiment, and what is known of it."""
    model = memory.state.config
    return {
        (model.name, experiment): (experiment, memory.runs.get(experiment, {})) for experiment in _experiments(model)
    }


def find_work(
    source: Source,
    memory: Memory,
    now: int,
    *,
    reach: Reach,
) -> tuple[dict[str, Mapping[str, RunState]], list[Work]]:
    """Ask MLflow for the model's files; return what is known of runs by experiment, and the files to read, in order."""
    model = memory.state.config
    states: dict[str, Mapping[str, RunState]] = {}
    work: dict[tuple[str, str], Work] = {}
    for experiment in _experiments(model):
        known, sighting = memory.runs.get(experiment, {}), reach.sightings.get((model.name, experiment))
        found = source.runs(experiment, known=known, full=reach.full, relist=reach.relist, sighting=sighting)
        states[experiment] = found.states
        for artifact in found.artifacts:
            role = _role(model, experiment, artifact.path)
            if role:
                place = (artifact.run_id, artifact.path)
                work[place] = Work(artifact, role, memory.files.get(place))
    # A file that failed is tried again even when its run is settled and no longer listed.
    for place, record in memory.files.items():
        if record.failures and place not in work:
            origin = json.loads(record.origin)
            work[place] = Work(Artifact(**origin["artifact"]), origin["role"], record)
    due = [item for item in work.values() if item.is_due(now)]
    # Predictions first: most labels then meet a prediction that is already there.
    return states, sorted(due, key=lambda item: item.role == "labels")


def _experiments(model: ModelConfig) -> list[str]:
    both = [model.predictions.experiment, *([model.labels.experiment] if model.labels else [])]
    return list(dict.fromkeys(both))


def _role(model: ModelConfig, experiment: str, path: str) -> FileRole | None:
    """Return how a file is read. In an experiment that has both, a name that matches the labels is a label file."""
    if model.labels and experiment == model.labels.experiment and matches(path, model.labels.artifacts):
        return "labels"
    if experiment == model.predictions.experiment and matches(path, model.predictions.artifacts):
        return "predictions"
    return None
