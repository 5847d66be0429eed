"""What was said of a model's files, and how much of them could not be used lately: for the landing page.

Values; the pipeline stores them with the model's state. Times are µs since 1970.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal, Self

from driftgauge.aggregates.totals import Totals
from driftgauge.windows import MICROSECONDS

# A doubt about what was read, a file that was set aside, a file whose suffix is not read, a look-up in vain.
Kind = Literal["doubt", "file", "suffix", "lookup"]
# What a person reads; a producer that makes new mistakes all the time pushes out the oldest.
MOST_REMARKS: Final = 50
_LONGEST_TEXT: Final = 500
_STRETCH: Final = 900 * MICROSECONDS
# How far back tallies go.
KEPT: Final = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said of `count` files: the reason, what of them (a column, a suffix), an example, and the remedy.

    file: in which it was seen last. first, last: when it was said.
    """

    kind: Kind
    reason: str
    subject: str
    example: str
    text: str
    file: str
    count: int = 1
    first: int = 0
    last: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two of them the same."""
        return self.kind, self.reason, self.subject

    def again(self, before: "Remark | None") -> "Remark":
        """Return the remark counted on from an earlier one, if there was one."""
        cut = replace(self, example=self.example[:_LONGEST_TEXT], text=self.text[:_LONGEST_TEXT])
        return replace(cut, count=before.count + self.count, first=before.first) if before else cut


@dataclass(frozen=True, slots=True)
class Tally:
    """What was read from `start` on: rows that count, and rows rejected and files set aside by reason."""

    start: int
    rows: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)

    def plus(self, other: "Tally") -> "Tally":
        """Add what was read in another stretch of time."""
        return Tally(
            min(self.start, other.start),
            self.rows + other.rows,
            _added(self.rejected, other.rejected),
            _added(self.failures, other.failures),
        )


@dataclass(frozen=True, slots=True)
class Journal:
    """remarks: the latest, by what makes them the same. tallies: of the last day, in order."""

    remarks: Mapping[tuple[str, str, str], Remark] = field(default_factory=dict)
    tallies: tuple[Tally, ...] = ()

    def saying(self, remark: Remark) -> "Journal":
        """Return the journal with one remark more; the one that was said last stands last."""
        others = {key: each for key, each in self.remarks.items() if key != remark.key}
        said = remark.again(self.remarks.get(remark.key))
        kept = list(others.items())[-(MOST_REMARKS - 1) :]
        return replace(self, remarks=dict([*kept, (remark.key, said)]))

    def counting(self, before: Totals, after: Totals, now: int) -> "Journal":
        """Return the journal with what lies between two totals of the model, counted at `now`."""
        read = Tally(
            now // _STRETCH * _STRETCH,
            _rows(after) - _rows(before),
            _grown(before.rejected, after.rejected),
            _grown(before.failures, after.failures),
        )
        if not (read.rows > 0 or read.rejected or read.failures):
            return self
        kept = [tally for tally in self.tallies if now - tally.start <= KEPT]
        if kept and kept[-1].start == read.start:
            read = kept.pop().plus(read)
        return replace(self, tallies=(*kept, read))

    def lately(self, since: int) -> Tally:
        """Return what was read since a time, to the quarter of an hour that it is in."""
        found = Tally(since)
        for tally in self.tallies:
            if tally.start + _STRETCH > since:
                found = found.plus(tally)
        return found

    def to_json(self) -> str:
        """Return all of it as text."""
        remarks = [asdict(remark) for remark in self.remarks.values()]
        return json.dumps({"remarks": remarks, "tallies": [asdict(tally) for tally in self.tallies]})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` wrote; nothing of an empty text."""
        if not text:
            return cls()
        values = json.loads(text)
        remarks = [Remark(**each) for each in values["remarks"]]
        return cls({remark.key: remark for remark in remarks}, tuple(Tally(**each) for each in values["tallies"]))


def _rows(totals: Totals) -> int:
    return sum(version.predictions + version.labels for version in totals.versions.values())


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {reason: count - before.get(reason, 0) for reason, count in after.items() if count > before.get(reason, 0)}


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {reason: one.get(reason, 0) + other.get(reason, 0) for reason in (*one, *(other.keys() - one.keys()))}
