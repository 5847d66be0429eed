"""Findings as text for a terminal of 100 columns."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Final

from driftgauge.config import format_duration
from driftgauge.inspection.findings import (
    ColumnFinding,
    FilesFinding,
    Findings,
    LabelsFinding,
    Publication,
    ReferenceFinding,
)

WIDTH: Final = 100
_SHOWN: Final = 3
_WIDTHS: Final = (26, 22, 7, 17)


def as_json(found: Sequence[Findings]) -> str:
    """Return findings as a JSON array."""
    return json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False) + "\n"


def render(found: Findings) -> str:
    """Return all that was found, and what to paste."""
    parts = [
        [f"Model {found.model}: {found.task} ({found.task_why})"],
        *(list(_files(files)) for files in found.files),
        list(_labels(found.labels)) if found.labels else [],
        list(_reference(found.reference)) if found.reference else [],
        list(_publication(found.publication)),
        ["What to do", *_bulleted(found.remedies)] if found.remedies else [],
        ["To paste into driftgauge.yml", "", *found.config.splitlines()] if found.config else [],
    ]
    return "\n\n".join("\n".join(_printable(line.rstrip()) for line in part) for part in parts if part) + "\n"


def _files(found: FilesFinding) -> Iterator[str]:
    more = len(found.files) - _SHOWN + found.left
    names = f"{', '.join(found.files[-_SHOWN:])}{_others(more)}"
    yield from _wrapped(f"{found.role.capitalize()}: {names}", "")
    times = f", of {found.oldest} to {found.newest}" if found.newest else ""
    unread = f"; the newest {len(found.files)} files were read" if found.left else ""
    if found.rows or not found.problems:
        yield f"  {many(found.rows, 'row')}, {found.usable:,} usable{times}{unread}"
    for path, problem in found.problems.items():
        yield from _wrapped(f"! {path}: {problem}")
    if found.columns:
        yield from _table(found.columns)
    if found.unused:
        yield "  Not used"
        for column in found.unused:
            yield from _wrapped(f"{column.column} (like {column.example}): {column.why}", "    ")
    for rejected in found.rejected:
        yield f"  ! Rejected, {rejected.reason}: {many(rejected.rows, 'row')}"
        for row in rejected.examples:
            where = f"{row.file} row" if len(found.files) > 1 else "row"
            yield from _wrapped(f"{where} {row.row}: {row.shown or 'nothing that could be read'}", "      ")
    yield from (line for doubt in found.doubts for line in _wrapped(f"! {doubt}"))


def _table(columns: Sequence[ColumnFinding]) -> Iterator[str]:
    rows = [("column", "taken for", "missing", "example", "why"), *map(_cells, columns)]
    widths = [min(most, max(len(row[at]) for row in rows)) for at, most in enumerate(_WIDTHS)]
    for row in rows:
        line = "  " + "  ".join(_cut(text, width).ljust(width) for text, width in zip(row, widths, strict=False))
        if len(line) + 2 + len(row[-1]) <= WIDTH:
            yield f"{line}  {row[-1]}"
        else:
            yield line
            yield from _wrapped(row[-1], "      ")


def _cells(column: ColumnFinding) -> tuple[str, ...]:
    taken = f"feature, {column.kind}" if column.taken_for.startswith("feature ") else column.taken_for
    why = f"{column.why}; {column.unit}" if column.unit else column.why
    return column.column, taken, _percent(column.missing), column.example, why


def _percent(share: float) -> str:
    if 0 < share < 0.01:
        return "<1%"
    return f"{share:.0%}" if share in (0, 1) or share < 0.99 else f"{share:.1%}".replace("100.0%", ">99.9%")


def _labels(found: LabelsFinding) -> Iterator[str]:
    share = f" ({_percent(found.matched / found.labels)})" if found.labels else ""
    yield f"Labels and predictions: {found.matched:,} of {found.labels:,} labels have the key of a prediction{share}"
    yield f"  {found.joined:,} were joined"
    if found.shared:
        yield from _wrapped(
            f"{many(found.shared, 'label')} share their key with others: such rows join in order, where a file of "
            "labels has as many rows of a key as a file of predictions; better log an id for each row"
        )
    if None not in (found.delay_median, found.delay_least, found.delay_most):
        middle, least, most = map(_duration, (found.delay_median, found.delay_least, found.delay_most))
        yield f"  they come {middle} after the prediction (median; from {least} to {most})"
    for name, key in (("label", found.unmatched_label), ("prediction", found.unmatched_prediction)):
        if key:
            yield from _wrapped(f"a {name} without its {'prediction' if name == 'label' else 'label'}: {key}")
    if found.remedy:
        yield from _wrapped(f"! {found.remedy}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + _others(len(names) - _SHOWN)


def _others(count: int) -> str:
    return f" and {many(count, 'other')}" if count > 0 else ""


def many(count: int, thing: str) -> str:
    """Return a number of things, in words."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _duration(seconds: float | None) -> str:
    value = seconds or 0.0
    shown = format_duration(round(abs(value)))
    if round(value) == 0:
        return "less than 1s"
    return f"-{shown}" if value < 0 else shown


def _reference(found: ReferenceFinding) -> Iterator[str]:
    yield from _wrapped(f"Reference {found.uri}", "")
    yield f"  {many(found.rows, 'row')}, {many(found.features, 'feature')}, {found.in_both} of them in live rows"
    for where, names in (("live rows", found.only_live), ("the reference", found.only_reference)):
        if names:
            yield from _wrapped(f"! only in {where}: {_listed(names)}")
    yield from (line for each in found.lines for line in _wrapped(f"! {each}"))


def _publication(found: Publication) -> Iterator[str]:
    yield f"Published, as of {found.at}: {found.series:,} series"
    for group in found.groups:
        of = f", versions {', '.join(group.versions)}" if group.versions else ""
        windows = f", windows {', '.join(group.windows)}" if group.windows else ""
        yield from _wrapped(
            f"{group.group}: {many(len(group.families), 'metric')}, {group.series:,} series{of}{windows}"
        )
    if found.values:
        shown = ", ".join(f"{name} {_number(value)}" for name, value in found.values.items())
        yield from _wrapped(f"for instance {shown}")
    if found.absent:
        yield "Absent"
        for absence in found.absent:
            yield from _wrapped(f"{absence.why}: {_listed(absence.families)}")
    yield from (line for warning in found.said for line in _wrapped(f"! {warning}"))


def _bulleted(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield from _wrapped(f"- {line}")


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ") or [""]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _printable(text: str) -> str:
    """Return a line that can only be read: what people log must not steer the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
