"""Blocks of rows cut to pieces, and what follows the rows that were read before."""

import pyarrow as pa
import pytest

from batch.samples import plain
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import Rows, after


def numbered(count: int, start: int = 0) -> Rows:
    """Return rows that count."""
    return Rows({"x": pa.array(range(start, start + count))}, all_fine(count), untyped=True)


def test_pieces() -> None:
    """Rows come out in order, a bounded number at a time, with what is known about them."""
    pieces = list(numbered(7).pieces(3))
    assert [plain(piece.columns["x"]) for piece in pieces] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [len(piece) for piece in pieces] == [3, 3, 1]
    assert all(piece.untyped for piece in pieces)


@pytest.mark.parametrize(("skip", "expected"), [(0, [0, 1, 2, 3]), (1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (9, [])])
def test_after(skip: int, expected: list[int]) -> None:
    """Skipping does not care where blocks end."""
    left = after(iter([numbered(2), numbered(2, start=2)]), skip)
    assert [x for rows in left for x in plain(rows.columns["x"])] == expected
