"""Parquet files."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from batch.samples import row_dicts
from driftgauge.batch import parquet
from driftgauge.batch.parquet import read_parquet
from driftgauge.errors import BatchError


def written(table: Any, **options: Any) -> io.BytesIO:
    """Write a table as Parquet."""
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer, **options)
    return buffer


@pytest.mark.parametrize("skip", [0, 1, 3, 4, 7, 10, 11])
def test_skipping_leaves_out_whole_row_groups(skip: int) -> None:
    """Whatever lies before the cursor is left out, in whole groups and within one."""
    buffer = written(pa.table({"a": list(range(10))}), row_group_size=4)
    assert [row["a"] for row in row_dicts(read_parquet(buffer, skip=skip, max_bytes=2**30))] == list(range(skip, 10))


def test_wide_files_come_in_shorter_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows times columns is bounded."""
    monkeypatch.setattr(parquet, "_CELLS", 30)
    buffer = written(pa.table({str(at): list(range(10)) for at in range(10)}))
    assert [len(rows) for rows in read_parquet(buffer, skip=0, max_bytes=2**30)] == [3, 3, 3, 1]


def test_nested_dictionaries_across_row_groups() -> None:
    """Categories inside an object may differ between row groups."""
    plan = pa.array(["a", "b", "c", "a"]).dictionary_encode()
    buffer = written(pa.table({"f": pa.StructArray.from_arrays([plan], ["plan"])}), row_group_size=1)
    assert [row["f.plan"] for row in row_dicts(read_parquet(buffer, skip=0, max_bytes=2**30))] == ["a", "b", "c", "a"]


def test_long_texts_come_in_shorter_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of a chunk are bounded as far as the footer tells, and every row comes."""
    monkeypatch.setattr(parquet, "_CHUNK_BYTES", 10_000)
    texts = [f"{at:04d}" * 250 for at in range(50)]
    buffer = written(pa.table({"a": texts}), use_dictionary=False)
    chunks = list(read_parquet(buffer, skip=0, max_bytes=2**30))
    assert max(map(len, chunks)) < 10
    assert [row["a"] for row in row_dicts(iter(chunks))] == texts


@pytest.mark.parametrize(
    "options",
    [
        *({"compression": codec} for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli")),
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY", "number": "DELTA_BINARY_PACKED"}},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY", "real": "BYTE_STREAM_SPLIT"}},
    ],
    ids=str,
)
def test_every_encoding_that_arrow_reads(options: dict[str, Any]) -> None:
    """Codecs, page versions and encodings change nothing."""
    columns = {"text": ["a", "b", "ab"], "number": [1, 2, 300], "real": [0.5, 1.5, -1e300]}
    rows = row_dicts(read_parquet(written(pa.table(columns), **options), skip=0, max_bytes=2**30))
    assert [{name: row[name] for name in columns} for row in rows] == pa.table(columns).to_pylist()


def test_no_rows() -> None:
    """A table without rows is a valid file."""
    assert row_dicts(read_parquet(written(pa.table({"a": pa.array([], pa.int64())})), skip=0, max_bytes=2**30)) == []


def test_text_that_is_not_utf8() -> None:
    """Parquet does not check its text, so it is checked here."""
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xe9")])
    with pytest.raises(BatchError) as caught:
        list(read_parquet(written(pa.table({"a": broken})), skip=0, max_bytes=2**30))
    assert caught.value.reason == "invalid_parquet"


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty_file"), (b"PAR1", "invalid_parquet")])
def test_files_that_are_refused(data: bytes, reason: str) -> None:
    """An empty file is distinguished from a damaged one."""
    with pytest.raises(BatchError) as caught:
        list(read_parquet(io.BytesIO(data), skip=0, max_bytes=2**30))
    assert caught.value.reason == reason
