"""Which rows are in a segment: by value, whatever wrote it, and never by what is missing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_builders import a_model, features
from driftgauge.batch.values import category_text
from driftgauge.columns import Columns
from driftgauge.config import Limits, ModelConfig
from driftgauge.reference import Reference, compile_reference
from driftgauge.segments import Segment, Segments, listed, listed_members, values_of_reference

NAN = float("nan")
NUMBERS = np.array([0, 1, 1.5, -0.0, NAN, 40, 65, float(np.float32(0.7)), 1e300])
TEXTS = ["DE", "de", "1", None, "true", "1.50", "7", "NO", "-2"]


def segment(**conditions: Any) -> Segment:
    """Return the segment with these conditions, as the configuration would have them."""
    (found,) = Segments.of(a_model(segments={"s": conditions}), Limits()).kept
    return found


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        (1, [1]),
        (1.0, [1]),
        (True, [1]),
        ("1", [1]),
        ("1.0", [1]),
        ("yes", []),
        (0, [0, 3]),
        (False, [0, 3]),
        ([1.5, "40", 7], [2, 5]),
        (0.7, [7]),
        ({"below": 1}, [0, 3, 7]),
        ({"at_least": 40, "below": 65}, [5]),
        ({"at_least": 0.7, "below": 1}, [7]),
        ({"below": 0.7}, [0, 3]),
        ({"at_least": 1e300}, [8]),
        (10**300, [8]),
    ],
    ids=str,
)
def test_numbers(condition: Any, members: list[int]) -> None:
    """A numeric feature is compared as a number, in the precision that it came in; NaN is in no segment."""
    assert np.flatnonzero(segment(x=condition).members(features(x=NUMBERS))).tolist() == members


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        ("DE", [0]),
        (["DE", "NO", "FR"], [0, 7]),
        (1, [2]),
        (1.0, [2]),
        ("1.0", [2]),
        (True, [4]),
        ("True", [4]),
        (7, [6]),
        ("", None),
        ({"below": 2}, [2, 5, 8]),
        ({"at_least": 1.5}, [5, 6]),
    ],
    ids=str,
)
def test_texts(condition: Any, members: list[int] | None) -> None:
    """A categorical feature is compared text by text, ranges with those that are numbers; null is in no segment."""
    if members is None:
        with pytest.raises(ValueError, match="must be a text"):
            segment(x=condition)
        return
    assert np.flatnonzero(segment(x=condition).members(features(x=TEXTS))).tolist() == members


@pytest.mark.parametrize(
    ("condition", "members"),
    [(2**53, [0]), (2**53 + 1, [1]), (-(2**53) - 1, [2]), (2**64 - 1, [3]), (10**30, [4]), (1e30, [4])],
    ids=str,
)
def test_large_codes(condition: Any, members: list[int]) -> None:
    """A code is that whole number and not its neighbour, which is the same double."""
    codes = pa.array([2**53, 2**53 + 1, -(2**53) - 1]), pa.array([2**64 - 1], pa.uint64()), pa.array([1e30])
    texts = [text for column in codes for text in category_text(column).to_pylist()]

    assert np.flatnonzero(segment(x=condition).members(features(x=texts))).tolist() == members


def test_all_conditions_hold() -> None:
    """A row is in the segment if it meets each condition; without one of the columns no row is."""
    rows = features(country=["DE", "DE", "FR", None], tenure=np.array([0.5, 3, 0.5, 0.5]))

    assert segment(country="DE", tenure={"below": 1}).members(rows).tolist() == [True, False, False, False]
    assert not segment(country="DE", plan="A").members(rows).any()


def test_a_changed_segment_is_another() -> None:
    """The identity follows name and conditions, whose order means nothing, and nothing else."""
    one = segment(country="DE", tenure={"below": 1})

    assert one.identity == segment(tenure={"below": 1.0}, country="DE").identity
    others = [segment(country="DE"), segment(country="DE", tenure={"at_least": 1}), segment(country="FR")]
    assert len({one.identity, *(each.identity for each in others)}) == 4
    renamed = Segments.of(a_model(segments={"t": {"country": "DE"}}), Limits()).kept[0]
    assert renamed.identity != others[0].identity


def test_segments_beyond_the_limit() -> None:
    """The first ones of the file stay, in its order; the others are named."""
    model = a_model(segments={name: {"x": 1} for name in ("z", "a", "m")})

    found = Segments.of(model, Limits(max_segments=2))

    assert ([each.name for each in found.kept], found.dropped) == (["z", "a"], ("m",))


def asked(segments: Any, *chunks: Columns, least: int = 2) -> tuple[ModelConfig, Reference]:
    """Return a model with these segments, and a reference of these rows that says what they stand for."""
    model = a_model(segments=segments, reference={"uri": "r"}, drift={"min_samples": least})
    compiled = compile_reference(chunks, drift=model.drift, max_features=500, max_categories=200)
    return model, replace(compiled, learned={"segments": {"values": values_of_reference(model, chunks)}})


def test_values_of_the_reference() -> None:
    """The most frequent first, each with enough rows, whole numbers as such; over all parts, without missing ones."""
    first = features(plan=["A", "B", None, "B", "C"], level=np.array([1, 1, 1, NAN, 2]))
    second = features(plan=["B", "A", "A", "A", "D"], level=np.array([1, 2, 2.5, 2, 2.5]))

    found = values_of_reference(asked(["plan", "level"], first)[0], [first, second])

    assert found == {"plan": [["A"], ["B"]], "level": [[1], [2], [2.5]]}
    assert values_of_reference(asked(["plan"], first, least=4)[0], [first, second]) == {"plan": [["A"]]}
    assert values_of_reference(asked(["nothing"], first)[0], [first, second]) == {"nothing": []}


def test_pairs_and_conditions() -> None:
    """A pair stands for what is there together, and other conditions of the entry hold for what is counted."""
    rows = features(plan=["A", "A", "B", "B", "B", "A"], region=["EU", "EU", "EU", "US", "US", "US"])
    model, reference = asked([["plan", "region"], {"us": {"plan": {"each": "reference"}, "region": "US"}}], rows)

    found = Segments.of(model, Limits(), reference)

    members = {each.name: np.flatnonzero(each.members(rows)).tolist() for each in found.kept}
    assert members == {"plan, region: A, EU": [0, 1], "plan, region: B, US": [3, 4], "us: B": [3, 4]}
    assert Segments.of(model, Limits()).kept == ()


def test_segments_of_a_reference_are_bounded() -> None:
    """The limit counts them in the order of the file; what cannot be a label, or has a name that is taken, is none."""
    plans = [plan for plan in ("A" * 201, "B", "C", "D") for _ in range(2)]
    rows = features(plan=plans)
    model, reference = asked([{"plan: C": {"plan": "B"}}, "plan"], rows)

    found = Segments.of(model, Limits(max_segments=2), reference)

    assert [each.name for each in found.kept] == ["plan: C", "plan: B"]
    assert found.dropped == (f"plan: {'A' * 201}", "plan: D")
    assert np.flatnonzero(found.kept[0].members(rows)).tolist() == [2, 3]


def test_identities_outlive_releases() -> None:
    """A state of an earlier release knows its segments by these texts."""
    assert segment(country="DE").identity == "35c0f518d887a8e9"


def test_lists_of_segments() -> None:
    """What rows are in is kept by identity, so that it is known after segments were added, changed or put in order."""
    one, two, three = (segment(x=value) for value in (0, [0, 1], 1.5))
    rows = features(x=NUMBERS)

    lists = listed([one, two, three], [each.members(rows) for each in (one, two, three)], rows=len(rows))

    assert lists.to_pylist()[:3] == [[one.identity, two.identity], [two.identity], [three.identity]]
    other = segment(x=40)
    found = listed_members([three, other, one], lists)
    for members, expected in zip(found, [three.members(rows), np.zeros(9, np.bool_), one.members(rows)], strict=True):
        assert members.tolist() == expected.tolist()
    assert listed_members([one], listed([], [], rows=3)) == [pytest.approx([False] * 3)]
    assert listed([one], [np.zeros(0, np.bool_)], rows=0).to_pylist() == []


@pytest.mark.parametrize("value", [True, "TRUE", "yes", "y", 1, "1"])
def test_booleans_in_any_words(value: Any) -> None:
    """A condition and a column may use other words for the same, in a column of booleans as in one of 1 and 0."""
    some = segment(flag=value)
    assert some.members(features(flag=["true", "false", None, "2"])).tolist() == [True, False, False, False]
    assert some.members(features(flag=np.array([1.0, 0.0, NAN]))).tolist() == [True, False, False]
