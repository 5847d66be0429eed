"""Thrift's compact protocol, as far as Parquet's own structures need it to be looked through.

Arrow parses these structures natively and believes their counts; this reader looks at them first. It never
recurses deeper than `_MAX_DEPTH` and takes at least one byte per step, so its cost is bounded by its input.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator
from typing import Final

BOOLEANS: Final = (1, 2)
INTEGERS: Final = (4, 5, 6)
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12
_SET: Final = 10
_MAP: Final = 11
_FIXED_SIZES: Final = {3: 1, 7: 8, 13: 16}  # byte, double, uuid
_MAX_DEPTH: Final = 32
_MAX_SHIFT: Final = 63


class CompactReader:
    """Reads values one after another from `data`, starting at `at`.

    Every method raises ValueError for what is not the protocol, and IndexError where the bytes end.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield id and kind of each field of a struct; the value is to be read or skipped before the next one."""
        data, last = self._data, 0
        while head := data[self.at]:
            self.at += 1
            last = last + (head >> 4) if head >> 4 else self.integer()
            yield last, head & 15
        self.at += 1

    def integer(self) -> int:
        """Read a signed whole number."""
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def text(self) -> bytes:
        """Read bytes of a written length."""
        size = self._unsigned()
        self.at += size
        return self._data[self.at - size : self.at]

    def structs(self) -> int:
        """Read the head of a list of structs and return how many follow."""
        count, kind = self._list_head()
        if count and kind != STRUCT:
            raise ValueError(f"a list of structs has elements of kind {kind}")
        return count

    def skip(self, kind: int, depth: int = 0) -> None:
        """Leave out the value of a field."""
        if kind not in BOOLEANS:  # the kind of a field says already which one it is
            self._skip_element(kind, depth)

    def _skip_element(self, kind: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError("structures are nested too deeply")
        if kind in INTEGERS:
            self._unsigned()
        elif kind == BINARY:
            self.text()
        elif kind in BOOLEANS:
            self.at += 1
        elif kind in _FIXED_SIZES:
            self.at += _FIXED_SIZES[kind]
        else:
            self._skip_container(kind, depth)

    def _skip_container(self, kind: int, depth: int) -> None:
        if kind == STRUCT:
            self._skip_fields(depth + 1)
        elif kind in (LIST, _SET):
            count, inner = self._list_head()
            self._skip_elements(count, (inner,), depth)
        elif kind == _MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            self._skip_elements(count, (kinds >> 4, kinds & 15), depth)
        else:
            raise ValueError(f"{kind} is no kind of value")

    def _skip_fields(self, depth: int) -> None:
        """Leave out a struct. Most of a footer is left out, so whole numbers and bytes are without another call."""
        data = self._data
        while head := data[self.at]:
            self.at += 1
            if head < 16:
                self._unsigned()
            kind = head & 15
            if kind in INTEGERS and data[self.at] < 0x80:
                self.at += 1
            elif kind == BINARY and data[self.at] < 0x80:
                self.at += data[self.at] + 1
            elif kind not in BOOLEANS:
                self._skip_element(kind, depth)
        self.at += 1

    def _skip_elements(self, count: int, kinds: tuple[int, ...], depth: int) -> None:
        for _ in range(count):
            for kind in kinds:
                self._skip_element(kind, depth + 1)
            if self.at > len(self._data):
                raise IndexError

    def _list_head(self) -> tuple[int, int]:
        head = self._byte()
        return (self._unsigned() if head >> 4 == 15 else head >> 4), head & 15

    def _unsigned(self) -> int:
        byte = self._data[self.at]
        if byte < 0x80:  # as nearly all are
            self.at += 1
            return byte
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > _MAX_SHIFT:
                raise ValueError("a whole number has more than 64 bits")
        return value | byte << shift

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]
