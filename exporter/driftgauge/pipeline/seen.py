"""Which rows of a file have counted, so that none counts twice when the file is read again under other settings.

A counter holds each row that was at some time what it counts: accepted, rejected, failed, with a latency. So a row that
was rejected and is accepted now counts as accepted for the first time, whatever it had counted as before.
"""

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import BoolArray, IntArray

ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
FAILED: Final = "failed"
TIMED: Final = "timed"
# Labels in the records of predictions. They count together with those of label files: see `renewal`.
LABELLED: Final = "labelled"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The first `rows` of a file. marks: by counter, which of them (rows,) have counted; those of none are left out.

    set_aside: whether the file has counted as one that could not be read. names: the numbers that its versions' aliases
    and stages meant when it was first read.
    """

    rows: int = 0
    marks: Mapping[str, BoolArray] = field(default_factory=dict)
    set_aside: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: int, positions: Mapping[str, IntArray]) -> Self:
        """Return rows that have counted at these positions, by counter."""
        marks = {}
        for counter, at in positions.items():
            if len(at):
                marks[counter] = np.zeros(rows, np.bool_)
                marks[counter][at] = True
        return cls(rows, marks)

    def new(self, counter: str, at: IntArray) -> BoolArray:
        """Return which of the rows at these positions (n,), none of them beyond the end, have not counted yet."""
        known = self.marks.get(counter)
        return np.ones(len(at), np.bool_) if known is None else ~known[at]

    def count(self, counter: str) -> int:
        """Return how many rows have counted."""
        return int(np.count_nonzero(self.marks[counter])) if counter in self.marks else 0

    def part(self, start: int, rows: int) -> "Seen":
        """Return `rows` rows from `start` on, of which those beyond the end have not counted."""
        return Seen(rows, {name: _sized(mark[start : start + rows], rows) for name, mark in self.marks.items()})

    def then(self, later: "Seen") -> "Seen":
        """Return these rows and those that follow them."""
        rows, names = self.rows + later.rows, self.marks.keys() | later.marks.keys()
        marks = {}
        for name in names:
            parts = [part.marks.get(name, np.zeros(part.rows, np.bool_)) for part in (self, later)]
            marks[name] = np.concatenate(parts)
        return Seen(rows, marks, self.set_aside or later.set_aside, {**later.names, **self.names})

    def also(self, other: "Seen") -> "Seen":
        """Return what has counted in either of two readings of a file."""
        rows, names = max(self.rows, other.rows), self.marks.keys() | other.marks.keys()
        nothing = np.zeros(0, np.bool_)
        marks = {
            name: _sized(self.marks.get(name, nothing), rows) | _sized(other.marks.get(name, nothing), rows)
            for name in names
        }
        return Seen(rows, marks, self.set_aside or other.set_aside, {**other.names, **self.names})

    def to_text(self) -> str:
        """Return a text that `from_text` reads; of most files it has a few dozen characters."""
        marks = {name: text for name, mark in sorted(self.marks.items()) if (text := _mark_text(mark))}
        values: dict[str, Any] = {"rows": self.rows, "marks": marks}
        values |= ({"set_aside": True} if self.set_aside else {}) | ({"names": dict(self.names)} if self.names else {})
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Return what `to_text` wrote; nothing of an empty text."""
        if not text:
            return cls()
        values = json.loads(text)
        rows = int(values["rows"])
        marks = {name: _mark(found, rows) for name, found in values["marks"].items()}
        return cls(rows, marks, bool(values.get("set_aside")), values.get("names", {}))


def _sized(mark: BoolArray, rows: int) -> BoolArray:
    if len(mark) >= rows:
        return mark[:rows]
    return np.concatenate([mark, np.zeros(rows - len(mark), np.bool_)])


def _mark_text(mark: BoolArray) -> str:
    """Return "all", "" for none, or the compressed bits."""
    if mark.all():
        return "all"
    return b85encode(zlib.compress(np.packbits(mark).tobytes(), 1)).decode() if mark.any() else ""


def _mark(text: str, rows: int) -> BoolArray:
    if text == "all":
        return np.ones(rows, np.bool_)
    bits = np.frombuffer(zlib.decompress(b85decode(text)), np.uint8)
    return np.unpackbits(bits, count=rows).astype(np.bool_)
