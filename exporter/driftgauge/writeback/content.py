"""What is written of the versions of a model: metrics, tags and files, by what alerts and the landing page say. Pure.

Names that come from data may be anything. They are values of tags and of JSON, quoted where they have more than
printable characters; no name of a metric, a tag, a file or a filter is made of them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from driftgauge.config import ModelConfig
from driftgauge.samples import Sample, Samples
from driftgauge.source import Result, registered_name
from driftgauge.writeback.metrics import metrics_of

HEALTHY: Final = "healthy"
ACTION_REQUIRED: Final = "action_required"
# Nothing could be judged, so nothing is known to be well either.
UNJUDGED: Final = "unjudged"
ALERTS_FILE: Final = "alerts.json"
REPORT_FILE: Final = "report.html"
# By which a run tells whether findings are others than those it has.
FINDINGS_TAG: Final = "driftgauge.findings"
_FORMAT: Final = 1
# Characters of a tag with names; what a person reads in a list of runs.
_MOST_NAMES: Final = 500
# Any of these says that a version was judged.
_JUDGED: Final = ("model_drift_detected", "model_prediction_drift_detected", "model_performance_degradation")
_ROWS: Final = ("model_window_predictions", "model_window_labels")
_PRESENT: Final = "model_predictions_total"
_MILLISECOND: Final = 1_000


# An alert that holds, as JSON values: `alert`, `severity`, what it says, and `version`, "" where it is of all of them.
Finding = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a model at `now` (µs since 1970).

    windows: the name of the window of each kind of alert. findings: the gravest first. judged: whether anything of the
    model could be judged. report: renders the page on a version, None where there is none.
    """

    model: ModelConfig
    samples: Samples
    now: int
    windows: Mapping[str, str]
    findings: Sequence[Finding]
    judged: bool
    report: Callable[[str], bytes] | None = None


def results(known: Known) -> Iterator[Result]:
    """Yield what is written of each version with rows in a window, and of the newest, which alerts go on about."""
    writeback = known.model.writeback
    if writeback is None:
        return
    day = datetime.fromtimestamp(known.now / 1_000_000, UTC).date().isoformat()
    for version in _versions(known.samples):
        found = [each for each in known.findings if each["version"] in {"", version}]
        status = _status(known, version, found)
        yield Result(
            experiment=writeback.experiment,
            key=_digest([known.model.name, version, day]),
            name=f"{_plain(known.model.name)} {_plain(version)} {day}",
            registered=(_registry_name(known.model), version) if version.isdigit() else None,
            at=known.now // _MILLISECOND,
            status=status,
            tags={
                "driftgauge.model": _plain(known.model.name),
                "driftgauge.version": _plain(version),
                "driftgauge.day": day,
                "driftgauge.windows": ", ".join(f"{kind} {name}" for kind, name in known.windows.items()),
                "drifted_features": _drifted(known, version),
                "alerts": _listed([each["alert"] for each in found]),
                FINDINGS_TAG: _digest(sorted([each["alert"], each["severity"], each["version"]] for each in found)),
            },
            metrics=metrics_of(known.samples, version, known.windows),
            files=partial(_files, known, version, status, found),
            shown=REPORT_FILE if known.report else ALERTS_FILE,
        )


def _versions(samples: Samples) -> list[str]:
    """Return versions in the order of their newest prediction."""
    present = [sample.labels[1] for sample in samples.get(_PRESENT, ())]
    active = {
        sample.labels[1]
        for family in _ROWS
        for sample in samples.get(family, ())
        if isinstance(sample, Sample) and sample.value and not sample.segment
    }
    return [version for place, version in enumerate(present) if place == 0 or version in active]


def _status(known: Known, version: str, found: Sequence[Finding]) -> str:
    if found:
        return ACTION_REQUIRED
    judged = known.judged and any(
        sample.labels[1] == version for family in _JUDGED for sample in known.samples.get(family, ())
    )
    return HEALTHY if judged else UNJUDGED


def _drifted(known: Known, version: str) -> str:
    """Return the features that drifted in the window of the alerts on drift, as far as a tag holds them."""
    wanted = version, known.windows["drift"]
    flags = {
        sample.labels[3]: sample.value
        for sample in known.samples.get("model_feature_drift_detected", ())
        if isinstance(sample, Sample) and not sample.segment and sample.labels[1:3] == wanted
    }
    return _listed(sorted(name for name, flag in flags.items() if flag)) if flags else "not judged"


def _listed(names: Sequence[str]) -> str:
    """Return names with commas between them, and how many more there are when they are too many."""
    text = ""
    for place, name in enumerate(map(_plain, names)):
        longer = f"{text}, {name}" if text else name
        if len(longer) > _MOST_NAMES:
            return f"{text} and {len(names) - place} more" if text else f"{len(names)} names too long for a tag"
        text = longer
    return text or "none"


def _plain(name: str) -> str:
    """Return a name as it is, or quoted where it could be taken for several or for none."""
    is_plain = name.isprintable() and name.strip() == name and name and not set(name) & {",", '"'}
    return name if is_plain else json.dumps(name)


def _files(known: Known, version: str, status: str, found: Sequence[Finding]) -> dict[str, bytes]:
    document = {
        "format": _FORMAT,
        "model": known.model.name,
        "version": version,
        "at": datetime.fromtimestamp(known.now / 1_000_000, UTC).isoformat(),
        "status": status,
        "windows": dict(known.windows),
        "findings": list(found),
    }
    alerts = {ALERTS_FILE: json.dumps(document, indent=1, ensure_ascii=False).encode()}
    return {REPORT_FILE: known.report(version), **alerts} if known.report else alerts


def _registry_name(model: ModelConfig) -> str:
    named = registered_name(model.reference.uri) if model.reference else None
    return named or model.name


def _digest(values: Sequence[Any]) -> str:
    return blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
