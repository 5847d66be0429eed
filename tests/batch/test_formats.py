"""Formats by name."""

import gzip
import io

import pyarrow as pa
import pyarrow.parquet
import pytest

from batch.samples import row_dicts
from driftgauge.batch.formats import read_rows
from driftgauge.errors import BatchError


def parquet_bytes() -> bytes:
    """Write one row."""
    buffer = io.BytesIO()
    pa.parquet.write_table(pa.table({"a": ["x"]}), buffer)
    return buffer.getvalue()


LINES, ARRAY, CSV = b'{"a": "x"}\n', b'[{"a": "x"}]', b"a\nx\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("b/c.ndjson", LINES),
        ("a.json", ARRAY),
        ("a.csv", CSV),
        ("A.CSV", CSV),
        ("a.parquet", parquet_bytes()),
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("a.ndjson.gz", gzip.compress(LINES)),
        ("a.json.gz", gzip.compress(ARRAY)),
        ("a.csv.GZ", gzip.compress(CSV)),
    ],
)
def test_the_suffix_decides(name: str, data: bytes) -> None:
    """Each suffix has its reader, in any case and folder."""
    assert row_dicts(read_rows(io.BytesIO(data), name=name, skip=0, max_bytes=1000)) == [{"a": "x"}]


@pytest.mark.parametrize("name", ["a.json", "part-00000-x-c000.json", "a.jsonl", "a.ndjson.gz"])
@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("lines", '{"a": {"b": 1}}\n{"a": {"b": 2}}\n{"a": {"b": 3}}\n'),
        ("lines between blank ones", '\n{"a": {"b": 1}}\r\n \r\n{"a": {"b": 2}}\r\n{"a": {"b": 3}}'),
        ("an array", '[{"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 3}}]'),
        ("an array of a record per line", '[\n{"a": {"b": 1}},\n{"a": {"b": 2}},\n{"a": {"b": 3}}\n]\n'),
        ("one after another", '{"a": {"b": 1}}{"a": {"b": 2}} {"a": {"b": 3}}'),
        ("indented objects", '{\n  "a": {\n "b": 1\n}}\n{"a": {"b": 2}}\n{\n"a": {"b": 3}}'),
    ],
)
def test_the_layout_of_json_is_told_by_its_beginning(name: str, description: str, text: str) -> None:
    """Every layout is read under every name, and skipping counts the same rows."""
    data = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    for skip in (0, 2):
        rows = row_dicts(read_rows(io.BytesIO(data), name=name, skip=skip, max_bytes=1000))
        assert [row["a.b"] for row in rows] == [1, 2, 3][skip:], description


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('{"a": 1\n{"a": 2}\n', 2),
        ("[1]\n[2]\n", 2),
        ('[{"a": 1}]\n[{"a": 2}]\n', 2),
        ('{"a": 1}\n{"a": 2}{"a": 3}\n', 3),
        ('{"a": "}{"}\n{"a": "} {"} x\n', 2),
        ("{\n", 1),
    ],
)
def test_lines_stay_lines(text: str, rows: int) -> None:
    """In JSON lines one broken line costs itself only; objects without a newline between are rows of their own."""
    found = read_rows(io.BytesIO(text.encode()), name="a.jsonl", skip=0, max_bytes=1000)
    assert sum(len(block) for block in found) == rows


@pytest.mark.parametrize("name", ["a.txt", "a", "jsonl", "a.parquet.gz", "a.csv.zip", "a.pkl", ".gz"])
def test_other_suffixes_are_refused(name: str) -> None:
    """What cannot be read is never opened."""
    with pytest.raises(BatchError, match=r"use \.jsonl, \.ndjson, \.json or \.csv") as caught:
        read_rows(io.BytesIO(b"x"), name=name, skip=0, max_bytes=1000)
    assert caught.value.reason == "unsupported_format"
