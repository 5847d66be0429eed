"""What is said of rows that cannot be used: the reason, the column, the value of the first such row, and the remedy."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from driftgauge.batch.reasons import CODES, ReasonArray
from driftgauge.batch.roles import Roles
from driftgauge.batch.rows import Rows
from driftgauge.batch.values import example_of, first_present
from driftgauge.batch.zones import UTC
from driftgauge.columns import BoolArray, IntArray, Note

_MICROSECONDS: Final = 1_000_000
# Clocks on earth are at most so far ahead of UTC, and whole quarters of an hour apart.
_FARTHEST_ZONE: Final = timedelta(hours=14)
_QUARTER: Final = timedelta(minutes=15)
_WITH_ZONE: Final = re.compile(r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[\d.]+")

# By reason: the role whose column is named, and what is said. Rows that are none have no column.
_REJECTED: Final[dict[str, tuple[str, str]]] = {
    "invalid_json": ("", "is no JSON; each line has to be one whole object"),
    "not_an_object": ("", "is JSON, but no object with columns"),
    "invalid_row": ("", "has other cells than the header names; correct separators and quotes"),
    "bad_timestamp": (
        "timestamp",
        "is no time of 1970 to 2200; write ISO 8601 or a number since 1970; another column: columns: {timestamp: …}",
    ),
    "bad_prediction": (
        "prediction",
        "is no prediction of this task; set task:, or name another column: columns: {prediction: …}",
    ),
    "bad_label": ("label", "is no label of this task; set task:, or name another column: columns: {label: …}"),
    "no_prediction": (
        "prediction",
        "rows have neither prediction nor score nor error; name the column: columns: {prediction: …}",
    ),
    "missing_key": ("", "rows have no key, so no prediction is found for them; name its columns: labels: {key: […]}"),
    "missing_label": ("label", "rows have no label; name the column: columns: {label: …}"),
}
_OTHERWISE: Final = ("", "rows cannot be used; exporter/docs/faults.md has the reason")


def rejection_note(reason: str, rows: Rows, roles: Roles, reasons: ReasonArray) -> Note:
    """Return what is to be said of the rows (n,) of a block that were rejected for a reason."""
    return _note_at(reason, rows, roles, int(np.argmax(reasons == CODES[reason])))


def remainder_note(reason: str, rows: Rows, roles: Roles, bad: BoolArray) -> Note:
    """Return what is to be said of a block of which no row counts, because of those that are `bad` (n,)."""
    note = _note_at(reason, rows, roles, int(np.argmax(bad)))
    so = f"{int(bad.sum())} rows are like this, and the others alone would give wrong scores, so none counts"
    return replace(note, text=f"{note.text}; {so}")


def _note_at(reason: str, rows: Rows, roles: Roles, at: int) -> Note:
    role, text = _REJECTED.get(reason, _OTHERWISE)
    paths = roles.paths.get(role) or roles.paths["score"] if role == "prediction" else roles.paths.get(role, ())
    return Note(reason, paths[0] if paths else role, _value(rows, paths, at), text)


def future_note(time: IntArray, latest: int, *, rows: Rows, roles: Roles, zone: str) -> Note | None:
    """Return what is to be said when times (n,) lie after `latest`, the last that is accepted; both in µs.

    Times without a zone that are ahead by no more than clocks on earth are were probably shown by another clock.
    """
    farthest = int(time.max(initial=latest))
    if farthest <= latest:
        return None
    paths = roles.paths["timestamp"]
    example = _value(rows, paths, int(np.argmax(time)))
    ahead = timedelta(microseconds=farthest - latest)
    text = f"times are up to {_hours(ahead)} too far ahead of the clock, and these rows are rejected; "
    if example and ahead <= _FARTHEST_ZONE and not (_WITH_ZONE.search(example) or _NUMBER.fullmatch(example)):
        offset = -(-ahead // _QUARTER) * _QUARTER
        text += (
            f"without a zone they are taken for {zone}: if another clock showed them, write timezone: "
            f"(they would fit one that is {_hours(offset)} or more ahead{'' if zone == UTC else ' of it'})"
        )
    else:
        text += "correct the clock or the unit of what writes them, or name another column: columns: {timestamp: …}"
    return Note("future_timestamp", paths[0] if paths else "timestamp", example, text)


def _value(rows: Rows, paths: tuple[str, ...], at: int) -> str:
    return example_of(first_present(rows, paths).slice(at, 1))


def _hours(distance: timedelta) -> str:
    """Return a distance in hours and minutes, or in days where it is long."""
    minutes = -(-distance // timedelta(minutes=1))
    if minutes >= 3 * 24 * 60:
        return f"{distance // timedelta(days=1)} days"
    return f"{minutes // 60}:{minutes % 60:02d} h"
