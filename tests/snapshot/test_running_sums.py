"""Running sums: equal to adding everything up, and cheaper."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from driftgauge.snapshot.running_sums import RunningSums


class Counting:
    """Adds lists up, and counts how many it was given."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self, parts: Sequence[list[int]]) -> list[int]:
        """Return the numbers of all parts."""
        self.given += len(parts)
        return sorted(number for part in parts for number in part)


CHANGES = st.lists(
    st.sampled_from(["replace", "append", "drop", "grow", "grow twice", "join"]) | st.just("rest"), max_size=12
)


@given(first=st.integers(1, 5), changes=CHANGES, at=st.randoms(use_true_random=False))
def test_any_changes(first: int, changes: list[str], at: Random) -> None:
    """However parts come, change and go, the sum is that of the parts there are."""
    sums, numbers = RunningSums(), iter(range(1000))
    parts = [[next(numbers)] for _ in range(first)]
    for change in changes:
        grown: dict[int, list[list[int]]] = {}
        if change == "append" or not parts:
            parts = [*parts, [next(numbers)]]
        elif change == "replace":
            parts = [*parts]
            parts[at.randrange(len(parts))] = [next(numbers)]
        elif change == "drop" and len(parts) > 1:
            parts = parts[1:]
        elif change.startswith("grow"):
            place = at.randrange(len(parts))
            for _ in change.split():
                more, before = [next(numbers)], parts[place]
                parts = [*parts[:place], [*before, *more], *parts[place + 1 :]]
                grown[id(parts[place])] = [more, before]
        elif change == "join" and len(parts) > 1:
            more, *joined = [next(numbers)], parts[-2], parts[-1]
            parts = [*parts[:-2], [*joined[0], *joined[1], *more]]
            grown[id(parts[-1])] = [more, *joined]
        assert sums.combine("name", parts, Counting(), grown=grown) == Counting()(parts)
        sums.keep({"name"})


def test_what_a_part_has_grown_by_is_added() -> None:
    """Parts that are joined with something new, and new ones, cost what is new; when one leaves, all are added up."""
    sums, add = RunningSums(), Counting()
    parts = [[number] for number in range(100)]
    sums.combine("name", parts, add)
    for number in range(100, 110):
        add.given = 0
        new, joined = [number], parts[-2:]
        parts = [*parts[:-2], Counting()([new, *joined]), [number + 1000]]
        grown = {id(parts[-2]): [new, *joined]}
        assert sums.combine("name", parts, add, grown=grown) == Counting()(parts)
        sums.keep({"name"})
        assert add.given == 3
    add.given = 0
    assert sums.combine("name", parts[1:], add) == Counting()(parts[1:])
    assert add.given == len(parts) - 1


def test_only_what_changed_is_added() -> None:
    """While the newest part grows, the others are not added up again."""
    sums, add = RunningSums(), Counting()
    old = [[number] for number in range(100)]
    for number in range(2):
        sums.combine("name", [*old, [number]], add)
    add.given = 0
    for number in range(10):
        sums.combine("name", [*old, [number]], add)
    assert add.given == 10 * 2


def test_nothing_new_costs_nothing() -> None:
    """The same parts give the same object, without adding."""
    sums, add, parts = RunningSums(), Counting(), [[1], [2]]
    total = sums.combine("name", parts, add)
    add.given = 0
    assert sums.combine("name", list(parts), add) is total
    assert add.given == 0


def test_names_are_apart_and_forgotten() -> None:
    """Each name has its own sum; one that is not kept is added up again."""
    sums, add = RunningSums(), Counting()
    parts = {"one": [[1], [2]], "other": [[3], [4]]}
    for name, found in parts.items():
        assert sums.combine(name, found, add) == Counting()(found)
    sums.keep({"one"})
    add.given = 0
    for name, found in parts.items():
        sums.combine(name, found, add)
    assert add.given == 2
