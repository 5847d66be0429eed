"""Points in time in every notation."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftgauge.batch.times import instants

DEFAULT = -1
SECOND = 1_000_000
AT = 1_767_609_000 * SECOND  # 2026-01-05T10:30:00Z
DAY_START = AT - (10 * 3600 + 30 * 60) * SECOND

ISO = [
    ("2026-01-05T10:30:00", AT),
    ("2026-01-05T10:30:00Z", AT),
    ("2026-01-05t10:30:00z", AT),
    ("2026-01-05 10:30:00", AT),
    ("2026-01-05 10:30", AT),
    ("2026-01-05T12:30:00+02:00", AT),
    ("2026-01-05T05:30:00-0500", AT),
    ("2026-01-05 12:30:00 +02:00", AT),
    ("2026-01-05 10:30:00 UTC", AT),
    ("2026-01-05 10:30:00 GMT", AT),
    ("2026-01-05T10:30:00.25", AT + 250_000),
    ("2026-01-05T10:30:00.123456789Z", AT + 123_456),
    (" 2026-01-05T10:30:00 ", AT),
    ("2026-01-05", DAY_START),
    ("20260105T103000Z", AT),
]
NUMBERS = [
    (1_767_609_000, AT),
    (1_767_609_000_250, AT + 250_000),
    (1_767_609_000_123_456, AT + 123_456),
    (1_767_609_000_123_456_789, AT + 123_456),
    (100_000_000, 100_000_000 * SECOND),
    (20_260_105, DAY_START),
    (202_601_051_030, AT),
    (20_260_105_103_000, AT),
    (7_258_118_399, 7_258_118_399 * SECOND),
]
BAD_NUMBERS = [
    -1,
    0,
    17,
    2_026,
    202_601,
    99_999_999,
    20_261_301,
    20_260_229,
    202_601_052_460,
    20_260_105_103_060,
    7_258_118_400,
    99_999_999_999,
    9_000_000_000_000_000_000,
]
BAD_TEXT = ["yesterday", "2026-02-30", "1969-12-31", "2200-01-01", "2026-01-05T25:00:00", "-5", "1e30", "{}"]


def read(column: Any) -> tuple[list[int], list[bool]]:
    """Return microseconds and the bad rows as lists."""
    result = instants(column, DEFAULT)
    return result.micros.tolist(), result.bad.tolist()


@pytest.mark.parametrize(("text", "expected"), ISO)
def test_text_alone(text: str, expected: int) -> None:
    """Each ISO 8601 notation is understood in a column of its own."""
    assert read(pa.array([text])) == ([expected], [False])


def test_text_of_mixed_notations() -> None:
    """One column may hold them all, next to numbers, missing and bad values."""
    texts = [text for text, _ in ISO] + [str(number) for number, _ in NUMBERS]
    expected = [at for _, at in ISO] + [at for _, at in NUMBERS]
    missing = ["", "NaT", "None", None]
    column = pa.array([*texts, *missing, *BAD_TEXT])
    assert read(column) == (
        [*expected, *[DEFAULT] * (len(missing) + len(BAD_TEXT))],
        [*[False] * (len(texts) + len(missing)), *[True] * len(BAD_TEXT)],
    )


@pytest.mark.parametrize(("number", "expected"), NUMBERS)
def test_numbers(number: int, expected: int) -> None:
    """The unit follows from the size, for integers, their text, and floats as far as they are precise."""
    assert read(pa.array([number])) == ([expected], [False])
    assert read(pa.array([str(number)])) == ([expected], [False])
    assert read(pa.array([float(number)]))[0][0] == pytest.approx(expected, abs=1)
    assert read(pa.array([number], pa.uint64())) == ([expected], [False])


def test_date_keys_with_milliseconds() -> None:
    """Seventeen digits are a date, its time and milliseconds; a float would have lost some."""
    assert read(pa.array([20_260_105_103_000_250])) == ([AT + 250_000], [False])
    assert read(pa.array(["20260105103000250"])) == ([AT + 250_000], [False])


@given(st.dates(dt.date(1970, 1, 1), dt.date(2199, 12, 31)), st.times())
def test_any_date_key(day: dt.date, clock: dt.time) -> None:
    """The digits of any date and time are that moment, as a number and as text."""
    moment = dt.datetime.combine(day, clock.replace(microsecond=0))
    for pattern, unit in (("%Y%m%d", 86_400), ("%Y%m%d%H%M", 60), ("%Y%m%d%H%M%S", 1)):
        seconds = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(seconds=1) // unit * unit  # noqa: DTZ001 - UTC
        # strftime does not pad years before 1000 alone.
        key = moment.strftime(pattern)
        assert read(pa.array([int(key), None])) == ([seconds * SECOND, DEFAULT], [False, False])
        assert read(pa.array([f" {key} "])) == ([seconds * SECOND], [False])


LOCAL = [
    ("Asia/Kolkata", "2026-01-05T16:00:00"),
    ("Europe/Berlin", "2026-01-05T11:30:00"),
    ("America/New_York", "2026-01-05T05:30:00"),
    ("America/St_Johns", "2026-01-05T07:00:00"),
    ("UTC", "2026-01-05T10:30:00"),
]


@pytest.mark.parametrize(("zone", "local"), LOCAL)
def test_times_without_a_zone_show_the_clock_of_the_model(zone: str, local: str) -> None:
    """Text, timestamps and date keys alike; what carries a zone, and numbers since 1970, mean what they say."""
    moment = dt.datetime.fromisoformat(local)
    key = moment.strftime("%Y%m%d%H%M")
    naive = [
        pa.array([local]),
        pa.array([local, "soon"]),
        pa.array([moment]),
        pa.array([key]),
        pa.array([int(key)]),
        pa.array([float(key), None]),
    ]
    fixed = [
        pa.array(["2026-01-05T10:30:00Z"]),
        pa.array(["2026-01-05T10:30:00Z", "soon"]),
        pa.array([dt.datetime(2026, 1, 5, 10, 30, tzinfo=dt.UTC)]),
        pa.array([AT // SECOND]),
        pa.array([str(AT // 1000)]),
    ]
    for column in (*naive, *fixed):
        assert instants(column, DEFAULT, zone=zone).micros[0] == AT, column


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-03-29T01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00"),
        ("2026-10-25T01:59:59", "2026-10-24T23:59:59"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00"),
        ("2026-10-25T03:00:00", "2026-10-25T02:00:00"),
    ],
)
def test_hours_that_a_clock_leaves_out_or_shows_twice(local: str, utc: str) -> None:
    """At the changes of daylight saving time, of two hours of the same name the first is meant."""
    (micros,) = instants(pa.array([local]), DEFAULT, zone="Europe/Berlin").micros
    assert micros == instants(pa.array([utc]), DEFAULT).micros[0]


def test_fractions_of_seconds() -> None:
    """Python's `time.time()` is seconds with a fraction."""
    assert read(pa.array([1_767_609_000.25])) == ([AT + 250_000], [False])
    assert read(pa.array(["1767609000.25"])) == ([AT + 250_000], [False])


