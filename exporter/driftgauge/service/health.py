"""What the exporter knows of itself: refreshes, MLflow, configuration."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from driftgauge import __version__
from driftgauge.families import Sample, Samples

if TYPE_CHECKING:
    from driftgauge.pipeline.refresh import Report


@dataclass(frozen=True, slots=True)
class Health:
    """Times in seconds since 1970, None until it happened.

    failures: failed refreshes by reason. messages: by model, why its last refresh failed. dropped: series left out
    so far. pending: predictions waiting for their label.
    """

    mlflow_up: bool | None = None
    last_refresh: float | None = None
    last_success: float | None = None
    duration: float | None = None
    succeeded: bool | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    reload_succeeded: bool = True
    reloaded: float | None = None
    dropped: int = 0
    pending: int = 0

    def after(self, report: "Report", *, started: float, ended: float) -> "Health":
        """Return the health after a refresh."""
        health = self.after_failures(report.failures, started=started, ended=ended)
        return replace(health, mlflow_up=report.mlflow_up)

    def after_failures(self, failures: Mapping[str, tuple[str, str]], *, started: float, ended: float) -> "Health":
        """Return the health after a refresh with these failures (reason, message) by model; MLflow is as before."""
        counts = dict(self.failures)
        for reason in {reason for reason, _ in failures.values()}:
            counts[reason] = counts.get(reason, 0) + 1
        return replace(
            self,
            last_refresh=started,
            last_success=self.last_success if failures else ended,
            duration=ended - started,
            succeeded=not failures,
            failures=counts,
            messages={model: message for model, (_, message) in failures.items()},
        )

    def samples(self, *, series: int) -> Samples:
        """Return the `driftgauge_` families for a page with so many series about models."""
        values = {
            "driftgauge_mlflow_up": self.mlflow_up,
            "driftgauge_refresh_duration_seconds": self.duration,
            "driftgauge_refresh_success": self.succeeded,
            "driftgauge_last_refresh_success_timestamp_seconds": self.last_success,
            "driftgauge_config_last_reload_successful": self.reload_succeeded,
            "driftgauge_config_last_reload_success_timestamp_seconds": self.reloaded,
            "driftgauge_series": series,
            "driftgauge_series_dropped_total": self.dropped,
            "driftgauge_pending_predictions": self.pending,
        }
        samples = {name: [Sample((), float(value))] for name, value in values.items() if value is not None}
        samples["driftgauge_build_info"] = [Sample((__version__, platform.python_version()), 1.0)]
        reasons = [Sample((reason,), float(count)) for reason, count in self.failures.items()]
        return samples | ({"driftgauge_refresh_failures_total": reasons} if reasons else {})
