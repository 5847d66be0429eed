"""The buffer takes rows and batches up to its limit, in order, and counts the rows in it."""

from types import SimpleNamespace

import pytest

from driftgauge.client.buffer import Buffer


def test_rows_and_batches_come_out_in_order() -> None:
    """A row is a tuple; each batch counts as one more than its rows until it is taken."""
    buffer = Buffer(10)
    batch = SimpleNamespace(rows=3)

    buffer.items.append(("a", 1))
    assert buffer.put(batch)
    buffer.items.append(("b", 2))

    assert buffer.rows == 6
    assert [buffer.take(), buffer.take(), buffer.rows, buffer.take()] == [("a", 1), batch, 1, ("b", 2)]
    with pytest.raises(IndexError):
        buffer.take()


def test_a_batch_fits_whole_or_not_at_all() -> None:
    """One that would exceed the limit leaves the buffer as it was."""
    buffer = Buffer(4)
    assert buffer.put(SimpleNamespace(rows=2))
    assert not buffer.put(SimpleNamespace(rows=2))
    assert buffer.rows == 3


def test_a_closed_buffer_takes_nothing() -> None:
    """With a capacity of 0 even the smallest batch is refused."""
    assert not Buffer(0).put(SimpleNamespace(rows=1))
