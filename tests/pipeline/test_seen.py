"""Which rows of a file have counted, through growth, another reading, and text."""

import numpy as np
import pytest

from driftgauge.pipeline.seen import ACCEPTED, REJECTED, Seen


def seen(rows: int, accepted: list[int], rejected: list[int] | None = None, *, set_aside: bool = False) -> Seen:
    """Return rows at these positions."""
    found = Seen.of(rows, {ACCEPTED: np.array(accepted, int), REJECTED: np.array(rejected or [], int)})
    return Seen(found.rows, found.marks, set_aside)


def positions(of: Seen) -> tuple[int, list[int], list[int], bool]:
    """Return all of it in plain values."""
    found = [np.flatnonzero(of.marks[name]).tolist() if name in of.marks else [] for name in (ACCEPTED, REJECTED)]
    return of.rows, found[0], found[1], of.set_aside


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("grown", seen(3, [0, 2], [1]).then(seen(2, [1])), (5, [0, 2, 4], [1], False)),
        ("two readings", seen(3, [0], [1, 2]).also(seen(4, [1], [3])), (4, [0, 1], [1, 2, 3], False)),
        ("a file set aside once", Seen(set_aside=True).also(seen(2, [0, 1])), (2, [0, 1], [], True)),
        ("a part", seen(5, [0, 1, 4], [2]).part(1, 3), (3, [0], [1], False)),
        ("beyond the end", seen(2, [1]).part(1, 3), (3, [0], [], False)),
        ("nothing at all", Seen(), (0, [], [], False)),
    ],
)
def test_marks(name: str, found: Seen, expected: tuple[int, list[int], list[int], bool]) -> None:
    """What is known of rows stays with them, also as text."""
    assert positions(found) == expected, name
    assert positions(Seen.from_text(found.to_text())) == expected, name


def test_new_rows_only() -> None:
    """A row counts for the first time once; rows that were rejected before have not been accepted."""
    before = seen(4, [0, 1], [2, 3])
    assert before.new(ACCEPTED, np.array([1, 2])).tolist() == [False, True]
    assert before.new(REJECTED, np.array([1, 2])).tolist() == [True, False]
    assert [before.count(ACCEPTED), before.count("timed")] == [2, 0]


def test_texts_are_short() -> None:
    """Of a file whose rows were all accepted there are a few characters, of one with scattered rejections some kB."""
    assert len(seen(1_000_000, list(range(1_000_000))).to_text()) < 60
    rng = np.random.default_rng(0)
    rejected = np.flatnonzero(rng.random(1_000_000) < 0.001).tolist()
    assert len(seen(1_000_000, [], rejected).to_text()) < 10_000
