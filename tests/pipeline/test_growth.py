"""Files that grow and files that were replaced."""

from io import BytesIO

import pytest

from driftgauge.errors import BatchError
from driftgauge.pipeline.growth import grown_content


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
    content = grown_content(BytesIO(before), path, "")
    file = BytesIO(after)
    content = grown_content(file, path, content)
    assert file.tell() == 0, description
    assert grown_content(BytesIO(after + b"more"), path, content) != content


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
    content = grown_content(BytesIO(before), path, "")
    with pytest.raises(BatchError, match="Log new rows under a new name") as caught:
        grown_content(BytesIO(after), path, content)
    assert caught.value.reason == "replaced", description
