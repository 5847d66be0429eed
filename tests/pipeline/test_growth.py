"""Files that grow and files that were replaced."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from driftgauge.errors import BatchError
from driftgauge.pipeline.growth import grown_content, reading_at, refuse_rewritten, taking_at


@pytest.mark.parametrize(
    ("description", "path", "before", "after"),
    [
        ("rows appended", "a.jsonl", b"{}\n", b"{}\n{}\n"),
        ("rows appended to CSV", "A.CSV", b"a\n1\n", b"a\n1\n2\n"),
        ("nothing changed", "a.ndjson", b"{}\n", b"{}\n"),
        ("a table written anew", "a.json", b'{"data":[1]}', b'{"data":[1, 2]}'),
        ("a longer archive", "a.jsonl.gz", b"short", b"quite different"),
    ],
)
def test_growth(description: str, path: str, before: bytes, after: bytes) -> None:
    """A file that continues what it held is read on, again and again."""
    content = grown_content(*taking_at(before), path, "")
    content = grown_content(*taking_at(after), path, content)
    assert grown_content(*taking_at(after + b"more"), path, content) != content, description


@pytest.mark.parametrize(
    ("description", "path", "before", "after"),
    [
        ("other rows", "a.jsonl", b'{"a":1}\n', b'{"a":2}\n{"a":3}\n'),
        ("fewer rows", "a.csv", b"a\n1\n2\n", b"a\n1\n"),
        ("a smaller table", "a.json", b'{"data":[1,2]}', b'{"data":[1]}'),
    ],
)
def test_replacement(description: str, path: str, before: bytes, after: bytes) -> None:
    """A file that no longer begins with what was counted is refused with a reason of its own."""
    content = grown_content(*taking_at(before), path, "")
    with pytest.raises(BatchError, match="Log new rows under a new name") as caught:
        grown_content(*taking_at(after), path, content)
    assert caught.value.reason == "replaced", description


def test_files_are_read_where_they_are(tmp_path: Path) -> None:
    """An open file has the content of its bytes, wherever its position is, which stays where it was."""
    data = bytes(range(256)) * 10_000
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(1_000)
        assert grown_content(*reading_at(file), path.name, "") == grown_content(*taking_at(data), path.name, "")
        assert file.tell() == 1_000


@pytest.mark.parametrize(
    ("name", "after", "fine"),
    [
        ("a.jsonl", b"{}\n{}\n", True),
        ("a.jsonl", b'{"a": 1}\n', False),
        ("a.csv", b"", False),
        ("a.json", b"{}\n{}\n", False),
        ("a.parquet", b"{}\n", False),
    ],
)
def test_a_file_that_is_written_to_while_it_is_read(tmp_path: Path, name: str, after: bytes, *, fine: bool) -> None:
    """Rows that are appended harm nobody; a file that is written again is read again later."""
    path = tmp_path / name
    path.write_bytes(b"{}\n")
    os.utime(path, ns=(0, 0))
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        content = grown_content(*reading_at(file), name, "")
        refuse_rewritten(file, name, content, before=before)
        path.write_bytes(after)
        with nullcontext() if fine else pytest.raises(BatchError, match="rewritten while it was read"):
            refuse_rewritten(file, name, content, before=before)


def test_parts_of_a_large_file() -> None:
    """Of a large file that is written as a whole, parts are enough; its beginning and its end are among them."""
    data = bytearray(os.urandom(17 << 20))
    known = grown_content(*taking_at(bytes(data)), "a.parquet", "", whole=False)
    assert grown_content(*taking_at(bytes(data)), "a.parquet", "", whole=False) == known
    assert grown_content(*taking_at(bytes(data)), "a.parquet", "") != known
    assert grown_content(*taking_at(bytes(data)), "a.jsonl", "", whole=False).rpartition(":")[2][0] != "~"
    for at in (0, len(data) - 1):
        other = bytearray(data)
        other[at] ^= 1
        assert grown_content(*taking_at(bytes(other)), "a.parquet", "", whole=False) != known
    with pytest.raises(BatchError):
        grown_content(*taking_at(bytes(data[:-1])), "a.parquet", known, whole=False)
