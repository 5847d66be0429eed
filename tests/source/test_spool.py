"""Bounded temporary files."""

from collections.abc import Iterator
from hashlib import blake2b

import pytest

from driftgauge.errors import BatchError
from driftgauge.source.spool import chunks_of, fingerprint, spooled


def test_spooled() -> None:
    """The chunks come back as one file that stands at its start."""
    with spooled([b"ab", b"c"], limit=3, name="x") as file:
        assert file.read() == b"abc"


def test_spooled_stops_in_the_middle() -> None:
    """Nothing is taken from the stream after the chunk that goes over the bound."""
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 10

    with pytest.raises(BatchError, match="over the limit of 25") as failure:
        spooled(endless(), limit=25, name="x.csv")
    assert (failure.value.reason, len(taken)) == ("too_large", 3)


def test_fingerprint() -> None:
    """The fingerprint is the blake2b of all bytes, wherever the file stands, and leaves it at its start."""
    with spooled([b"abc"], limit=3, name="x") as file:
        file.read(2)
        assert fingerprint(file) == blake2b(b"abc", digest_size=16).hexdigest()
        assert b"".join(chunks_of(file)) == b"abc"
