"""Where to look first: slices whose labelled rows became worse, and the rows that are most unlike the reference's."""

from typing import Any

from driftgauge.report.performance import whole
from driftgauge.report.subject import Chosen
from driftgauge.report.times import moment
from driftgauge.signals import Basis
from driftgauge.signals.slices import fit
from driftgauge.snapshot import slice_concepts, unusual_rows, visible


def slices(chosen: Chosen) -> dict[str, Any]:
    """Return the slices that became worse, the one that rose most first, with what each adds to the mean loss."""
    here = (chosen.version, chosen.window.name)
    lower = _of_slices(chosen, "model_segment_degradation_lower")
    performance = _of_slices(chosen, "model_segment_performance")
    rows = {key[0]: value for key, value in chosen.found.of_segments("model_segment_rows").items() if key[1:3] == here}
    parts = _concepts(chosen) if rows else {}
    names = sorted(rows, key=lambda name: (-lower.get(name, ("", 0.0))[1], name))
    return {
        "worse": whole(chosen.value("model_segments_worse")),
        "metric": next((metric for metric, _ in performance.values()), None),
        "items": [
            {
                "slice": name,
                "rows": int(rows[name]),
                "performance": performance[name][1] if name in performance else None,
                "degradation_lower": lower[name][1] if name in lower else None,
                "concept_part": parts.get(name),
            }
            for name in names
        ],
    }


def _of_slices(chosen: Chosen, family: str) -> dict[str, tuple[str, float]]:
    """Return metric and value by slice."""
    found = chosen.found.of_segments(family)
    here = (chosen.version, chosen.window.name)
    return {key[0]: (key[3], value) for key, value in found.items() if key[1:3] == here}


def _concepts(chosen: Chosen) -> dict[str, float]:
    subject = chosen.subject
    signal = fit(Basis(subject.state.config, subject.limits, chosen.reference))
    if signal is None:
        return {}
    panes = visible(subject.state.outcomes, chosen.version, chosen.window, windows=subject.windows, now=subject.now)
    return slice_concepts(signal, panes)


def unusual(chosen: Chosen) -> dict[str, Any]:
    """Return the share of rows far from the reference's center, and the most unusual of them with their request ids."""
    subject = chosen.subject
    found = unusual_rows(
        subject.state,
        version=chosen.version,
        window=chosen.window,
        windows=subject.windows,
        limits=subject.limits,
        now=subject.now,
    )
    levels = ("0.99", "0.999")
    return {
        "ratios": {
            level: value for level in levels if (value := chosen.value("model_anomalous_rows_ratio", level)) is not None
        },
        "items": [
            {
                "request_id": row.request,
                "time": moment(row.time),
                "distance": row.distance,
                "features": list(row.columns),
            }
            for row in found
        ],
    }
