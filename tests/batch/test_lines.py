"""Lines found in a block, against Python's own splitting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.batch.lines import Lines


@given(block=st.lists(st.sampled_from([b"a", b"{", b"}", b"[:", b"\n", b"\n\n", b" ", b"\r\n", b"\t"])).map(b"".join))
def test_every_line_that_is_not_blank(block: bytes) -> None:
    """Lines, their number, their length and what is in them are those that Python finds one by one."""
    expected = [line.strip() for line in block.split(b"\n") if line.strip()]
    lines = Lines.within(block)
    assert list(lines) == expected
    assert len(lines) == len(expected)
    assert lines.longest == max(map(len, expected), default=0)
    assert lines.counts(b"{[").tolist() == [line.count(b"{") + line.count(b"[") for line in expected]
    assert lines.enclosed(b"{", b"}") == all(line[:1] == b"{" and line[-1:] == b"}" for line in expected)
    assert lines.block == b"\n".join(expected)


@pytest.mark.parametrize(("start", "end"), [(0, 3), (1, 2), (1, 9), (2, 2), (3, 9)])
def test_span(start: int, end: int) -> None:
    """Some of the lines are lines of a block of their own."""
    lines = [b"one", b"two", b"{three}"]
    found = Lines.of(lines).span(start, end)
    assert list(found) == lines[start:end]
    assert found.block == b"\n".join(lines[start:end])
    assert found.counts(b"e").tolist() == [line.count(b"e") for line in lines[start:end]]
