"""The values that go between MLflow and the pipeline: plain, frozen, free of MLflow's own types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class RunState:
    """What is remembered of a run between two passes, so that a settled run is not listed again.

    All fields are JSON values: `dataclasses.asdict` writes it and `RunState(**fields)` reads it back.
    status: MLflow's word (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED). end_time: ms since the epoch, None
    while it runs. listed_at: ms by our clock when the pass began that last listed it; 0 when none succeeded.
    """

    status: str
    end_time: int | None
    listed_at: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """One data file of a run.

    path: inside the run's artifacts, parts separated by "/", never absolute, never with "..".
    size: bytes when listed, None when the artifact store does not tell. run_start: ms since the epoch.
    version: the run's `model_version` tag, else its param of that name, else None.
    """

    run_id: str
    experiment_id: str
    run_name: str
    path: str
    size: int | None
    run_start: int
    version: str | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What one pass over an experiment found.

    artifacts: every data file of every run listed in this pass, by run start, run id and path.
    states: run id -> state of every run known after this pass, to be handed in as `known` next time. Deleted
    runs have left it; entries of runs not listed in this pass are unchanged.
    """

    experiment_id: str
    artifacts: tuple[Artifact, ...]
    states: Mapping[str, RunState]


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A reference dataset, downloaded.

    file: seekable, at its start, gone when closed. name: its last path part, for the format by suffix.
    fingerprint: blake2b of the bytes, 32 hex digits.
    """

    file: BinaryIO
    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model version; `run_id` and `experiment_id` are None when it came from no run we can see."""

    run_id: str | None
    experiment_id: str | None
    model_uri: str
