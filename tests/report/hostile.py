"""Documents in which every name is meant to break out of its place."""

from typing import Any, Final

HOSTILE: Final = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> ' onmouseover='alert(2)",
    "line\nbreak | pipe `code` **bold** [link](javascript:alert(1)) \\ {{ 7 * 7 }} ]]>",
    "</title></style><svg onload=alert(3)>",
    "x" * 10_000,
)


def hostile(value: Any, name: str) -> Any:
    """Return a document in which each free text is another name; words that have to be known, and numbers, stay."""
    match value:
        case dict():
            return {_key(key, name): below if key in _FIXED else hostile(below, name) for key, below in value.items()}
        case list():
            return [hostile(below, name) for below in value]
        case str():
            return name
    return value


# What `document` gives as one of a few words, as a number in a text, or as keys that renderings look up.
_FIXED: Final = frozenset(
    {"task", "status", "severity", "kind", "better", "metric", "start", "end", "last_prediction", "last_label", "day"}
    | {"days", "time", "last", "last_batch", "statistics", "impact_metric", "edges", "metrics", "estimated", "summary"}
    | {"windows", "latency_seconds", "ratios", "within"}
)


def _key(key: str, name: str) -> str:
    return name if key == "bad_label" else key
