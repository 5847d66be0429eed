"""The verdict in one sentence, from what holds and from what was measured."""

from typing import Any

from driftgauge.report.performance import is_unmeasured
from driftgauge.report.subject import Chosen

_MOST_NAMED = 3


def sentence(chosen: Chosen, document: dict[str, Any]) -> str:
    """Return what to know of the model when there is time for one sentence."""
    if chosen.subject.findings:
        return _of_findings(chosen)
    if not chosen.version:
        return "Nothing can be said yet: no prediction of this model was read."
    known = [*_performance(chosen, document), *_drift(chosen, document)]
    if not known:
        return f"No alert holds, and version {chosen.version} cannot be judged yet: {_why(document)}."
    unmeasured = [_unmeasured(document)] if is_unmeasured(document["performance"]) else []
    return f"No alert holds for version {chosen.version}: {', '.join([*unmeasured, *known])}."


def _of_findings(chosen: Chosen) -> str:
    first, *others = chosen.subject.findings
    # The sentence that follows tells on how many rows.
    said = f"{first.severity.capitalize()}: {first.sentence.partition('. ')[0].rstrip('.')}"
    names = list(dict.fromkeys(each.alert for each in others if each.alert != first.alert))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    if names:
        return f"{said} (besides: {', '.join(names[:_MOST_NAMED])}{more})."
    return f"{said} ({len(others)} more of this alert)." if others else f"{said}."


def _performance(chosen: Chosen, document: dict[str, Any]) -> list[str]:
    rows = document["performance"]["metrics"]
    measured = next((row for row in rows if row["value"] is not None), None)
    if measured is not None:
        against = "" if measured["baseline"] is None else f" against a baseline of {measured['baseline']:.4g}"
        count = document["performance"]["labels"]
        return [f"{measured['metric']} is {measured['value']:.4g}{against} on {count:,} labels in {chosen.window.name}"]
    expected = next((row for row in rows if row["estimated"] is not None), None)
    if expected is None:
        return []
    return [
        f"{expected['metric']} is expected to be {expected['estimated']:.4g}, without labels, in {chosen.window.name}"
    ]


def _drift(chosen: Chosen, document: dict[str, Any]) -> list[str]:
    drifted, monitored = document["features"]["drifted"], document["features"]["monitored"]
    if not monitored:
        return []
    return [f"{drifted or 0} of {monitored} features drifted in {chosen.window.name}"]


def _unmeasured(document: dict[str, Any]) -> str:
    return f"its {document['performance']['labels']:,} labels in the window give no figures of performance"


def _why(document: dict[str, Any]) -> str:
    lacking = []
    if not document["reference"]["rows"]:
        lacking.append("it has no reference")
    without = is_unmeasured(document["performance"])
    lacking.append(_unmeasured(document) if without else "no labels came in the window")
    if not document["period"]["predictions"]:
        lacking.append("no predictions came in the window")
    return ", ".join(lacking)
