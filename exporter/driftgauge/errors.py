"""Everything driftgauge raises on purpose, and whose fault it is.

    DriftgaugeError
    ├── ConfigError          the configuration file: exit code 2, or the old configuration stays
    ├── BatchError           one artifact cannot be read: set aside with its reason, the others go on
    ├── ReferenceUnusable    a model's reference cannot be used: that model goes without drift
    ├── SourceError          where files come from, MLflow mostly, cannot answer
    │   ├── SourceUnavailable    it cannot be reached: keep the last values, try again later
    │   │   ├── SourceDown           … as a whole, for all models that are read from it
    │   │   └── FilesUnavailable     a folder or object store, rather than MLflow
    │   └── SourceMissing        an experiment, run or artifact does not exist
    ├── RefreshUnfinished    a server limits requests: what there was time for counts, the rest comes later
    ├── StateError           the state directory cannot be used
    │   ├── StateDamaged         its file is damaged: exit code 2
    │   └── StateInUse           another process uses it
    └── Stopped              nobody's: the exporter was asked to stop in the middle of a refresh

Messages name the thing, the place and the remedy, since people see them unchanged.
"""

from typing import Final


class DriftgaugeError(Exception):
    """The root: catching it catches every failure that driftgauge expects."""


class ConfigError(DriftgaugeError):
    """The configuration is wrong; the message has one line per mistake, each with file and line."""


class BatchError(DriftgaugeError):
    """A whole artifact cannot be read.

    `reason` is the value of the `reason` label of `model_batch_failures_total`: a short fixed word.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["BatchError"], tuple[str, str]]:
        """Pickle with both arguments, so that it can pass between processes."""
        return type(self), (self.reason, str(self))


class ReferenceUnusable(DriftgaugeError):
    """A reference dataset cannot be compiled."""


class SourceError(DriftgaugeError):
    """MLflow answered with something that cannot be used, or not at all."""


class SourceUnavailable(SourceError):
    """The tracking server or artifact store cannot be reached, refuses the credentials, or fails: try later.

    `reason` is the value of the `reason` label of `driftgauge_refresh_failures_total`: a short fixed word.
    """

    def __init__(self, message: str, *, reason: str = "mlflow_unavailable") -> None:
        super().__init__(message)
        self.reason = reason


class SourceDown(SourceUnavailable):
    """The server does not answer anybody. That is found out once for all models, so none of them waits longer."""


class FilesUnavailable(SourceUnavailable):
    """A folder or object store with files of rows cannot be listed or read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="files_unavailable")


class SourceMissing(SourceError):
    """The server answers, but the experiment, run, model version or artifact does not exist."""


class RefreshUnfinished(DriftgaugeError):
    """A server limits requests, and this refresh has got a part of what there is: that counts and is shown."""


class StateError(DriftgaugeError):
    """The state directory cannot be read or written."""


class StateDamaged(StateError):
    """The state file is damaged, or is none of driftgauge's: somebody has to move it away."""

    REMEDY: Final = (
        "If there is no copy to put back, move it away, with its .wal if there is one: driftgauge then reads "
        "everything again from the start"
    )

    def __init__(self, message: str) -> None:
        super().__init__(message if self.REMEDY in message else f"{message}. {self.REMEDY}")


class StateInUse(StateError):
    """Another process uses the state directory."""


class Stopped(DriftgaugeError):
    """The refresh was given up because the process is stopping; what was committed stays."""
