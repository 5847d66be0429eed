"""Join keys by value."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from batch.samples import a_model
from driftgauge.batch.flattening import flatten
from driftgauge.batch.keys import Keys, inexact_note, join_keys, row_numbers
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import resolve
from driftgauge.batch.rows import Rows

NOON = "2026-01-05 12:00:00.000000Z"
UUID = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
WRITTEN = [UUID, UUID.upper(), UUID.replace("-", ""), "{" + UUID.upper() + "}", "urn:uuid:" + UUID, "x" * 36, "7", None]


def rows_of(columns: dict[str, Any], *, untyped: bool = False) -> Rows:
    """Return columns as a file gives them."""
    leaves = dict(flatten(pa.table(columns)))
    return Rows(leaves, all_fine(len(next(iter(leaves.values())))), untyped=untyped)


def keys_of(data: dict[str, Any], *key: str, untyped: bool = False, **settings: Any) -> Keys:
    """Return the keys of columns."""
    rows = rows_of(data, untyped=untyped)
    model = a_model(labels={"key": list(key)} if key else {}, **settings)
    return join_keys(rows, resolve(rows, model), model.timezone)


@pytest.mark.parametrize(
    ("description", "column", "expected"),
    [
        ("numbers equal their text", pa.array([7, 8]), ["7", "8"]),
        ("whole floats equal their text", pa.array([7.0, None]), ["7", None]),
        ("words of data frames and Python for nothing", pa.array(["NaN", "nan", "None", "<NA>", "null"]), [None] * 5),
        ("Namibia is a place", pa.array(["NA", "none"]), ["NA", "none"]),
        ("text stays text", pa.array(["7.0", "007", "", "1e+05"]), ["7", "007", None, "1e+05"]),
        ("decimals", pa.array([Decimal(10**17 + 1)], pa.decimal128(38, 0)), ["100000000000000001"]),
        ("decimals beyond 64 bits", pa.array([Decimal(10**30 + 1)], pa.decimal128(38, 0)), [str(10**30 + 1)]),
        ("whole decimals of Oracle", pa.array([Decimal(10**20 + 1)], pa.decimal128(38, 10)), [str(10**20 + 1)]),
        ("large whole numbers", pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)]),
        ("UUIDs", pa.array([bytes.fromhex(UUID.replace("-", "")), None], pa.uuid()), [UUID, None]),
        ("sixteen bytes", pa.array([bytes.fromhex(UUID.replace("-", ""))], pa.binary()), [UUID]),
        ("UUIDs in any form", pa.array(WRITTEN), [*[UUID] * 5, "x" * 36, "7", None]),
        ("a part of a longer column", pa.array(["7", *WRITTEN]).slice(3), [*[UUID] * 3, "x" * 36, "7", None]),
        ("instants", pa.array(["2026-01-05T12:00:00Z", "2026-01-05T17:30:00+05:30", "2026-1"]), [NOON, NOON, "2026-1"]),
        ("timestamps", pa.array([1767614400 * 10**9], pa.timestamp("ns")), [NOON]),
        ("dates", pa.array([date(2026, 1, 5)]), ["2026-01-05 00:00:00.000000Z"]),
        ("1000 characters", pa.array(["k" * 1000, "k" * 1001]), ["k" * 1000, None]),
    ],
)
def test_by_value(description: str, column: Any, expected: list[str | None]) -> None:
    """Keys join across formats and types."""
    assert keys_of({"request_id": column}).text.to_pylist() == expected, description


def test_what_is_said_of_lost_digits() -> None:
    """Ids that pandas made floats of name their column and an example."""
    rows = rows_of({"request_id": pa.array([7.0, 2.0**53])})
    roles = resolve(rows, a_model(labels={}))
    keys = join_keys(rows, roles, "UTC")
    note = inexact_note(rows, roles, keys)
    assert keys.text.to_pylist() == ["7", None]
    assert note is not None
    assert (note.reason, note.column, note.example) == ("inexact_key", "request_id", "9007199254740992")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["2026-01-05T12:00:00Z"]),
        pa.array(["2026-01-05 13:00:00"]),
        pa.array([1767614400]),
        pa.array([1767614400000]),
        pa.array(["1767614400"]),
        pa.array([datetime(2026, 1, 5, 12, tzinfo=UTC)], pa.timestamp("ms", "UTC")),
    ],
)
@pytest.mark.parametrize("name", ["timestamp", "event_time", "made"])
def test_times(column: Any, name: str) -> None:
    """A key that is a time is compared by the instant, whatever its notation; without a zone it is local."""
    settings: dict[str, Any] = {"columns": {"timestamp": "made"}} if name == "made" else {}
    key = "event_time" if name == "event_time" else "timestamp"
    found = keys_of({name: column}, key, timezone="Europe/Berlin", **settings)
    assert found.text.to_pylist() == [NOON]
    assert keys_of({name: pa.array(["no time"])}, key, **settings).text.to_pylist() == [None]


def test_parts() -> None:
    """Each part is compared by its value; without one of them there is no key."""
    columns = {"timestamp": pa.array(["2026-01-05T12:00:00Z"] * 2), "device": pa.array([1.0, None])}
    assert keys_of(columns, "timestamp", "device").text.to_pylist() == [f"{NOON}\x1f1", None]


def test_parts_with_the_separator() -> None:
    """Parts that hold the character between parts, or the one that escapes it, are told apart."""
    parts = ["x", "x\x1fy", "x\x1ey", "\x1f", "\x1e", "\x1e1f", "\x1e1e", "1f", "y\x1fz", "z"]
    pairs = [(a, b) for a in parts for b in parts]
    columns = {"a": pa.array([a for a, _ in pairs]), "b": pa.array([b for _, b in pairs])}
    assert len(set(keys_of(columns, "a", "b").text.to_pylist())) == len(pairs)


@pytest.mark.parametrize(
    ("column", "expected"),
    [(pa.array([0, 1]), [0, 1]), (pa.array(["0", "1"]), [0, 1]), (pa.array([0.0, None]), [0, None]),
     (pa.array(["a", "b"]), [None, None]), (pa.array([0.5, 1.0]), [None, None])],
)  # fmt: skip
def test_row_numbers(column: Any, expected: list[int | None]) -> None:
    """A column that numbers the rows holds whole numbers."""
    rows = rows_of({"row_number": column, "request_id": pa.array(["a", "a"])})
    assert row_numbers(rows, resolve(rows, a_model())).to_pylist() == expected
