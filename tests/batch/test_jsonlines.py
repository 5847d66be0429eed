"""JSON lines, clean and dirty."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.samples import row_dicts
from driftgauge.batch import jsonlines, streams
from driftgauge.batch.jsonlines import RecordReader, one_by_one, read_json_lines
from driftgauge.batch.lines import Lines
from driftgauge.batch.reasons import tally
from driftgauge.batch.records import PathLimit
from driftgauge.batch.rows import MAX_COLUMNS, Rows


def lines_of(*records: Any) -> list[bytes]:
    """Write each record as JSON."""
    return [json.dumps(record).encode() for record in records]


@pytest.mark.parametrize(
    ("description", "lines"),
    [
        ("scalars", lines_of({"a": 1, "b": 0.5, "c": "x", "d": True, "e": None}, {"a": 2})),
        ("objects", lines_of({"f": {"a": 1, "n": {"b": "x"}}}, {"f": None}, {"f": {}}, {})),
        ("lists", lines_of({"a": [1, 2], "b": []}, {"a": None})),
        ("numbers that widen", lines_of({"a": 1}, {"a": 0.5})),
        ("text like dates", lines_of({"a": "2026-01-05", "f": {"b": "2026-01-05T10:30:00+01:00"}})),
        ("NaN and infinity", [b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1}']),
        ("unicode", ['{"ä": "Zürich 😀"}'.encode(), rb'{"b": "\ud83d\ude00\u0000"}']),
        ("extreme whole numbers", lines_of({"a": 2**63 - 1}, {"a": -(2**63)})),
    ],
)
def test_both_ways_agree(description: str, lines: list[bytes]) -> None:
    """The columnar parser and Python's give the same types and values."""
    clean = RecordReader().columnar(Lines.of(lines))
    assert clean is not None, description
    patient = one_by_one(Lines.of(lines), PathLimit())
    assert in_name_order(clean) == in_name_order(patient)
    assert types_of(clean) == types_of(patient)


def in_name_order(rows: Rows) -> str:
    """Spell records out, for NaN and the types of numbers to count."""
    return repr([dict(sorted(row.items())) for row in row_dicts([rows])])


def types_of(rows: Rows) -> dict[str, Any]:
    """Return the types of columns that hold anything."""
    return {path: column.type for path, column in rows.columns.items() if column.null_count < len(rows)}


@pytest.mark.parametrize(
    ("description", "lines"),
    [
        ("a null, which crashes the columnar parser", [b"null"]),
        ("a null behind a record", [b'{"a": 1} null', b'{"a": 1}']),
        ("two records in one line", [b'{"a": 1} {"a": 2}']),
        ("nesting that would exhaust its stack", [b'{"a": ' * 100_000 + b"1" + b"}" * 100_000]),
        ("open brackets", [b"{" + b"[" * 100_000 + b"}"]),
        ("a record over two lines", [b'{"a":', b"1}"]),
        ("a value that is no record", [b"[1]"]),
        ("bytes that are not UTF-8", [b'{"a": "\xe9"}']),
        ("mixed types", [b'{"a": 1}', b'{"a": "x"}']),
        ("a name twice", [b'{"a": 1, "a": 2}']),
        ("a path twice", [b'{"a.b": 1, "a": {"b": 2}}']),
        ("an identifier beyond 64 bits", [b'{"id": 12345678901234567890}']),
        ("half a surrogate pair", [rb'{"a": "\ud800"}']),
    ],
)
def test_what_only_python_reads(description: str, lines: list[bytes]) -> None:
    """The columnar parser is not given, or gives up on, what it cannot read exactly."""
    assert RecordReader().columnar(Lines.of(lines)) is None, description


def test_broken_lines_affect_only_themselves() -> None:
    """Each line that is no record is rejected with its reason, and the others keep their exact values."""
    lines = [
        b'{"a": 1, "id": 12345678901234567890}',
        b'{"a": "x"',
        b"null",
        b"[1]",
        b'{"a": "\xe9"}',
        b'{"a": ' * 100_000,
        rb'{"a": "\ud800!", "\udc00": 1}',
        b'{"a": [1, 2]}',
        b'{"a": 1, "a": 2}',
        b'{"n": ' + b"9" * 5_000 + b"}",
        b'{"a": 1} {"a": 2}',
    ]
    rows = one_by_one(Lines.of(lines), PathLimit())
    assert tally(rows.reasons) == {"invalid_json": 5, "not_an_object": 2}
    assert row_dicts([rows.slice(0, 1), rows.slice(6, 3)]) == [
        {"a": "1", "id": "12345678901234567890"},
        {"a": "?!", "?": 1},
        {"a": "\x00"},
        {"a": "2"},
    ]


