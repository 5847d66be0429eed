"""The section of a model for the configuration file, from what was found, as text that is ready to be pasted."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from driftgauge.batch.roles import spellings_of
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.joining import key_columns
from driftgauge.schema import FEATURE_PREFIXES

_UNUSED: Final = "not used"
_KEY: Final = "request_id"
_TIME: Final = "timestamp"
# A part of a name says so much only for these.
_TELLING: Final = ("prediction", "label")
# A text column with so many values of its own is an id rather than a feature.
_FEW: Final = 20
_CLOSE: Final = 0.8
_LONGEST: Final = 96
_INDENT: Final = " " * 4


def features_to_include(facts: Facts) -> list[str]:
    """Return columns that can be features where none was found: what plays no role but ids, times and lists."""
    has_outcome = any(facts.taken_for(role) for role in ("prediction", "score")) or facts.classes
    if facts.features or not has_outcome:
        return []
    kinds = {"numbers", "whole numbers", "true/false"}
    return [
        column.use.path
        for column in facts.taken_for(_UNUSED)
        if column.kind in kinds or (column.kind == "text" and len(column.sample) <= max(_FEW, column.present // 10))
    ]


def mapped(predictions: Facts, labels: Facts) -> dict[str, Any]:
    """Return the settings by which label rows find their predictions, where names alone do not tell: by equal values.

    Keys: `columns`, and those of the section `labels`.
    """
    found: dict[str, Any] = {"columns": {}, "labels": {}}
    known = predictions.taken_for(_KEY), labels.taken_for(_KEY)
    pair = None if all(known) else key_columns(predictions, labels)
    if pair is not None and not any(known) and _leaf(pair[0]) == _leaf(pair[1]):
        found["labels"]["key"] = [_leaf(pair[0])]
    elif pair is not None:
        found["columns"] |= {} if known[0] else {_KEY: pair[0]}
        found["labels"] |= {} if known[1] else {"columns": {_KEY: pair[1]}}
    label = None if labels.taken_for("label") else _label_of(predictions, labels, other_than=pair[1] if pair else "")
    if label is not None:
        found["labels"]["columns"] = {**found["labels"].get("columns", {}), "label": label}
    return {section: settings for section, settings in found.items() if settings}


def keys_of_times(predictions: Facts, labels: Facts) -> list[list[str]]:
    """Return keys that are worth a try where rows have no id: the time, and with it what else both files have."""
    if not (predictions.taken_for(_TIME) and labels.taken_for(_TIME)):
        return []
    ours, theirs = (
        {_leaf(path) for path, role in facts.columns if _may_identify(role)} for facts in (predictions, labels)
    )
    both = sorted(ours & theirs)
    return [[*both, _TIME], [_TIME]] if both else [[_TIME]]


def _may_identify(role: str) -> bool:
    return role == _UNUSED or role.startswith("feature ")


def _label_of(predictions: Facts, labels: Facts, *, other_than: str) -> str | None:
    """Return the column of labels whose values are classes that are predicted, if there is just one."""
    outcome = predictions.outcomes.get("prediction")
    classes = outcome.classes if outcome is not None else frozenset[str]()
    columns = [column for column in labels.taken_for(_UNUSED) if column.use.path != other_than]
    fitting = [column.use.path for column in columns if column.sample and column.sample <= classes | {"0", "1"}]
    return fitting[0] if len(fitting) == 1 else None


def _leaf(path: str) -> str:
    return path.removeprefix(_prefix(path))


def _prefix(path: str) -> str:
    return next((prefix for prefix in FEATURE_PREFIXES if path.startswith(prefix)), "")


def hints(predictions: Facts | None, labels: Facts | None) -> list[str]:
    """Return lines for the model's section that only its owner can decide on, each with why, to be uncommented."""
    lines = []
    if predictions is not None and predictions.columns:
        lines += _scores(predictions)
        wanted = ["timestamp", "version", "request_id"] if labels is not None else ["timestamp", "version"]
        if not any(predictions.taken_for(role) for role in ("prediction", "score")):
            wanted = ["prediction", *wanted]
        lines += _columns(predictions, wanted)
    if labels is not None and labels.columns and not labels.taken_for("label"):
        lines += [f"labels.{line}" for line in _columns(labels, ["label"])]
    return lines


def _scores(facts: Facts) -> list[str]:
    lines = []
    for note in facts.notes:
        if note.reason == "score_scale":
            found = facts.outcomes.get("score") or facts.outcomes.get("prediction")
            percent = found is not None and found.low >= 0 and found.high <= 100
            seen = f"from {found.low:g} to {found.high:g}" if found is not None else note.example
            lines.append(f"score: {{scale: {'percent' if percent else 'margin'}}}  # scores are {seen}")
        if note.reason == "positive_class":
            names = sorted(facts.outcomes["prediction"].classes) if "prediction" in facts.outcomes else [""]
            lines.append(f"positive_class: {quoted(names[-1])}  # the class whose probability the score is")
    return lines


def _columns(facts: Facts, roles: Sequence[str]) -> list[str]:
    """Return a mapping for each role that has no column, to a column with nearly one of its names."""
    free = {_folded(column.use.path): column.use.path for column in facts.taken_for(_UNUSED)}
    found = {}
    for role in roles:
        if facts.taken_for(role):
            continue
        known = [_folded(name) for name in spellings_of(role)]
        near = [name for name in free if get_close_matches(name, known, n=1, cutoff=_CLOSE)]
        if role in _TELLING:
            near += [name for name in free if any(len(word) > 3 and word in name for word in known)]
        if near:
            found[role] = free[near[0]]
    return [f"columns: {{{role}: {quoted(path)}}}  # is this the {role}?" for role, path in found.items()]


def _folded(path: str) -> str:
    return "".join(character for character in path.rpartition(".")[2].lower() if character.isalnum())


def section(settings: Mapping[str, Any], commented: Sequence[str], *, tracking_uri: str) -> str:
    """Return a configuration with one model of these settings, and below it lines that are comments."""
    lines = []
    if tracking_uri:
        # A variable of the environment stays one.
        shown = f'"{tracking_uri}"' if tracking_uri.startswith("${") else quoted(tracking_uri)
        lines += ["mlflow:", f"  tracking_uri: {shown}"]
    lines.append("models:")
    for at, (key, value) in enumerate(settings.items()):
        lines += _entry("  - " if at == 0 else _INDENT, key, value)
    return "\n".join([*lines, *(f"{_INDENT}# {line}" for line in commented)]) + "\n"


def _entry(lead: str, key: str, value: Any) -> list[str]:
    """Return `key: value` as lines; a list that is too long for one has one for each item."""
    head, inner = f"{lead}{key}:", " " * len(lead)
    if isinstance(value, Mapping):
        if not value:
            return [f"{head} {{}}"]
        return [head, *(line for name, each in value.items() for line in _entry(f"{inner}  ", name, each))]
    if isinstance(value, list):
        flow = f"{head} [{', '.join(map(quoted, value))}]"
        return [flow] if len(flow) <= _LONGEST else [head, *(f"{inner}  - {quoted(item)}" for item in value)]
    return [f"{head} {quoted(value) if isinstance(value, str) else value}"]


def quoted(text: str) -> str:
    """Return text as YAML, in quotes unless it is a plain word that YAML takes for nothing else."""
    plain = text.replace("_", "").replace("-", "").isalpha() and text.isascii() and not text.startswith("-")
    if plain and text.lower() not in {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}:
        return text
    return json.dumps(text, ensure_ascii=False).replace("$", "$$")
