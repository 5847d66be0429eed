"""Matchers, as Alertmanager has them."""

import pytest

from driftgauge.hook.matchers import Matcher

LABELS = {"alertname": "ModelConceptDrift", "model": 'a "b"\\c', "team": "growth"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('alertname="ModelConceptDrift"', True),
        ("alertname=ModelConceptDrift", True),
        (' alertname = "ModelConceptDrift" ', True),
        ('alertname="Model"', False),
        ('alertname=~"Model.*"', True),
        ('alertname=~"Model"', False),
        ('alertname!~"Model.*"', False),
        ('alertname!="Other"', True),
        ('missing=""', True),
        ('missing!=""', False),
        ('missing=~".+"', False),
        ('model="a \\"b\\"\\\\c"', True),
        ('team=~"growth|core"', True),
    ],
)
def test_matches(text: str, *, expected: bool) -> None:
    """A pattern has to match the whole value, and a label that is missing is empty."""
    assert Matcher.parse(text).matches(LABELS) is expected


@pytest.mark.parametrize("text", ["", "alertname", "a-b=c", 'model=~"["', 'a="b" c="d"', 'a=="b"x"'])
def test_others_are_refused(text: str) -> None:
    """What is no matcher, or has a broken pattern, is an error."""
    with pytest.raises(ValueError, match="must be a matcher"):
        Matcher.parse(text)
