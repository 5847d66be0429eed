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


@pytest.mark.parametrize("name", ["a.txt", "a", "jsonl", "a.parquet.gz", "a.csv.zip", "a.pkl", ".gz"])
def test_other_suffixes_are_refused(name: str) -> None:
    """What cannot be read is never opened."""
    with pytest.raises(BatchError, match=r"use \.jsonl, \.ndjson, \.json or \.csv") as caught:
        read_rows(io.BytesIO(b"x"), name=name, skip=0, max_bytes=1000)
    assert caught.value.reason == "unsupported_format"
