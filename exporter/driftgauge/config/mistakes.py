"""Turns pydantic's errors (a location and a kind) into lines of the file and sentences for people."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic_core import ErrorDetails

from driftgauge.config.document import ParsedFile
from driftgauge.config.section import Section
from driftgauge.config.wording import Mistake, Path, RuleError, quoted, shown, suggestion

# pydantic ends a location with this when the key itself, not its value, broke a rule.
_OF_THE_KEY: Final = "[key]"

_WHAT_TO_WRITE: Final = {
    "models": "list at least one model, with name and predictions",
    "name": "every model needs one",
    "predictions": "say where they are, like predictions: {experiment: /monitoring/churn}",
    "experiment": "name the MLflow experiment, like /monitoring/churn, or set files to a folder",
    "writeback.experiment": "name the MLflow experiment for results, like /monitoring/churn-results",
    "uri": 'say where the data is, like "models:/churn@champion/reference.parquet"',
    "url": "write the address, like https://example.com/alerts",
}


def mistake(error: ErrorDetails, document: ParsedFile, section: type[Section]) -> Mistake:
    """Return the mistake behind one of pydantic's errors on the values of `document`, read as a `section`."""
    path: Path = error["loc"]
    if path and path[-1] == _OF_THE_KEY:
        path = path[:-1]
    seen = shown(document.masked.get(path, error["input"]))
    if error["type"] == "extra_forbidden":
        text = _unknown_key(path, section)
    else:
        text = _SENTENCES.get(error["type"], _as_pydantic_says)(error, path, seen)
    rule = error.get("ctx", {}).get("error")
    if isinstance(rule, RuleError):
        path += rule.at
    return Mistake(line_at(path, document.lines), path, _masked(text, path, document))


def _masked(text: str, path: Path, document: ParsedFile) -> str:
    """Return a sentence in which the values at or below a path are shown as they may be: rules repeat them."""
    for place, mask in document.masked.items():
        if place[: len(path)] == path:
            value: Any = document.values
            for step in place:
                value = value[step]
            text = text.replace(quoted(value), quoted(mask)).replace(shown(value), quoted(mask))
    return text


def line_at(path: Path, lines: Mapping[Path, int]) -> int:
    """Return the line of a path, or of the nearest thing around it that is in the file."""
    return next(lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines)


def _unknown_key(path: Path, section: type[Section]) -> str:
    fields = _section_at(path[:-1], section).model_fields
    names = [field.alias or name for name, field in fields.items()]
    key = str(path[-1])
    return f"unknown key {quoted(key)}; {suggestion(key, names, 'keys')}"


def _section_at(path: Path, section: type[Section]) -> type[Section]:
    """Return the section that a path leads to: over fields, positions in lists, and keys of mappings to sections."""
    steps = iter(path)
    for step in steps:
        if isinstance(step, str):
            annotation = section.model_fields[step].annotation
            section = next(_sections_in(annotation))
            if get_origin(annotation) is dict:
                next(steps)
    return section


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the section classes in an annotation: `Labels` in `Labels | None`, `ModelConfig` in a tuple of them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections_in(part)


def _missing(_error: ErrorDetails, path: Path, _seen: str) -> str:
    key = str(path[-1])
    return f"is missing; {_WHAT_TO_WRITE.get('.'.join(map(str, path[-2:])), _WHAT_TO_WRITE[key])}"


def _choice(error: ErrorDetails, _path: Path, seen: str) -> str:
    choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    near = suggestion(str(error["input"]), choices, "values")
    return f"unknown value {seen}; {near}"


def _text(error: ErrorDetails, _path: Path, seen: str) -> str:
    remedy = "; put it in quotes" if isinstance(error["input"], int | float) else ""
    return f"must be text, but is {seen}{remedy}"


def _rule(error: ErrorDetails, _path: Path, seen: str) -> str:
    rule = error["ctx"]["error"]
    return str(rule) if isinstance(rule, RuleError) else f"{rule}, but is {seen}"


def _must_be(what: str) -> Callable[[ErrorDetails, Path, str], str]:
    def sentence(error: ErrorDetails, _path: Path, seen: str) -> str:
        return f"must be {what.format_map(error.get('ctx', {}))}, but is {seen}"

    return sentence


def _must_not_be_empty(_error: ErrorDetails, _path: Path, _seen: str) -> str:
    return "must not be empty"


def _too_long(error: ErrorDetails, _path: Path, _seen: str) -> str:
    return f"must have at most {error['ctx']['max_length']} characters, but has {len(error['input'])}"


def _as_pydantic_says(error: ErrorDetails, _path: Path, seen: str) -> str:
    return f"{error['msg']}, but is {seen}"


_SENTENCES: Final[dict[str, Callable[[ErrorDetails, Path, str], str]]] = {
    "missing": _missing,
    "literal_error": _choice,
    "value_error": _rule,
    "model_type": _must_be("a mapping of keys to values"),
    "dict_type": _must_be("a mapping of keys to values"),
    "tuple_type": _must_be("a list, like [a, b]"),
    "string_type": _text,
    "int_type": _must_be("a whole number"),
    "int_parsing": _must_be("a whole number"),
    "int_parsing_size": _must_be("a whole number of usual size"),
    "int_from_float": _must_be("a whole number"),
    "bool_type": _must_be("true or false"),
    "bool_parsing": _must_be("true or false"),
    "float_type": _must_be("a number"),
    "float_parsing": _must_be("a number"),
    "finite_number": _must_be("a finite number"),
    "greater_than": _must_be("more than {gt:.12g}"),
    "greater_than_equal": _must_be("at least {ge:.12g}"),
    "less_than": _must_be("less than {lt:.12g}"),
    "less_than_equal": _must_be("at most {le:.12g}"),
    "string_unicode": _must_be("text without broken characters"),
    "string_too_short": _must_not_be_empty,
    "string_too_long": _too_long,
}
