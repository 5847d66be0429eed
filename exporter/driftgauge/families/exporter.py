"""Families about driftgauge itself."""

from functools import partial
from typing import Final

from driftgauge.families.family import MODEL, families

_itself = partial(families, "The exporter itself")
EXPORTER: Final = (
    *_itself(
        ("version", "python_version"),
        {"driftgauge_build_info": "The running version of driftgauge and Python; the value is always 1."},
        kind="info",
    ),
    *_itself(
        (),
        {
            "driftgauge_mlflow_up": "1 if MLflow answered at the last refresh, else 0; old values are served then.",
            "driftgauge_refresh_duration_seconds": "How long the last refresh took, in seconds.",
            "driftgauge_refresh_success": "1 if the last refresh succeeded for every model, else 0.",
            "driftgauge_last_refresh_success_timestamp_seconds": "Unix time of the last refresh that succeeded; "
            "absent before the first: values on this page are no fresher.",
            "driftgauge_config_last_reload_successful": "1 if the last configuration reload was accepted; 0 means "
            "the old configuration is still in use.",
            "driftgauge_config_last_reload_success_timestamp_seconds": "Unix time of the last accepted configuration.",
            "driftgauge_config_hash": "Hash of the configuration in force, with what registered versions say of it: "
            "replicas that differ watch differently.",
            "driftgauge_series": "Series on this page, those of the exporter's own process left out.",
            "driftgauge_pending_predictions": "Predictions kept until their label arrives or their horizon ends.",
            "driftgauge_pending_labels": "Labels kept until their prediction arrives or their horizon ends.",
            "driftgauge_refresher_up": "1 if the process that refreshes is running, else 0: the last page is served.",
            "driftgauge_shard_ordinal": "Which of the exporters that share the models this one is, counted from 0.",
            "driftgauge_total_shards": "How many exporters share the models; 1 if this one has all.",
        },
    ),
    *_itself(
        ("reason",),
        {
            "driftgauge_refresh_failures_total": "Refreshes that failed for at least one model, by reason.",
            "driftgauge_refresher_restarts_total": "Ends of the process that refreshes, which is started again.",
            "driftgauge_writeback_failures_total": "Results that could not be written to MLflow, by reason; they are "
            "tried again.",
        },
        kind="counter",
    ),
    *_itself(
        MODEL,
        {
            "driftgauge_monitoring_config_last_reload_successful": "1 if the monitoring configuration that the model's "
            "URI means now is in force, 0 if the last good one is, or none; absent without `monitoring`.",
            "driftgauge_writeback_last_success_timestamp_seconds": "Unix time as of which the results of the model "
            "were last written to MLflow; absent before the first and without writeback.",
        },
    ),
    *_itself(
        (*MODEL, "reason"),
        {
            "driftgauge_writeback_waiting_since_timestamp_seconds": "Unix time as of which the oldest result of the "
            "model is that is due and not in MLflow, by why the last try failed; absent while none waits.",
        },
    ),
    *_itself(MODEL, {"driftgauge_segments_dropped": "Segments left out by limits.max_segments; absent without any."}),
    *_itself(
        (),
        {"driftgauge_series_dropped_total": "Series left out because limits.max_series was reached."},
        kind="counter",
    ),
)
