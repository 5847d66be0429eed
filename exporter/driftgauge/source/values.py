"""The values between MLflow and the pipeline: plain and frozen, without MLflow's own types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftgauge.feed import Opener

if TYPE_CHECKING:
    from driftgauge.source.survey import Sighting


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of a run between two passes, so that a settled run is not listed again.

    All fields are JSON values: `dataclasses.asdict` writes it and `RunState(**fields)` reads it back.
    status: MLflow's word (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED). end_time: ms since the epoch, None
    while it runs. listed_at: when the last pass that listed it began, in ms of our clock; 0 if none succeeded.
    """

    status: str
    end_time: int | None
    listed_at: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """One data file of a run, or a file that may have been meant as one.

    path: inside the run's artifacts, parts separated by "/", never absolute, never with "..".
    size: bytes when listed, None when the artifact store does not report it. run_start: ms since the epoch.
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
class Unlisted:
    """A folder of a run, or a file, of which it is not known what is in it.

    path: that of a folder ends in "/" and is "/" for all of the run's artifacts. run_start: ms since the epoch. reason,
    text: as of a BatchError.
    """

    run_id: str
    experiment_id: str
    path: str
    run_start: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What one pass over an experiment found.

    artifacts: every such file of every run listed in this pass, by run start, run id and path. unlisted: what could
    not be listed in these runs. left: the runs that were not, because the server limits requests. states: run id ->
    state of every run known after this pass, to be passed as `known` next time, without deleted runs; entries of runs
    not listed in this pass are unchanged.
    """

    experiment_id: str
    artifacts: tuple[Artifact, ...]
    states: Mapping[str, RunState]
    unlisted: tuple[Unlisted, ...] = ()
    left: "Sighting | None" = None


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A reference dataset: how it is opened, and its last path part as `name`, for the format by suffix.

    others: the other parts, of a folder.
    """

    opener: Opener
    name: str
    others: "tuple[ReferenceFile, ...]" = ()

    @property
    def parts(self) -> "tuple[ReferenceFile, ...]":
        """All files that it is made of, in order."""
        return self, *self.others

    def release(self) -> None:
        """Remove what was made for it, such as downloads."""
        for part in self.parts:
            part.opener.release()


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model version; `run_id` and `experiment_id` are None when no visible run made it."""

    run_id: str | None
    experiment_id: str | None
    model_uri: str
