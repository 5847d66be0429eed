"""Hostile and broken content: what is lost, what is counted, and that memory and time stay bounded.

Each file is decoded in a process of its own. `max_bytes` is 64 MiB, so that what a bomb would take is far beyond
the bound on memory: 1 GiB and the size of the file.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from batch import hostile
from batch.hostile import GOOD, MIB, effort, nested, written
from batch.samples import decoded, plain
from driftgauge.batch.rows import MAX_COLUMNS
from driftgauge.batch.values import MAX_CATEGORY, MAX_VERSION

MAX_BYTES = 64 * MIB
MAX_SECONDS = 30

Refused = tuple[str, str, Callable[[], bytes], str]
REFUSED: list[Refused] = [
    ("a schema 100,000 levels deep", "a.parquet", lambda: hostile.deep_schema(100_000), "too_large"),
    ("a schema 5,000 levels deep", "a.parquet", lambda: hostile.deep_schema(5_000), "too_large"),
    ("a million columns", "a.parquet", lambda: hostile.wide_schema(10**6), "too_large"),
    ("a name of 10 kB", "a.parquet", lambda: hostile.wide_schema(1, b"x" * 10_000), "too_large"),
    ("300,000 row groups", "a.parquet", lambda: hostile.declared_groups(300_000, rows=0), "too_large"),
    ("10¹² rows without a byte", "a.parquet", lambda: hostile.declared_groups(1, rows=10**12), "too_large"),
    ("a page that unpacks to 100 MiB", "a.parquet", lambda: hostile.one_page(100 * MIB), "too_large"),
    ("pages that unpack to over the limit", "a.parquet", lambda: hostile.zeros(10**7), "too_large"),
    ("1 MB of text named by a million rows", "a.parquet", lambda: hostile.long_dictionary(MIB, 10**6), "out_of_memory"),
    ("1 MB of text named by a hundred rows", "a.parquet", lambda: hostile.long_dictionary(MIB, 100), "another_shape"),
    ("a list of 10⁷ nulls", "a.parquet", lambda: hostile.long_list(10**7), "another_shape"),
    ("text as differences", "a.parquet", lambda: hostile.differences(10**5, 100), "another_shape"),
    ("records one after another on a line", "a.jsonl", lambda: b'{"a":1}' * 10**6, "another_shape"),
    ("a frame over the block size", "a.json", lambda: b'{"a": {"0": "' + b"x" * 20 * MIB + b'"}}', "too_large"),
    ("thousands of columns", "a.parquet", lambda: hostile.many_columns(5_000), "too_large"),
    ("thousands of columns", "a.csv", lambda: hostile.wide_header(5_000), "invalid_csv"),
    ("a header that never ends", "a.csv", lambda: b'"' + b"x\n" * 10 * MIB, "invalid_csv"),
    ("a document 100,000 levels deep", "a.json", lambda: nested(100_000), "invalid_json"),
    ("a value over the block size", "a.json", lambda: b'[{}, "' + b"x" * 40 * MIB + b'"]', "too_large"),
    ("a record over the block size", "a.json", lambda: hostile.two_texts(10 * MIB, 30 * MIB), "too_large"),
    ("a record of values below it", "a.json", lambda: hostile.two_texts(15 * MIB, 15 * MIB), "too_large"),
    ("a row over the block size", "a.jsonl", lambda: hostile.two_texts(20 * MIB, 20 * MIB), "too_large"),
    (
        "millions of numbers in 15 kB",
        "a.json.gz",
        lambda: hostile.repeated(b"1,", 16 * MIB, first=b"["),
        "another_shape",
    ),
    ("millions of broken lines in 15 kB", "a.jsonl.gz", lambda: hostile.repeated(b"x\n", 16 * MIB), "another_shape"),
    ("1 GiB of blank lines in 1 MB", "a.jsonl.gz", lambda: hostile.gzip_bomb(1024 * MIB), "too_large"),
]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("description", "name", "content", "reason"), REFUSED, ids=[f"{row[1]}: {row[0]}" for row in REFUSED]
)
def test_files_that_are_refused(
    tmp_path: Path, description: str, name: str, content: Callable[[], bytes], reason: str
) -> None:
    """The whole file is lost and counts as one failed batch; little was spent on it."""
    path = tmp_path / name
    path.write_bytes(content())
    took = effort(path, max_bytes=MAX_BYTES, seconds=MAX_SECONDS)
    assert took.reason == reason, description
    assert took.peak_bytes < 1024 * MIB + path.stat().st_size


@pytest.mark.parametrize(
    ("name", "start", "reason"),
    [("a.jsonl", b'{"a": "', "too_large"), ("a.csv", b"a,b\n", "too_large"), ("a.json", b'["ab', "invalid_json")],
)
def test_a_line_of_a_gigabyte(tmp_path: Path, name: str, start: bytes, reason: str) -> None:
    """A row that does not end is given up after a few blocks; it takes neither its size in memory nor its time."""
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(start)
        file.truncate(1024 * MIB)
    took = effort(path, max_bytes=2048 * MIB, seconds=MAX_SECONDS)
    assert took.reason == reason
    assert took.peak_bytes < 512 * MIB


Read = tuple[str, str, Callable[[], bytes], int, dict[str, int], int]
READ: list[Read] = [
    (
        "a record 100,000 levels deep", "a.jsonl", lambda: GOOD + nested(100_000) + b"\n" + GOOD,
        2, {"invalid_json": 1}, 0,
    ),
    (
        "names that keep coming after clean rows", "a.jsonl", lambda: hostile.new_names(100_000, after=20_000),
        120_000, {}, MAX_COLUMNS - 2,
    ),
    ("pairs of names as paths", "a.jsonl", lambda: hostile.crossed_names(300), 95_000, {}, 0),
    (
        "many columns, then rows without any", "a.jsonl", lambda: hostile.wide_then_empty(1_900, 200_000),
        200, {"no_prediction": 200_000}, 1_900,
    ),
    ("thousands of features", "a.jsonl", lambda: hostile.wide_then_empty(5_000, 0), 200, {}, MAX_COLUMNS - 1),
    ("a name of 1 MB with 100,000 children", "a.jsonl", lambda: hostile.long_parent(MIB, 100_000), 1, {}, 0),
    (
        "a million categories", "a.csv", lambda: hostile.counted(b"prediction,feature_id\n", b"1,user-%d\n", 10**6),
        10**6, {}, 1,
    ),
    (
        "a model version per row", "a.csv", lambda: hostile.counted(b"prediction,version\n", b"1,v%d\n", 10**5),
        10**5, {}, 0,
    ),
    ("a million ragged rows", "a.csv", lambda: b"prediction,b\n1,2\n" + b"1\n" * 10**6, 1, {"invalid_row": 10**6}, 0),
    ("times of a million blanks", "a.jsonl", lambda: hostile.blank_time(10**6), 1, {"bad_timestamp": 2}, 0),
    ("a line that looks like records", "a.jsonl", lambda: b"}{" * 7 * MIB, 0, {"invalid_json": 1}, 0),
    ("a table of 40 MB", "a.json", lambda: hostile.long_table(40_000, 1_000), 40_000, {}, 1),
    (
        "NaN and infinities", "a.jsonl",
        lambda: b'{"prediction": NaN}\n{"prediction": Infinity}\n{"prediction": 1e999}\n' + GOOD,
        1, {"no_prediction": 1, "bad_prediction": 2}, 0,
    ),
]  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("description", "name", "content", "accepted", "rejected", "features"),
    READ,
    ids=[f"{row[1]}: {row[0]}" for row in READ],
)
def test_files_that_are_read(
    tmp_path: Path,
    description: str,
    name: str,
    content: Callable[[], bytes],
    accepted: int,
    rejected: dict[str, int],
    features: int,
) -> None:
    """Rows that cannot be used count by reason, the rest counts, and columns beyond the bound are left out."""
    path = tmp_path / name
    path.write_bytes(content())
    took = effort(path, max_bytes=MAX_BYTES, seconds=MAX_SECONDS)
    assert (took.reason, took.accepted, took.rejected) == ("", accepted, rejected), description
    assert took.features == features
    assert took.peak_bytes < 1024 * MIB + path.stat().st_size


TWICE = ["prediction", "feature_a", "feature_a"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"prediction,feature_a,feature_a\n1,2,3\n"),
        ("a.parquet", written(pa.Table.from_arrays([pa.array([value]) for value in (1, 2, 3)], TWICE))),
        ("a.json", b'{"columns": ["prediction", "feature_a", "feature_a"], "data": [[1, 2, 3]]}'),
    ],
)
def test_of_columns_with_the_same_name_the_first_counts(name: str, content: bytes) -> None:
    """The second column is lost, in every format that has columns."""
    (columns,) = decoded(content, name)
    assert {feature: plain(values) for feature, values in columns.numbers.items()} == {"a": [2]}


@pytest.mark.parametrize(
    "text",
    ['a"b', "a\nb", "a\\nb", "a\x00b", "a\rb", "a\u2028b", 'x"} 1\nfake_metric{a="b', "x" * 10_000, "\U0010ffff"],
)
def test_text_cannot_leave_its_label(text: str) -> None:
    """Versions, classes and feature names go through the exposition format and come back as they were decoded."""
    record: dict[str, Any] = {"prediction": [text], "model_version": [text], f"feature_{text[:900]}": [text]}
    (columns,) = decoded(written(pa.table(record)), "a.parquet", task="multiclass")
    (version,), (predicted,) = columns.version.to_pylist(), columns.predicted.to_pylist()
    (feature,), (category,) = columns.categories, [values[0].as_py() for values in columns.categories.values()]
    assert len(version) <= MAX_VERSION
    assert len(category) <= MAX_CATEGORY
    assert not set(version) & {chr(code) for code in (*range(32), *range(127, 160))}
    registry = CollectorRegistry()
    names = ["version", "predicted", "category", "feature"]
    values = [version, predicted, category, feature]
    Gauge("probe", "p", names, registry=registry).labels(*values).set(1)
    (family,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert [sample.labels for sample in family.samples] == [dict(zip(names, values, strict=True))]


def test_a_row_over_the_block_size_in_parquet() -> None:
    """Parquet holds rows of any length up to its page limit: a row of 20 MB is read."""
    table = pa.table({"prediction": [1, 0], "feature_a": ["x" * 20 * MIB, "y"]})
    buffer = io.BytesIO(written(table, use_dictionary=False, write_statistics=False))
    assert sum(len(chunk) for chunk in decoded(buffer.getvalue(), "a.parquet")) == 2