def test_text_stays_text_for_the_rest_of_the_file() -> None:
    """Once a column was mistaken for dates it is read as written, in later blocks from the start."""
    reader = RecordReader()
    first = reader.columnar(Lines.of(lines_of({"id": "2026-01-05", "f": {"day": "2026-01-05T00:00:00Z"}})))
    second = reader.columnar(Lines.of(lines_of({"id": "2026-01-06 00:00:00", "x": "2026-01-07"})))
    assert first is not None
    assert second is not None
    assert row_dicts([first, second]) == [
        {"id": "2026-01-05", "f.day": "2026-01-05T00:00:00Z", "f": b""},
        {"id": "2026-01-06 00:00:00", "x": "2026-01-07"},
    ]


def test_one_bad_line_slows_down_only_its_surroundings() -> None:
    """Of many records only the piece around a broken line is read one by one."""
    lines = lines_of(*({"a": at} for at in range(10_000)))
    lines[5_000] = b"broken"
    blocks = list(RecordReader().rows(Lines.of(lines)))
    assert [len(rows) for rows in blocks] == [2_048, 2_048, 2_048, 2_048, 1_808]
    assert [tally(rows.reasons) for rows in blocks] == [{}, {}, {"invalid_json": 1}, {}, {}]
    assert [row.get("a") for row in row_dicts(blocks)] == [at if at != 5_000 else None for at in range(10_000)]


def test_names_that_keep_coming_do_not_fill_the_memory() -> None:
    """Data used as names is read in small pieces, each with a bounded number of columns."""
    lines = lines_of(*({"features": {f"user-{at}": 1}} for at in range(5_000)))
    blocks = list(RecordReader().rows(Lines.of(lines)))
    assert sum(len(rows) for rows in blocks) == 5_000
    assert max(len(rows) * len(rows.columns) for rows in blocks) <= 2_048 * 2_049
    wide = RecordReader().columnar(Lines.of(lines_of({str(at): 1 for at in range(MAX_COLUMNS + 1)})))
    assert wide is None


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 4, 7])
def test_lines_are_rows(monkeypatch: pytest.MonkeyPatch, skip: int) -> None:
    """Blank lines are no rows, line ends may be of Windows, and skipping counts rows across blocks."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 10)
    data = b'{"a":1}\r\n\n  \n{"a":2}\nx\n\n{"a":4}'
    pieces = iter([data[at : at + 10] for at in range(0, len(data), 10)])
    blocks = list(read_json_lines(pieces, skip))
    assert [row.get("a") for row in row_dicts(blocks)] == [1, 2, None, 4][skip:]


@pytest.mark.parametrize("skip", [0, 2, 3, 5])
def test_short_lines_are_taken_a_bounded_number_at_a_time(monkeypatch: pytest.MonkeyPatch, skip: int) -> None:
    """A block of very many lines is never one list of them; skipping counts across its parts."""
    monkeypatch.setattr(jsonlines, "MOST_LINES", 3)
    blocks = list(read_json_lines(iter([b'{"a":0}\n{"a":1}\n\n{"a":2}\n{"a":3}\n{"a":4}\n{"a":5}']), skip))
    assert [row["a"] for row in row_dicts(blocks)] == list(range(skip, 6))
    assert max(len(rows) for rows in blocks) <= 3


def test_records_longer_than_a_native_block() -> None:
    """A line over one MiB is read all the same."""
    lines = lines_of({"a": "x" * 2 * jsonlines._ONE_MIB}, {"a": "y"})
    assert [len(row["a"]) for row in row_dicts(RecordReader().rows(Lines.of(lines)))] == [2 * 2**20, 1]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc."), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.no_cover
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "a.b"]), json_values, max_size=3), min_size=1, max_size=6))
@settings(deadline=None)
def test_any_records_are_read_alike(records: list[dict[str, Any]]) -> None:
    """Whenever the columnar parser reads records at all, Python's parser finds the same in them."""
    lines = lines_of(*records)
    clean = RecordReader().columnar(Lines.of(lines))
    if clean is not None:
        assert in_name_order(clean) == in_name_order(one_by_one(Lines.of(lines), PathLimit()))
