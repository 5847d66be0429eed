"""The heads of Parquet's pages; files of pyarrow's, and heads that it would not write."""

import io
from typing import Any

import pyarrow as pa
import pytest

from batch.hostile import written
from driftgauge.batch import parquet_pages
from driftgauge.batch.parquet_footer import Chunk, Group, Layout, Leaf, read_layout
from driftgauge.batch.parquet_pages import check_pages, outgrows_dictionary
from driftgauge.errors import BatchError

MIB = 2**20


def checked(data: bytes, max_bytes: int = MIB) -> list[str]:
    """Check the pages of a file."""
    file = io.BytesIO(data)
    return check_pages(file, read_layout(file, MIB), max_bytes)


@pytest.mark.parametrize("options", [{}, {"data_page_version": "2.0"}, {"compression": "none"}])
def test_text_with_a_dictionary_is_found(options: dict[str, Any]) -> None:
    """Text columns that use a dictionary are named by their path; numbers and plain text are not."""
    table = pa.table({"a": [1, 1], "t": ["x", "x"], "f": [{"u": "y"}, {"u": "y"}], "p": ["z", "z"]})
    assert checked(written(table, use_dictionary=["a", "t", "f.u"], **options)) == ["t", "f.u"]


@pytest.mark.parametrize(
    ("texts", "options", "expected"),
    [
        ([f"key {at}" for at in range(2_000)], {}, True),
        (["a", "b"] * 1_000, {}, False),
        ([f"key {at}" for at in range(2_000)], {"use_dictionary": False}, False),
    ],
    ids=["new in every row", "few", "no dictionary"],
)
def test_outgrown_dictionaries(texts: list[str], options: dict[str, Any], *, expected: bool) -> None:
    """A column that begins with a dictionary and goes on without one is told from those that do one of both."""
    data = written(pa.table({"t": texts}), **{"dictionary_pagesize_limit": 256, "data_page_size": 256} | options)
    file = io.BytesIO(data)
    assert outgrows_dictionary(file, read_layout(file, MIB).groups[0].chunks[0]) is expected


def test_unpacked_bytes_are_bounded() -> None:
    """A thousand zeros of eight bytes take 8,000 bytes and a few of levels, however small they are in the file."""
    data = written(pa.table({"a": [0.0] * 1_000}), use_dictionary=False, compression="zstd")
    assert checked(data, 8_100) == []
    with pytest.raises(BatchError, match="8000 bytes when unpacked") as caught:
        checked(data, 8_000)
    assert caught.value.reason == "too_large"


def test_values_in_lists_count() -> None:
    """A thousand nulls in one list count as 8,000 bytes."""
    data = written(pa.table({"a": pa.ListArray.from_arrays([0, 1_000], pa.nulls(1_000, pa.int8()))}))
    assert checked(data, 8_500) == []
    with pytest.raises(BatchError, match="8000 bytes when unpacked"):
        checked(data, 8_000)


def test_pages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be so many pages and no more."""
    data = written(pa.table({"a": list(range(3)), "b": list(range(3))}), use_dictionary=False)
    monkeypatch.setattr(parquet_pages, "_MAX_PAGES", 2)
    assert checked(data) == []
    monkeypatch.setattr(parquet_pages, "_MAX_PAGES", 1)
    with pytest.raises(BatchError, match="more than 1 pages"):
        checked(data)


def head(kind: int, unpacked: bytes, values: bytes = b"\x02", encoding: bytes = b"\x00", place: int = 5) -> bytes:
    """Return the head of a page of no bytes; numbers are in Thrift's zigzag form."""
    start = b"\x15" + bytes([kind * 2]) + b"\x15" + unpacked + b"\x15\x00"
    return start + bytes([(place - 3) << 4 | 12]) + b"\x15" + values + b"\x15" + encoding + b"\x00\x00"


def check_head(data: bytes) -> None:
    """Check a page that stands at the start of a file."""
    layout = Layout((Leaf("t", text=True, repeated=False),), (Group(1, (Chunk(1, 0, len(data)),)),))
    check_pages(io.BytesIO(data), layout, 2**40)


@pytest.mark.parametrize(
    ("description", "data", "reason"),
    [
        ("2 GiB when unpacked", head(0, b"\xfe\xff\xff\xff\x0f"), "too_large"),
        ("text as differences", head(0, b"\x02", encoding=b"\x0e"), "unsupported_format"),
    ],
)
def test_pages_that_are_refused(description: str, data: bytes, reason: str) -> None:
    """A page's own head is believed, not what the footer says of it."""
    with pytest.raises(BatchError) as caught:
        check_head(data)
    assert caught.value.reason == reason, description


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(head(0, b"\x01"), "negative size", id="a negative size"),
        pytest.param(head(0, b"\x02", values=b"\x01"), "negative size", id="a negative count"),
        pytest.param(
            head(2, b"\x02", values=b"\x7e", place=7), "more values than bytes", id="a dictionary out of nothing"
        ),
        pytest.param(b"\x00", "negative size, or none", id="no sizes"),
        pytest.param(b"\x15", "cut off", id="nothing"),
    ],
)
def test_what_is_no_page(data: bytes, message: str) -> None:
    """Damage says what it is."""
    with pytest.raises(ValueError, match=message):
        check_head(data)


def test_long_statistics() -> None:
    """A head with long texts as statistics is longer than what is read of it at first."""
    table = pa.table({"t": ["x" * 2_000, "y" * 2_000]})
    assert checked(written(table, use_dictionary=False, data_page_version="2.0")) == []
