"""The lines of a block of text, found with numpy: a Python object for each would cost more than parsing.

This module does not know what a line means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from driftgauge.columns import IntArray

_NEWLINE: Final = 0x0A
_BLANK: Final = np.isin(np.arange(256), list(b" \t\n\r\x0b\x0c"))


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """`block` is all lines joined by newlines; line k, which is not empty, is `block[starts[k]:ends[k]]`."""

    block: bytes
    starts: IntArray
    ends: IntArray

    @classmethod
    def of(cls, lines: Sequence[bytes]) -> Self:
        """Return these lines, none of which is empty or has a newline in it."""
        ends = np.cumsum([len(line) + 1 for line in lines], dtype=np.int64) - 1
        return cls(b"\n".join(lines), np.concatenate([np.zeros(min(len(lines), 1), np.int64), ends[:-1] + 1]), ends)

    @classmethod
    def within(cls, block: bytes) -> Self:
        """Return the lines of a block that are not blank, without the blanks around them."""
        text = block.removesuffix(b"\n")
        codes = np.frombuffer(text, np.uint8)
        breaks = np.flatnonzero(codes == _NEWLINE)
        starts, ends = np.concatenate([[0], breaks + 1]), np.concatenate([breaks, [len(text)]])
        if text and (ends > starts).all() and not _BLANK[codes[starts]].any() and not _BLANK[codes[ends - 1]].any():
            return cls(text, starts, ends)
        return cls.of([stripped for line in block.split(b"\n") if (stripped := line.strip())])

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.starts)

    def __iter__(self) -> Iterator[bytes]:
        """Yield each line."""
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.block[start:end]

    def span(self, start: int, end: int) -> "Lines":
        """Return the lines from `start` up to `end`, or as many of them as there are."""
        starts, ends = self.starts[start:end], self.ends[start:end]
        if len(starts) == len(self) or not len(starts):
            return Lines(self.block if len(starts) else b"", starts, ends)
        first = starts[0]
        return Lines(self.block[first : ends[-1]], starts - first, ends - first)

    @property
    def longest(self) -> int:
        """The length of the longest line in bytes."""
        return int((self.ends - self.starts).max(initial=0))

    def enclosed(self, opening: bytes, closing: bytes) -> bool:
        """Whether each line begins with the one byte and ends with the other."""
        codes = self._codes()
        return bool((codes[self.starts] == opening[0]).all() and (codes[self.ends - 1] == closing[0]).all())

    def counts(self, characters: bytes) -> IntArray:
        """Return how often any of the bytes occurs in each line (n,)."""
        codes = self._codes()
        found = codes == characters[0]
        for character in characters[1:]:
            found |= codes == character
        places = np.flatnonzero(found)
        counts: IntArray = places.searchsorted(self.ends) - places.searchsorted(self.starts)
        return counts

    def _codes(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        return np.frombuffer(self.block, np.uint8)
