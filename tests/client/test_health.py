"""Logging tells how it fares, as values and as metrics of the host process."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from client.conftest import OfflineLogger
from driftgauge.client import register_metrics


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Return what a scrape shows of the loggers for /e: name and reason -> value."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    return {
        tuple(filter(None, (sample.name.removeprefix("driftgauge_client_"), sample.labels.get("reason")))): sample.value
        for sample in samples
        if (sample.labels["experiment"], sample.labels["model_version"]) == ("/e", "1")
    }


def test_metrics_are_those_of_the_loggers(offline: OfflineLogger) -> None:
    """Loggers for the same model version are summed; what never happened has no time."""
    registry = CollectorRegistry()
    register_metrics(registry)
    first, second = offline(), offline(max_buffer_rows=10)
    first.log({}, 1)
    second.log_batch({}, [1, 0])
    second.log_batch({}, [1] * 11)
    second.log_labels(["a"], [1])
    assert first.flush(60)
    assert second.flush(60)
    assert not first.flush(60, upload=True)

    found = scraped(registry)
    assert (found["rows_logged_total",], found["labels_logged_total",]) == (3, 1)
    assert (found["rows_spooled_total",], found["spool_files",]) == (4, 3)
    assert found["rows_dropped_total", "buffer_full"] == 11
    assert found["rows_dropped_total", "invalid"] == 0
    assert found["upload_failures_total",] >= 1
    assert found["rows_uploaded_total",] == found["buffer_rows",] == 0
    assert found["spool_bytes",] == first.health().spool_bytes + second.health().spool_bytes > 0
    assert ("last_upload_timestamp_seconds",) not in found


def test_a_closed_logger_is_gone(offline: OfflineLogger) -> None:
    """Its counters end with it, as those of a process do."""
    registry = CollectorRegistry()
    register_metrics(registry)
    serving = offline()
    assert scraped(registry)["rows_logged_total",] == 0
    serving.close(60)
    assert scraped(registry) == {}


def test_registering_twice_is_refused() -> None:
    """Every series would be there twice."""
    registry = CollectorRegistry()
    register_metrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        register_metrics(registry)
