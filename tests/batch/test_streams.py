"""Bounded blocks of text files."""

import gzip
import io

import pytest

from driftgauge.batch import streams
from driftgauge.batch.streams import blocks, text_pieces
from driftgauge.errors import BatchError


def pieces(data: bytes, *, compressed: bool = False, max_bytes: int = 1000) -> list[bytes]:
    """Return the pieces of a file."""
    return list(text_pieces(io.BytesIO(data), compressed=compressed, max_bytes=max_bytes))


def newline(buffer: bytes) -> int:
    """Cut after the last newline."""
    return buffer.rfind(b"\n") + 1


@pytest.mark.parametrize(
    ("description", "data", "expected"),
    [
        ("plain", b"abc", b"abc"),
        ("a UTF-8 mark", b"\xef\xbb\xbfabc", b"abc"),
        ("nothing but a mark", b"\xef\xbb\xbf", b""),
    ],
)
def test_text(description: str, data: bytes, expected: bytes) -> None:
    """Bytes come through without the mark, compressed or not, from the start of the file."""
    assert b"".join(pieces(data)) == expected, description
    assert b"".join(pieces(gzip.compress(data), compressed=True)) == expected, description


def test_a_file_is_read_from_its_start() -> None:
    """Where an earlier pass stopped does not matter."""
    file = io.BytesIO(b"abc")
    file.read()
    assert list(text_pieces(file, compressed=False, max_bytes=1)) == [b"abc"]


@pytest.mark.parametrize(
    ("data", "compressed", "reason"),
    [
        (b"", False, "empty_file"),
        (gzip.compress(b""), True, "empty_file"),
        ("a".encode("utf-16"), False, "wrong_encoding"),
        ("a".encode("utf-32-be"), False, "wrong_encoding"),
        (b"abc", True, "invalid_gzip"),
        (gzip.compress(b"abc" * 100)[:-4], True, "invalid_gzip"),
        (gzip.compress(b"abc")[:12] + b"\xff\xff\xff" + gzip.compress(b"abc")[15:], True, "invalid_gzip"),
        (gzip.compress(b"a" * 1001), True, "too_large"),
    ],
)
def test_bytes_that_are_refused(data: bytes, reason: str, *, compressed: bool) -> None:
    """Each kind of damage has its word."""
    with pytest.raises(BatchError) as caught:
        pieces(data, compressed=compressed)
    assert caught.value.reason == reason


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
def test_blocks_end_with_rows(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """However the file is cut into pieces, blocks join to the same bytes and end where a row ends."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 8)
    data = b"one\ntwo\n\nthree\nfour"
    result = list(blocks(iter([data[at : at + size] for at in range(0, len(data), size)]), newline))
    assert b"".join(result) == data
    assert all(block.endswith(b"\n") for block in result[:-1])


def test_a_row_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory stays bounded even when newlines are missing."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 8)
    with pytest.raises(BatchError, match="A row is longer than 8 bytes"):
        list(blocks(iter([b"x" * 8] * 3), newline))
