"""CSV files."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.samples import row_dicts
from driftgauge.batch import delimited, streams
from driftgauge.batch.delimited import read_csv
from driftgauge.batch.reasons import tally
from driftgauge.batch.rows import MAX_COLUMNS, Rows
from driftgauge.batch.streams import text_pieces
from driftgauge.errors import BatchError


def blocks(data: bytes) -> list[Rows]:
    """Return the blocks of a file."""
    return list(read_csv(text_pieces(io.BytesIO(data), compressed=False, max_bytes=1)))


@pytest.mark.parametrize(
    ("description", "data", "expected"),
    [
        ("text stays as written", b"id,v\n007,1.10\n", [{"id": "007", "v": "1.10"}]),
        ("dates stay text", b"id\n2026-01-05\n", [{"id": "2026-01-05"}]),
        ("empty cells", b'a,b\n,""\n', [{"a": "", "b": ""}]),
        ("semicolons", b"a;b\n1.5;x\n", [{"a": "1.5", "b": "x"}]),
        ("bars", b"a|b\n1|x\n", [{"a": "1", "b": "x"}]),
        ("a named separator", b"sep=;\na;b,c\n1;x,y\n", [{"a": "1", "b,c": "x,y"}]),
        ("a named separator, Windows", b"sep=;\r\n\r\na;b\r\n1;x\r\n", [{"a": "1", "b": "x"}]),
        ("a named separator in quotes", b'"sep=|"\na|b;c;d\n1|x\n', [{"a": "1", "b;c;d": "x"}]),
        ("a named tab", b"\xef\xbb\xbfsep=\t\na\tb\n1\tx\n", [{"a": "1", "b": "x"}]),
        ("a named separator and no rows", b"sep=;\na;b", []),
        ("a column that begins like one", b"sep=;x\n1;2\n", [{"sep=": "1", "x": "2"}]),
        (
            "decimal commas",
            b"a;b\n1,5;x\n-2;y\n,5;z\n",
            [{"a": "1.5", "b": "x"}, {"a": "-2", "b": "y"}, {"a": ",5", "b": "z"}],
        ),
        (
            "grouped thousands",
            b"a\tb\n1.234,5\t1.5\n1.500\t2\n",
            [{"a": "1234.5", "b": "1.5"}, {"a": "1500", "b": "2"}],
        ),
        (
            "missing cells next to decimal commas",
            b"a;b\nNA;1\n1,5;2\n",
            [{"a": "NA", "b": "1"}, {"a": "1.5", "b": "2"}],
        ),
        ("an exponent", b"a;b\n1,5e-3;1\n", [{"a": "1.5e-3", "b": "1"}]),
        (
            "text with commas",
            b"a;b\n1,5;1\nx, y;2\nz;3\nz;4\n",
            [{"a": "1,5", "b": "1"}, {"a": "x, y", "b": "2"}, {"a": "z", "b": "3"}, {"a": "z", "b": "4"}],
        ),
        ("quoted commas between commas", b'a,b\n"1,5",x\n', [{"a": "1,5", "b": "x"}]),
        ("tabs", b"a\tb\n1\tx\n", [{"a": "1", "b": "x"}]),
        ("quotes", b'a,"b, c"\n"x, ""y""","1\n2"\n', [{"a": 'x, "y"', "b, c": "1\n2"}]),
        ("a quoted newline in the header", b'"a\nb",c\n1,2\n', [{"a\nb": "1", "c": "2"}]),
        ("Windows line ends", b"a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("no newline at the end", b"a\n1", [{"a": "1"}]),
        ("blank lines", b"\n\na\n\n1\n\n2\n", [{"a": "1"}, {"a": "2"}]),
        ("the first of a name counts", b"a,b,a\n1,2,3\n", [{"a": "1", "b": "2"}]),
        ("an index without a name", b",a\n0,1\n", [{"a": "1"}]),
        ("spaces around names", b"a , b\n1,2\n", [{"a": "1", "b": "2"}]),
        ("a UTF-8 mark", b"\xef\xbb\xbfa\n1\n", [{"a": "1"}]),
        ("only a header", b"a,b", []),
    ],
)
def test_rows(description: str, data: bytes, expected: list[dict[str, Any]]) -> None:
    """Cells come out as text under the header's names."""
    assert row_dicts(blocks(data)) == expected, description


def test_decimal_commas_are_a_property_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a point means in a column does not change from one block to the next."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 12)
    data = b"a;b\n2,5;1\n" + b"1.500;1\n" * 8
    found = blocks(data)
    assert len(found) > 1
    assert [row["a"] for row in row_dicts(found)] == ["2.5", *["1500"] * 8]


def test_ragged_rows_are_rejected_in_place() -> None:
    """Rows with too few or too many cells are rejected; the others keep their position."""
    (rows,) = blocks(b"a,b\n1,2\n3\n\n4,5,6\n7,8\n9\n")
    assert tally(rows.reasons) == {"invalid_row": 3}
    assert row_dicts([rows]) == [{"a": "1", "b": "2"}, {}, {}, {"a": "7", "b": "8"}, {}]


def test_a_file_of_ragged_rows_only() -> None:
    """Every row counts even if none can be used."""
    (rows,) = blocks(b"a,b\n1\n2\n")
    assert (len(rows), tally(rows.reasons)) == (2, {"invalid_row": 2})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\n\r\n", "invalid_csv"),
        (b",".join(b"c%d" % at for at in range(MAX_COLUMNS + 1)), "invalid_csv"),
        (b'"' + b"x" * 200_000 + b'"\n', "invalid_csv"),
        (b"\xe9\n1\n", "wrong_encoding"),
        (b"a\n\xe9\n", "wrong_encoding"),
    ],
)
def test_files_that_are_refused(data: bytes, reason: str) -> None:
    """A header that cannot be read, and text that is not UTF-8."""
    with pytest.raises(BatchError) as caught:
        blocks(data)
    assert caught.value.reason == reason


def test_cells_longer_than_a_native_block() -> None:
    """A cell over one MiB is read all the same."""
    (row,) = row_dicts(blocks(b"a,b\n1," + b"x" * (2 * delimited._ONE_MIB) + b"\n"))
    assert len(row["b"]) == 2 * 2**20


@pytest.mark.parametrize("size", [12, 20, 33])
def test_blocks_do_not_cut_quoted_newlines(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A newline inside quotes is no place to cut."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", size)
    rows = [{"a": str(at), "b": f'x\n"{at}"\ny'} for at in range(8)]
    quote = '""'
    data = "a,b\n" + "".join(f'{row["a"]},"{row["b"].replace(chr(34), quote)}"\n' for row in rows)
    result = blocks(data.encode())
    assert len(result) > 1
    assert row_dicts(result) == rows


def test_a_lone_quote_does_not_hold_up_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote inside a cell, as in 5 inches, upsets the count of quotes but not the rows."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 16)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 16)
    data = b"id,size\n" + b"".join(b'%d,5" pipe\n' % at if at == 3 else b"%d,tube\n" % at for at in range(20))
    assert [row["id"] for row in row_dicts(blocks(data))] == [str(at) for at in range(20)]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=6)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=10), st.integers(16, 64))
@settings(deadline=None)
def test_round_trip(rows: list[tuple[str, str]], size: int) -> None:
    """Any text comes back from a file that a CSV writer wrote, wherever the blocks end."""
    buffer = io.BytesIO()
    pa.csv.write_csv(pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]}), buffer)
    data = buffer.getvalue()
    pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
    assert [(row["a"], row["b"]) for row in row_dicts(read_csv(pieces))] == rows
