"""`.json` documents."""

from typing import Any

import pandas as pd
import pytest

from batch.samples import row_dicts
from driftgauge.batch import documents, json_text
from driftgauge.batch.documents import read_document
from driftgauge.batch.frames import frame_records
from driftgauge.batch.reasons import tally
from driftgauge.errors import BatchError


def read(text: str, skip: int = 0) -> list[dict[str, Any]]:
    """Return the records of a document."""
    pieces = (text.encode()[at : at + 16] for at in range(0, len(text.encode()), 16))
    return row_dicts(read_document(pieces, skip=skip))


@pytest.mark.parametrize(
    ("description", "text", "expected"),
    [
        ("one record", ' {"a": 1}\n', [{"a": 1}]),
        ("a pretty record", '{\n "a": 1,\r\n "b": "x\\ny"\n}', [{"a": 1, "b": "x\ny"}]),
        ("an array", '[{"a": 1}, {"a": null},\n {"a": 3}]', [{"a": 1}, {}, {"a": 3}]),
        ("an empty array", "[\n]", []),
        ("other elements than records", '[1, {"a": 2}, null]', [{}, {"a": 2}, {}]),
        ("a table", '{"columns": ["a", "b"], "data": [[1, "x"], [2, null]]}', [{"a": 1, "b": "x"}, {"a": 2}]),
        ("a wrapped table", '{"dataframe_split": {"index": [0], "columns": ["a"], "data": [[1]]}}', [{"a": 1}]),
        ("a table with objects", '{"columns": ["f"], "data": [[{"a": 1}]]}', [{"f.a": 1, "f": b""}]),
        ("columns of the same name", '{"columns": ["a", "a"], "data": [[1, 2]]}', [{"a": 1}]),
        ("names that are numbers", '{"columns": [0], "data": [[1]]}', [{"0": 1}]),
        ("a record that only looks like a table", '{"columns": 1, "data": [1, 2]}', [{"columns": 1, "data": b""}]),
        ("NaN", '[{"a": 1, "b": NaN}]', [{"a": 1}]),
        ("objects one after another", '{"a": 1}{"a": 2} {"b": {"c": 3}}', [{"a": 1}, {"a": 2}, {"b.c": 3, "b": b""}]),
        ("indented objects", '{\n "a": "x"\n}\n{\n "a": "}{"\n}\n', [{"a": "x"}, {"a": "}{"}]),
        ("records of a request", '{"dataframe_records": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
    ],
)
def test_forms(description: str, text: str, expected: list[dict[str, Any]]) -> None:
    """Records, arrays and tables give rows."""
    assert read(text) == expected, description


FRAME = pd.DataFrame({"id": ["r1", "r2"], "timestamp": ["t1", "t2"], "age": [1.5, None], "prediction": [0, 1]})
RECORDS = [
    {"id": "r1", "timestamp": "t1", "age": 1.5, "prediction": 0},
    {"id": "r2", "timestamp": "t2", "prediction": 1},
]


@pytest.mark.parametrize("index", [None, "text", "dates", "named"])
@pytest.mark.parametrize("layout", ["records", "split", "columns", "index", "table"])
def test_layouts_of_a_data_frame(layout: Any, index: str | None) -> None:
    """Each layout of `to_json` that names the columns gives the rows of the frame, whatever its index."""
    frame = FRAME
    if index is not None:
        kept = {"text": ["a", "b"], "dates": pd.to_datetime(["2026-01-05", "2026-01-06"]), "named": ["a", "b"]}[index]
        frame = FRAME.set_index(pd.Index(kept, name="level_0" if index == "named" else None))
    assert read(frame.to_json(orient=layout, date_format="iso")) == RECORDS


@pytest.mark.parametrize("layout", ["columns", "index"])
def test_layouts_of_a_training_table(layout: Any) -> None:
    """Without a name that plays a role, the numbers of the rows tell which side is which."""
    frame = pd.DataFrame({"age": [1, 2], "plan": ["a", "b"]})
    assert read(frame.to_json(orient=layout)) == [{"age": 1, "plan": "a"}, {"age": 2, "plan": "b"}]


@pytest.mark.parametrize(
    "record",
    [
        {"inputs": {"a": 1}, "outputs": {"a": 2}},
        {"features": {"a": 1}, "outputs": {"prediction": 1}},
        {"features": {"a": 1, "b": 2}},
        {"schema": {"fields": 1}, "data": [1]},
        {"features": {}},
        {},
    ],
)
def test_records_that_are_no_frame(record: dict[str, Any]) -> None:
    """Objects within one record do not make it a data frame."""
    assert frame_records(record) is None


def test_broken_rows_of_a_frame() -> None:
    """What is no record within a layout of records is rejected alone."""
    text = b'{"schema": {"fields": []}, "data": [{"a": 1}, 5, {"a": 2}]}'
    (rows,) = read_document(iter([text]), skip=0)
    assert tally(rows.reasons) == {"not_an_object": 1}
    assert row_dicts([rows]) == [{"a": 1}, {}, {"a": 2}]


def test_broken_rows_of_a_table() -> None:
    """A row that does not fit the columns is rejected alone."""
    text = b'{"columns": ["a"], "data": [[1], [1, 2], {"a": 1}, [4]]}'
    (rows,) = read_document(iter([text]), skip=0)
    assert tally(rows.reasons) == {"invalid_row": 2}
    assert row_dicts([rows]) == [{"a": 1}, {}, {}, {"a": 4}]


@pytest.mark.parametrize(
    "text",
    ["", "  ", "5", "null", '"x"', '{"a": 1', "{} 1", "{} [{}]", '{"a": 1}{"a"',
     "[", "[1", "[1,]", "[1 2]", "[1}", "[1] x", "[{}", "[" * 100_000,
     '{"a": ' * 100_000, "[" + "9" * 5_000 + "]"],
)  # fmt: skip
def test_broken_documents(text: str) -> None:
    """A document that is not JSON, or no record, array or table, says where it breaks."""
    with pytest.raises(BatchError, match=r"cannot be read at character \d+: .*; log the file again\.$") as caught:
        list(read_document(iter([text.encode()]), skip=0))
    assert caught.value.reason == "invalid_json"


@pytest.mark.parametrize("skip", range(6))
def test_skipping_and_blocks(monkeypatch: pytest.MonkeyPatch, skip: int) -> None:
    """Long arrays and tables come in several blocks, which skipping crosses."""
    monkeypatch.setattr(documents, "BLOCK_BYTES", 16)
    monkeypatch.setattr(documents, "_TABLE_ROWS", 2)
    expected = [{"a": at} for at in range(5)][skip:]
    assert read('[{"a": 0}, {"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]', skip) == expected
    assert read('{"columns": ["a"], "data": [[0], [1], [2], [3], [4]]}', skip) == expected


def test_short_elements_are_taken_a_bounded_number_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of very many elements is never one list of them."""
    monkeypatch.setattr(documents, "MOST_LINES", 2)
    blocks = list(read_document(iter([b'[{"a": 0}, {"a": 1}, {"a": 2}]']), skip=0))
    assert [len(rows) for rows in blocks] == [2, 1]
    assert [row["a"] for row in row_dicts(blocks)] == [0, 1, 2]


@pytest.mark.parametrize("skip", [0, 1, 3])
def test_a_document_over_the_window_is_read_as_a_table(monkeypatch: pytest.MonkeyPatch, skip: int) -> None:
    """Wrapped or not, its columns come before its data, and nothing after its data matters."""
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 24)
    table = '{"index": [7], "columns": ["a"], "data": [[0], [1, 1], [2]], "more": "and more of it"}'
    expected = [{"a": 0}, {}, {"a": 2}][skip:]
    assert read(table, skip) == expected
    assert read('{"dataframe_split": ' + table + "}", skip) == expected


@pytest.mark.parametrize("skip", [0, 1, 3])
@pytest.mark.parametrize(
    "text",
    [
        '{"schema": {"fields": []}, "data": [{"a": 0}, {"a": 1}, {"a": 2}], "more": "and more of it"}',
        '{"a": 0}{"a": 1}{"a": 2}                         ',
        '{"a": 0, "b": "more of it"}{"a": 1}{"a": 2}',
    ],
)
def test_long_frames_and_sequences(monkeypatch: pytest.MonkeyPatch, text: str, skip: int) -> None:
    """A table of records, and objects one after another, are read a piece at a time."""
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 24)
    assert [row["a"] for row in read(text, skip)] == [0, 1, 2][skip:]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"data": [[0], [1], [2], [3], [4], [5]], "columns": ["a"]}', "too_large"),
        ('{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}', "too_large"),
        ('{"columns": ["a"], "data": [[0], [1] [2], [3], [4]]}', "invalid_json"),
        ('{"columns": ["a"] "data": [[0], [1], [2], [3], [4]]}', "invalid_json"),
    ],
)
def test_documents_over_the_window_that_are_refused(monkeypatch: pytest.MonkeyPatch, text: str, reason: str) -> None:
    """A long record, and a table that names its columns after its data, cannot be streamed."""
    monkeypatch.setattr(json_text, "BLOCK_BYTES", 24)
    with pytest.raises(BatchError) as caught:
        read(text)
    assert caught.value.reason == reason
