"""Who answers, and how soon: complete as shipped, and exact about mistakes."""

import pytest

from driftgauge.errors import ConfigError
from driftgauge.generator.notifications import SEVERITIES
from driftgauge.generator.thresholds import parse, shipped


def test_the_graver_the_sooner() -> None:
    """Every severity that people are told of has a duty, and none is answered sooner than a graver one."""
    duties = dict(shipped().playbook.items())

    assert tuple(duties) == SEVERITIES
    for times in ([duty.look_within for duty in duties.values()], [duty.act_within for duty in duties.values()]):
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "playbook: {high: {look_within: 2d}}",
            "1: playbook.high.act_within: must be at least look_within (2d): one looks before one acts",
        ),
        ("playbook: {low: {look_within: 5s}}", '1: playbook.low.look_within: must be between 1m and 365d, but is "5s"'),
        (
            "playbook:\n  hihg: {who: me}",
            '2: playbook.hihg: unknown key "hihg"; did you mean "high"?',
        ),
    ],
)
def test_mistakes_have_place_and_remedy(text: str, message: str) -> None:
    """Each is one line with file, line and path."""
    with pytest.raises(ConfigError) as raised:
        parse(text, filename="own.yml")

    assert str(raised.value) == f"own.yml:{message}"
