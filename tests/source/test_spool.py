"""Bounded temporary files."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from driftgauge.errors import BatchError
from driftgauge.source.spool import chunks_of, fingerprint, spooled


def test_spooled() -> None:
    """The chunks come back as one file that stands at its start."""
    with spooled([b"ab", b"c"], limit=3, name="x") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize("size", [3, 1 << 20])
def test_spooled_can_be_opened_by_others(size: int) -> None:
    """By its descriptor a file can be read from its start in another process, however small it is."""
    with spooled([b"x" * size], limit=size, name="x") as file:
        assert Path(f"/proc/self/fd/{file.fileno()}").read_bytes() == b"x" * size
        assert file.read() == b"x" * size


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
