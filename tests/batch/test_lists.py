"""Lists as columns."""

import pyarrow as pa
import pytest

from batch.samples import plain
from driftgauge.batch.lists import MAX_LIST, length, spread
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import Rows


@pytest.mark.parametrize(
    ("lists", "expected"),
    [([[1, 2], None, [3, 4]], 2), ([[1], [2, 3]], 0), ([None], 0), ([[], []], 0)],
)
def test_length(lists: list[list[int] | None], expected: int) -> None:
    """Only lists that are all as long have places."""
    assert length(pa.array(lists, pa.list_(pa.int64()))) == expected
    assert length(None) == 0


def test_spread() -> None:
    """Wanted lists of one length become columns, up to a number of places."""
    lists = {"a": pa.array([["x", "y"]]), "b": pa.array([[1, 2]]), "c": pa.array([[0] * (MAX_LIST + 1)])}
    rows = Rows({name: pa.array([b""], pa.binary()) for name in lists}, all_fine(1), lists=lists)
    found = spread(rows, lambda path: path != "b")
    assert {path: plain(column) for path, column in found.columns.items() if "." in path} == {
        "a.0": ["x"],
        "a.1": ["y"],
    }
