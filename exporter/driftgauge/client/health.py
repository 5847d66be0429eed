"""The health of logging: one snapshot per logger, and the same as Prometheus metrics of the host process.

prometheus-client is needed only for the metrics and is imported when they are registered.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, runtime_checkable

from driftgauge.client import process
from driftgauge.client.counters import Reason

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry


@dataclass(frozen=True, slots=True)
class Health:
    """Counts since the logger was made in this process: rows, except `files_uploaded` and `upload_failures`.

    logged, labels_logged: accepted and written, or about to be. sampled_out: left out by `sample_rate`. dropped: by
    reason. spooled: written to disk. recovered: found in the spool of a process that had ended. uploaded: stored in
    MLflow. buffered: in memory now. spool_bytes, spool_files: waiting now. last_upload: seconds since 1970.
    """

    logged: int
    labels_logged: int
    sampled_out: int
    dropped: Mapping[Reason, int]
    spooled: int
    recovered: int
    uploaded: int
    files_uploaded: int
    upload_failures: int
    buffered: int
    spool_bytes: int
    spool_files: int
    last_upload: float | None


@runtime_checkable
class Reporting(Protocol):
    """What this module needs of a logger."""

    @property
    def labels(self) -> tuple[str, str]:
        """Experiment and model version."""

    def health(self) -> Health:
        """Return its counters."""


class _Metric(NamedTuple):
    name: str
    kind: str
    help: str
    value: Callable[[Health], float | None]


_PREFIX: Final = "driftgauge_client_"
_LABELS: Final = ("experiment", "model_version")
_DROPPED: Final = f"{_PREFIX}rows_dropped"
_METRICS: Final = (
    _Metric("rows_logged", "counter", "Predictions that were taken to be delivered.", lambda h: h.logged),
    _Metric("labels_logged", "counter", "Labels that were taken to be delivered.", lambda h: h.labels_logged),
    _Metric("rows_sampled_out", "counter", "Rows left out by sample_rate.", lambda h: h.sampled_out),
    _Metric("rows_spooled", "counter", "Rows that were written to the spool.", lambda h: h.spooled),
    _Metric("rows_recovered", "counter", "Rows found in the spool of ended processes.", lambda h: h.recovered),
    _Metric("rows_uploaded", "counter", "Rows that MLflow has.", lambda h: h.uploaded),
    _Metric("files_uploaded", "counter", "Files that MLflow has.", lambda h: h.files_uploaded),
    _Metric("upload_failures", "counter", "Attempts to upload that failed.", lambda h: h.upload_failures),
    _Metric("buffer_rows", "gauge", "Rows in memory.", lambda h: h.buffered),
    _Metric("spool_bytes", "gauge", "Bytes of files that wait for MLflow.", lambda h: h.spool_bytes),
    _Metric("spool_files", "gauge", "Files that wait for MLflow.", lambda h: h.spool_files),
    _Metric("last_upload_timestamp_seconds", "gauge", "When MLflow last took a file.", lambda h: h.last_upload),
)


class ClientCollector:
    """A prometheus-client collector of the loggers of this process; in a forked child it shows those of the child."""

    def describe(self) -> Iterator[Any]:
        """Yield the families without samples."""
        return _families({})

    def collect(self) -> Iterator[Any]:
        """Yield the families; loggers for the same experiment and model version are summed."""
        loggers: dict[tuple[str, str], list[Health]] = defaultdict(list)
        for member in process.members():
            if isinstance(member, Reporting):
                loggers[member.labels].append(member.health())
        return _families(loggers)


def register_metrics(registry: "CollectorRegistry | None" = None) -> None:
    """Add the metrics of all loggers of this process to a registry, prometheus-client's own by default; once is enough.

    Raises ValueError when they are there already.
    """
    from prometheus_client import REGISTRY  # noqa: PLC0415 - only hosts that expose metrics have it

    (registry or REGISTRY).register(ClientCollector())


def _families(loggers: Mapping[tuple[str, str], list[Health]]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - as above

    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
    for metric in _METRICS:
        family = kinds[metric.kind](f"{_PREFIX}{metric.name}", metric.help, labels=_LABELS)
        for labels, found in loggers.items():
            values = [value for value in map(metric.value, found) if value is not None]
            if values:
                family.add_metric(labels, max(values) if metric.name.startswith("last_") else sum(values))
        yield family
    dropped = CounterMetricFamily(_DROPPED, "Rows that were lost, by reason.", labels=(*_LABELS, "reason"))
    for labels, found in loggers.items():
        for reason in found[0].dropped:
            dropped.add_metric((*labels, reason), sum(health.dropped[reason] for health in found))
    yield dropped
