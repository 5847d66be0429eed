"""What is said of features that are not read, or not in full: the column, an example of it and the remedy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from driftgauge.batch.kinds import Shown
from driftgauge.batch.lists import MAX_LIST
from driftgauge.batch.values import MAX_EXAMPLE, example_of
from driftgauge.columns import BoolArray, Note

_NAMED: Final = 8


def left_out(path: str, column: Any, shown: Shown) -> Note:
    """Return that a feature is not compared, and why; a reference may say so of any values."""
    name = _last(path)
    texts = {
        "dates": "dates and times are not compared, since later ones are always new; derive a number from it, "
        f"features: {{include: [{{column: {name}, as: age_days}}]}} (or hour, weekday)",
        "documents": "JSON text is not read; log its fields below features",
    }
    otherwise = "identifiers and text of which each value is another are not compared"
    text = f"{texts.get(shown.most(), otherwise)}, or leave it out: features: {{exclude: [{name}]}}"
    return Note("feature_left_out", path, example_of(column), text)


def unreadable(path: str, column: Any, bad: BoolArray, *, none_counts: bool = False) -> Note | None:
    """Return that some cells (n,) of a column of numbers are none, if there are any.

    none_counts: the other cells are a biased remainder, and so all are missing.
    """
    so = "these count as missing values"
    if none_counts:
        so = "they are numbers in another notation, so that the others alone would be a biased sample: all are missing"
    return _of_cells("unreadable_cells", path, column, bad, (
        f"{int(bad.sum())} of {len(bad)} cells are no numbers in a column of numbers; {so}; write plain numbers, "
        f"leave such cells empty, or make it a category: features: {{categorical: [{_last(path)}]}}"
    ))  # fmt: skip


def no_date(path: str, column: Any, bad: BoolArray) -> Note | None:
    """Return that some cells (n,) of a column that a feature derives from are no dates, if there are any."""
    text = f"{int(bad.sum())} cells are no dates and count as missing values; write ISO 8601"
    return _of_cells("unreadable_cells", path, column, bad, text)


def no_time(path: str, column: Any, name: str) -> Note:
    """Return that there is no time up to which an age could be counted."""
    text = f'the file has no column of times, so "{name}" has no values in it; add one such as timestamp, or map it'
    return Note("age_without_time", path, example_of(column), text)


def not_read(path: str, length: int) -> Note:
    """Return that a column of lists, objects or bytes is not read; length: of its lists, 0 where that differs."""
    example = f"a list of {length}" if length else "a list, an object or bytes"
    text = f"only plain values, objects and lists of one length up to {MAX_LIST} are read; log its parts one by one, or"
    return Note("feature_not_read", path, example, f"{text} leave it out: features: {{exclude: [{_last(path)}]}}")


def no_object(path: str, column: Any) -> Note:
    """Return that a column that should hold objects holds plain values."""
    text = "plain values are no features; log an object, or JSON text of one, below it"
    return Note("feature_not_read", path, example_of(column), text)


def unused_columns(columns: Sequence[tuple[str, Any]]) -> Note:
    """Return that a file has no feature, but columns that could be some."""
    first, column = columns[0]
    names = _listed(path for path, _ in columns)
    text = (
        f"no column is known to be a feature, so {names} are not used; name those that are, "
        f"features: {{include: [{names}]}}, or set reference.uri"
    )
    return Note("no_features", first, example_of(column), text)


def nothing_in_common(known: Iterable[str], found: Sequence[str]) -> Note:
    """Return that a file has none of the reference's features; found: what it has."""
    first, *_ = (*found, "")
    text = (
        f"the file has none of the reference's features ({_listed(known)}), but {_listed(found) or 'no others'}; give "
        "them the same names on both sides"
    )
    return Note("features_not_in_reference", first, "", text)


def unusable_reference(reason: str, column: str, count: int) -> Note:
    """Return that `count` rows of a reference have predictions or labels that the task cannot use."""
    text = f"{count} rows of the reference have a value here that the task cannot use, so there is no baseline"
    return Note(f"reference_{reason}", column, "", f"{text}; correct them, or map the column that is meant: columns: …")


def no_such_feature(feature: str, segments: Sequence[str]) -> Note:
    """Return that segments have conditions on a feature that a file does not have."""
    text = f"no row of the file has this feature, so none is in segments {_listed(segments)}; name a feature"
    return Note("segment_without_feature", feature, "", text)


def absent(
    names: Sequence[str],
    known: frozenset[str],
    unused: Sequence[tuple[str, Any]],
    segments: Mapping[str, Mapping[str, object]],
) -> Iterator[Note]:
    """Yield what is to be said where a file has none of the features it should have.

    names: the features it has. known: those of the reference. unused: its columns that are none, with their values.
    segments: by name, what their features must be.
    """
    if not names and not known and unused:
        yield unused_columns(unused)
    if known and known.isdisjoint(names) and (names or unused):
        yield nothing_in_common(sorted(known), sorted(names) or [path for path, _ in unused])
    asked: dict[str, list[str]] = {}
    for segment, conditions in segments.items():
        for feature in conditions.keys() - set(names):
            asked.setdefault(feature, []).append(segment)
    yield from (no_such_feature(feature, named) for feature, named in sorted(asked.items()))


def _of_cells(reason: str, path: str, column: Any, bad: BoolArray, text: str) -> Note | None:
    if not bad.any():
        return None
    return Note(reason, path, example_of(column.slice(int(np.flatnonzero(bad)[0]), 1)), text)


def _last(path: str) -> str:
    """Return how the configuration names a column's feature."""
    for prefix in ("features.", "inputs.", "feature_"):
        if path.startswith(prefix) and not path.removeprefix("feature_").isdecimal():
            return path.removeprefix(prefix)
    return path


def _listed(names: Iterable[str]) -> str:
    found = [name[:MAX_EXAMPLE] for name in names]
    return ", ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
