"""What Go prints: the table was made by Prometheus 2.42, as promtool expands templates."""

import math

import pytest

from driftgauge.verdict.gotext import humanize_duration, humanize_percentage, printf, quoted, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (0.0, "0"),
        (123456.0, "123456"),
        (999999.5, "999999.5"),
        (1000000.0, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001234, "1.234e-05"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
        (7, "7"),
        ("text", "text"),
    ],
)
def test_plain_values(value: object, text: str) -> None:
    """The fewest digits, with an exponent from a million on."""
    assert shown(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0123, "12.3ms"),
        (1.5e-7, "150ns"),
        (-0.5, "-500ms"),
        (7.25, "7.25s"),
        (-61.9, "-1m 1s"),
        (3600.0, "1h 0m 0s"),
        (267840.6, "3d 2h 24m 0s"),
        (1e-30, "1e-06ys"),
        (math.inf, "+Inf"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """Days to seconds, or four digits below a minute."""
    assert humanize_duration(seconds) == text


def test_percentages() -> None:
    """Four digits."""
    assert [humanize_percentage(value) for value in (0.0512345, 12.3456, 1234.56, -math.inf)] == [
        *("5.123%", "1235%", "1.235e+05%", "-Inf%"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a "b" \\ c', r'"a \"b\" \\ c"'),
        ("line\nbreak\ttab\a\b\f\r\v", r'"line\nbreak\ttab\a\b\f\r\v"'),
        ("größe 🙂", '"größe 🙂"'),
        ("zero\u200bwidth \x00\x7f\U000e0001", r'"zero\u200bwidth \x00\x7f\U000e0001"'),
    ],
)
def test_quotes(text: str, expected: str) -> None:
    """As strconv.Quote does, so that the text is a string of PromQL."""
    assert quoted(text) == expected


def test_verbs() -> None:
    """Numbers by their verbs, texts quoted, and percent signs."""
    assert printf("a{b=%q} > %.3g %.0f %s 100%%", "x", 0.12345, 2.5, "s") == 'a{b="x"} > 0.123 2 s 100%'
