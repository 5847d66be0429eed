"""The section `playbook:` of the thresholds file: who answers alerts of each severity, and how soon.

This module knows neither alerts nor how they are sent. Units: seconds.
"""

from typing import Annotated, Self

from pydantic import model_validator

from driftgauge.config.fields import Name, seconds_between
from driftgauge.config.section import Section
from driftgauge.config.units import DAY, MINUTE, format_duration
from driftgauge.config.wording import RuleError
from driftgauge.generator.notifications import BySeverity

Within = Annotated[float, seconds_between(MINUTE, 365 * DAY)]


class Duty(Section):
    """Who answers, when they have looked at the latest, and when they have acted, both from the notification on."""

    who: Name
    look_within: Within
    act_within: Within

    @model_validator(mode="after")
    def _looks_first(self) -> Self:
        if self.act_within < self.look_within:
            text = f"must be at least look_within ({format_duration(self.look_within)}): one looks before one acts"
            raise RuleError(text, at=("act_within",))
        return self


class Duties(BySeverity[Duty]):
    """One duty per severity that people are told of."""