@pytest.mark.parametrize("number", BAD_NUMBERS)
def test_numbers_outside_the_years(number: int) -> None:
    """1970 to 2200 is what a sender can mean."""
    assert read(pa.array([number])) == ([DEFAULT], [True])
    assert read(pa.array([float(number)])) == ([DEFAULT], [True])


def test_floats_that_are_no_number() -> None:
    """NaN is missing, infinity is a mistake."""
    assert read(pa.array([float("nan"), float("inf"), None])) == ([DEFAULT] * 3, [False, True, False])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_timestamps(unit: str, zone: str | None) -> None:
    """Arrow timestamps hold UTC in any unit; without a zone that is our convention."""
    moment = dt.datetime(2026, 1, 5, 10, 30, tzinfo=dt.UTC)
    column = pa.array([moment, None], pa.timestamp("us", "UTC")).cast(pa.timestamp(unit, zone))
    assert read(column) == ([AT, DEFAULT], [False, False])


def test_timestamps_outside_the_years() -> None:
    """The first second of 2200 and the last one of 1969 are outside."""
    assert read(pa.array([-1, 7_258_118_400, 2**62], pa.timestamp("s"))) == ([DEFAULT] * 3, [True] * 3)


@pytest.mark.parametrize("column", [pa.array([True, None]), pa.array([b"", None])])
def test_other_types(column: Any) -> None:
    """What cannot be a time at all is bad wherever there is a value."""
    assert read(column) == ([DEFAULT, DEFAULT], [True, False])


def test_nothing() -> None:
    """Without any time the default counts."""
    assert read(pa.nulls(2)) == ([DEFAULT, DEFAULT], [False, False])


@given(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2199, 12, 31)))  # noqa: DTZ001 - UTC by convention
def test_any_moment(moment: dt.datetime) -> None:
    """However a moment is written, the same microsecond comes out."""
    micros = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001 - see above
    forms = [moment.isoformat(), f"{moment.isoformat(' ')}Z", moment.replace(tzinfo=dt.UTC).isoformat()]
    for form in forms:
        assert read(pa.array([form])) == ([micros], [False])
    assert read(pa.array([*forms, "x"])) == ([*[micros] * 3, DEFAULT], [*[False] * 3, True])
