"""What is known of refreshes and of MLflow, and the families that say so."""

import platform
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from driftgauge import __version__
from driftgauge.hiding import hidden
from driftgauge.samples import Sample, Samples
from driftgauge.sharding import Shard
from driftgauge.writeback.standing import Standing


@dataclass(frozen=True, slots=True)
class RefreshHealth:
    """Times in seconds since 1970, None until it happened.

    failures: failed refreshes by reason. messages: by model, why its last refresh failed. series: on the page, about
    models. dropped: series left out so far. pending: predictions waiting for their label.
    pending_labels: labels waiting for their prediction. writeback: how writing results to MLflow stands. config_hash:
    see `hash_of`.
    """

    mlflow_up: bool | None = None
    last_refresh: float | None = None
    last_success: float | None = None
    duration: float | None = None
    succeeded: bool | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    series: int = 0
    dropped: int = 0
    pending: int = 0
    pending_labels: int = 0
    writeback: Standing = field(default_factory=Standing)
    config_hash: float | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `to_json` wrote; raises TypeError when that was something else."""
        return cls(**{**values, "writeback": Standing.from_json(values.get("writeback", {}))})

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    def after(
        self,
        failures: Mapping[str, tuple[str, str]],
        *,
        tried: Container[str],
        started: float,
        seconds: float,
    ) -> "RefreshHealth":
        """Return the health after a refresh of the models `tried`, with what fails (reason, message) of all models."""
        counts = dict(self.failures)
        for reason in {reason for model, (reason, _) in failures.items() if model in tried}:
            counts[reason] = counts.get(reason, 0) + 1
        return replace(
            self,
            last_refresh=started,
            duration=seconds,
            succeeded=not failures,
            failures=counts,
            messages={model: hidden(message) for model, (_, message) in failures.items()},
        )

    def samples(self) -> Samples:
        """Return the `driftgauge_` families about refreshes."""
        values = {
            "driftgauge_mlflow_up": self.mlflow_up,
            "driftgauge_refresh_duration_seconds": self.duration,
            "driftgauge_refresh_success": self.succeeded,
            "driftgauge_last_refresh_success_timestamp_seconds": self.last_success,
            "driftgauge_config_hash": self.config_hash,
            "driftgauge_series": self.series,
            "driftgauge_series_dropped_total": self.dropped,
            "driftgauge_pending_predictions": self.pending,
            "driftgauge_pending_labels": self.pending_labels,
        }
        return {
            **{name: [Sample((), float(value))] for name, value in values.items() if value is not None},
            **counted("driftgauge_refresh_failures_total", self.failures),
            **counted("driftgauge_writeback_failures_total", self.writeback.failures),
            **by_model("driftgauge_writeback_last_success_timestamp_seconds", self.writeback.written),
            **_waiting(self.writeback),
        }


def counted(family: str, counts: Mapping[str, int]) -> Samples:
    """Return a family with one sample per reason; none without any."""
    return {family: [Sample((reason,), float(count)) for reason, count in counts.items()]} if counts else {}


def by_model(family: str, values: Mapping[str, float]) -> Samples:
    """Return a family with one sample per model; none without any."""
    return {family: [Sample((model,), value) for model, value in values.items()]} if values else {}


def _waiting(standing: Standing) -> Samples:
    found = [Sample((model, each.reason), each.since) for model, each in standing.waiting.items()]
    return {"driftgauge_writeback_waiting_since_timestamp_seconds": found} if found else {}


def build_info() -> Samples:
    """Return the family that says which driftgauge and Python run."""
    return {"driftgauge_build_info": [Sample((__version__, platform.python_version()), 1.0)]}


def sharded(shard: Shard) -> Samples:
    """Return the families that say whose models these are."""
    return {
        "driftgauge_shard_ordinal": [Sample((), float(shard.ordinal))],
        "driftgauge_total_shards": [Sample((), float(shard.total))],
    }


def reloaded(at: float, *, succeeded: bool = True) -> Samples:
    """Return the families about the configuration: whether the last one was accepted, and when one was (s)."""
    return {
        "driftgauge_config_last_reload_successful": [Sample((), float(succeeded))],
        "driftgauge_config_last_reload_success_timestamp_seconds": [Sample((), at)],
    }
