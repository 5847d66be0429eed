"""The data behind the figures: which labels came and when, what was missing, and what could not be read."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from driftgauge.config.units import format_duration
from driftgauge.families import LABEL_DELAY_BUCKETS
from driftgauge.report.performance import whole
from driftgauge.report.subject import Chosen
from driftgauge.report.times import moment

_QUANTILES: Final = ("0.5", "0.9", "0.99")
MOST_SAID: Final = 20


def labels(chosen: Chosen) -> dict[str, Any]:
    """Return how many predictions have their label, and how long labels take."""
    state = chosen.subject.state
    return {
        "labels": whole(chosen.value("model_window_labels")),
        "coverage": chosen.value("model_label_ratio"),
        "match_ratio": state.joining.match_ratio,
        "waiting_predictions": state.joining.predictions,
        "waiting_labels": state.joining.waiting,
        "last_label": moment(state.totals.last_label),
        "delay": _delay(chosen),
    }


def _delay(chosen: Chosen) -> dict[str, Any] | None:
    """Return of all labels of the version so far the mean delay (s), and the share that came within each bound."""
    totals = chosen.subject.state.totals.versions.get(chosen.version)
    delay = totals.label_delay if totals else None
    if delay is None or not delay.total:
        return None
    ends = np.cumsum(delay.counts)[:-1] / delay.total
    within = {format_duration(bound): float(end) for bound, end in zip(LABEL_DELAY_BUCKETS, ends.tolist(), strict=True)}
    return {"labels": delay.total, "mean_seconds": delay.sum / delay.total, "within": within}


def quality(chosen: Chosen) -> dict[str, Any]:
    """Return what was missing or failed in the window, and what of the model's files is in no figure."""
    totals = chosen.subject.state.totals
    return {
        "missing_ratio": chosen.value("model_missing_ratio"),
        "outlier_ratio": chosen.value("model_outlier_ratio"),
        "error_ratio": chosen.value("model_error_ratio"),
        "latency_seconds": {
            quantile: value
            for quantile in _QUANTILES
            if (value := chosen.value("model_latency_quantile_seconds", quantile)) is not None
        },
        "rows_rejected": _by_count(totals.rejected),
        "files_set_aside": _by_count(totals.failures),
        "files_not_read": totals.unread,
        "duplicate_files": totals.duplicates,
        "batches": totals.batches,
        "last_batch": moment(totals.last_batch),
        "said": [
            {
                "what": each.what,
                "reason": each.reason,
                "subject": each.subject,
                "example": each.example,
                "text": each.text,
                "file": each.file,
                "files": each.count,
                "last": moment(int(each.last * 1_000_000)),
            }
            for each in chosen.subject.said[:MOST_SAID]
        ],
    }


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
