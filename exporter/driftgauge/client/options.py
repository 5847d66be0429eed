"""The options of a `PredictionLogger`, checked before anything starts.

Every mistake is a ConfigError that names the argument and the remedy. This module reads the environment and no file.
"""

import math
import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from driftgauge.errors import ConfigError

if TYPE_CHECKING:
    from driftgauge.client.lanes import SpoolFile

DEFAULT_SPOOL: Final = "driftgauge-spool"
SPOOL_VARIABLE: Final = "DRIFTGAUGE_SPOOL_DIR"
KEY_VARIABLE: Final = "DRIFTGAUGE_HASH_KEY"
TRACKING_VARIABLE: Final = "MLFLOW_TRACKING_URI"
_SHORTEST_KEY: Final = 16
_MIB: Final = 2**20


class Settings(TypedDict, total=False):
    """The keyword arguments of `PredictionLogger`; `Options` describes each and holds its default."""

    tracking_uri: str | None
    labels_experiment: str | None
    spool_dir: str | os.PathLike[str] | None
    sample_rate: float
    redact: Collection[str]
    hash: Collection[str]
    hash_key: str | bytes | None
    max_file_rows: int
    max_file_bytes: int
    max_file_age: float
    max_buffer_rows: int
    max_spool_bytes: int
    flush_timeout: float
    handle_sigterm: bool
    on_spooled: "Callable[[SpoolFile], None] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where records go, how many, and within which limits.

    tracking_uri: default, the URI set in MLflow in this process, else $MLFLOW_TRACKING_URI, else MLflow's own.
    labels_experiment: where `log_labels` writes; default, the experiment of the predictions.
    spool_dir: a folder on a local disk; default $DRIFTGAUGE_SPOOL_DIR, else ./driftgauge-spool.
    sample_rate: share of requests that are logged, chosen by request id.
    redact, hash: columns that are never stored, or stored as a digest under hash_key ($DRIFTGAUGE_HASH_KEY): names of
    features, or `request_id`, `prediction`, `error` and the like.
    max_file_rows, max_file_bytes (before compression), max_file_age (s): a file is written when one of them is reached.
    max_buffer_rows: rows in memory; max_spool_bytes: files that wait for MLflow, per process and logger.
    flush_timeout (s): the longest that exit, SIGTERM and `close` wait.
    handle_sigterm: flush on SIGTERM and then call the previous handler.
    on_spooled: called in a background thread with each file once it is on disk, before it is uploaded.
    """

    experiment: str
    model_version: str
    tracking_uri: str | None = None
    labels_experiment: str | None = None
    spool_dir: str | os.PathLike[str] | None = None
    sample_rate: float = 1.0
    redact: Collection[str] = ()
    hash: Collection[str] = ()
    hash_key: str | bytes | None = field(default=None, repr=False)
    max_file_rows: int = 10_000
    max_file_bytes: int = 16 * _MIB
    max_file_age: float = 30.0
    max_buffer_rows: int = 100_000
    max_spool_bytes: int = 512 * _MIB
    flush_timeout: float = 10.0
    handle_sigterm: bool = True
    on_spooled: "Callable[[SpoolFile], None] | None" = None

    def __post_init__(self) -> None:
        """Raise ConfigError for the first argument that is wrong."""
        for name in ("experiment", "model_version"):
            _require(bool(str(getattr(self, name) or "").strip()), name, "must not be empty")
        _require(0 < self.sample_rate <= 1, "sample_rate", "must be above 0 and at most 1")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            _require(value >= least and math.isfinite(value), name, f"must be at least {least} and finite")
        for name in ("redact", "hash"):
            _require(not isinstance(getattr(self, name), str), name, 'must be a list of columns, such as ["email"]')
        both = sorted(set(self.redact) & set(self.hash))
        _require(not both, "hash", f"names what redact names too: {', '.join(both)}; keep one of the two")
        if self.hash:
            _require(
                len(self.key) >= _SHORTEST_KEY,
                "hash_key",
                f"must have at least {_SHORTEST_KEY} bytes when hash is used, for without a secret key a digest is "
                f"reversed by trying the likely values; pass it or set ${KEY_VARIABLE}",
            )

    @property
    def key(self) -> bytes:
        """The key of digests, empty if there is none."""
        given = self.hash_key if self.hash_key is not None else os.environ.get(KEY_VARIABLE, "")
        return given.encode() if isinstance(given, str) else given

    @property
    def uri(self) -> str:
        """The tracking URI, empty to use MLflow's default."""
        if self.tracking_uri:
            return self.tracking_uri
        mlflow: Any = sys.modules.get("mlflow")
        current: str = mlflow.get_tracking_uri() if hasattr(mlflow, "get_tracking_uri") else ""
        return current or os.environ.get(TRACKING_VARIABLE, "")

    @property
    def labels(self) -> str:
        """The experiment that labels go to."""
        return self.labels_experiment or self.experiment

    @property
    def folder(self) -> Path:
        """Where files wait for MLflow."""
        return Path(self.spool_dir or os.environ.get(SPOOL_VARIABLE) or DEFAULT_SPOOL).absolute()


_LEAST: Final = {
    "max_file_rows": 1,
    "max_file_bytes": 1024,
    "max_file_age": 0.05,
    "max_buffer_rows": 1,
    "max_spool_bytes": 1024,
    "flush_timeout": 0,
}


def _require(holds: bool, name: str, rule: str) -> None:  # noqa: FBT001 - reads as "require that"
    if not holds:
        raise ConfigError(f"PredictionLogger({name}=…) {rule}")
