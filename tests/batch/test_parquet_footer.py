"""The footer of Parquet files; pyarrow's own metadata is the oracle."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from batch.hostile import column_chunk, parquet_footer, row_group, schema_element, written
from driftgauge.batch.parquet_footer import Chunk, Leaf, read_layout
from driftgauge.errors import BatchError

TABLE = pa.table(
    {
        "a": [1, 2, 3],
        "t": ["x", "y", None],
        "f": [{"x": 1.5, "l": ["p", "q"]}, {"x": None, "l": []}, None],
        "d": pa.array(["u", "v", "u"]).dictionary_encode(),
    }
)


@pytest.mark.parametrize(
    "options", [{}, {"row_group_size": 2}, {"use_dictionary": False}, {"data_page_version": "2.0"}, {"version": "1.0"}]
)
def test_a_layout_is_what_arrow_reads(options: dict[str, Any]) -> None:
    """Columns, row groups and the places of their pages agree with pyarrow's."""
    data = written(TABLE, **options)
    layout = read_layout(io.BytesIO(data), 1_000)
    metadata = pyarrow.parquet.read_metadata(io.BytesIO(data))
    schema = [metadata.schema.column(at) for at in range(metadata.num_columns)]
    assert layout.leaves == tuple(
        Leaf(column.path, column.physical_type == "BYTE_ARRAY", column.max_repetition_level > 0) for column in schema
    )
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    assert [group.rows for group in layout.groups] == [group.num_rows for group in groups]
    for group, expected in zip(layout.groups, groups, strict=True):
        for at, chunk in enumerate(group.chunks):
            column = expected.column(at)
            start = column.dictionary_page_offset or column.data_page_offset
            assert chunk == Chunk(column.num_values, start, start + column.total_compressed_size)


R, X = schema_element(b"r", children=1), schema_element(b"x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"PAR1\x00\x00\x00\x00PARE", "no footer", id="no magic word"),
        pytest.param(b"\xff\x00\x00\x00PAR1", "no footer", id="longer than the file"),
        pytest.param(b"PAR1", "no footer", id="nothing"),
        pytest.param(b"PAR1\x15\x01\x00\x00\x00PAR1", "cut off", id="cut off"),
        pytest.param(
            parquet_footer([R, X], groups=[row_group(1)]), "0 columns, the schema 1", id="a group with too few columns"
        ),
        pytest.param(
            parquet_footer([R, X], groups=[row_group(-1, [column_chunk()])]),
            "less than no rows",
            id="less than no rows",
        ),
        pytest.param(
            parquet_footer([R, X], groups=[row_group(1, [b"\x00"])]), "negative size", id="a column without a place"
        ),
    ],
)
def test_what_is_no_footer(data: bytes, message: str) -> None:
    """Damage says what it is."""
    with pytest.raises(ValueError, match=message):
        read_layout(io.BytesIO(data), 1_000)


def test_cells_are_bounded() -> None:
    """Rows times columns may reach the bound, and not pass it."""
    data = parquet_footer([R, X], groups=[row_group(600, [column_chunk()]), row_group(400, [column_chunk()])])
    assert sum(group.rows for group in read_layout(io.BytesIO(data), 1_000).groups) == 1_000
    with pytest.raises(BatchError) as caught:
        read_layout(io.BytesIO(data), 999)
    assert caught.value.reason == "too_large"
    assert str(caught.value).startswith("The Parquet file declares 1000 rows of 1 columns, over 999 values;")
