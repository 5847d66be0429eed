"""The section `notifications:` of the thresholds file: which severity reaches which team, by which channel, how often.

Secrets are never in the file: Alertmanager reads each from a file of its own, whose fixed name follows from the team
(`secret_files`). This module knows neither alerts nor Alertmanager's format. Units: seconds.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Generic, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from driftgauge.config.fields import Text, at_least_one, seconds_between
from driftgauge.config.section import Section
from driftgauge.config.units import DAY, HOUR, MINUTE, SECOND
from driftgauge.config.wording import RuleError, suggestion

Channel = Literal["pagerduty", "slack", "email", "webhook"]
PagedSeverity = Literal["critical", "high", "medium", "low"]
SEVERITIES: Final[tuple[PagedSeverity, ...]] = ("critical", "high", "medium", "low")
SectionT = TypeVar("SectionT", bound=Section)
# Alertmanager forgets after five days what it has sent, so a longer repeat_interval would have no effect.
_LONGEST_MEMORY: Final = 5 * DAY
_HOW_TO_REACH: Final = {"slack": "slack_channel", "email": "email", "webhook": "webhook"}


def _http(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("must be an address like https://example.com/path")
    return text


def _host_and_port(text: str) -> str:
    if not re.fullmatch(r"\S+:[0-9]{1,5}", text):
        raise ValueError("must be host and port, like smtp.example.com:587")
    return text


def _team(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", text):
        raise ValueError("must be a name of up to 60 letters, digits, - and _, for it becomes part of file names")
    return text


def _left_out(value: object) -> object:
    """Take `false` for a part that the shipped file has, and this one does not want."""
    return None if value is False else value


left_out: Final = BeforeValidator(_left_out)
Url = Annotated[Text, AfterValidator(_http)]
TeamName = Annotated[str, AfterValidator(_team)]
Wait = Annotated[float, seconds_between(0, HOUR)]
Interval = Annotated[float, seconds_between(SECOND, _LONGEST_MEMORY)]


class Smtp(Section):
    """The mail server. Unless `username` is empty, the password is read from the file `smtp-password`."""

    smarthost: Annotated[Text, AfterValidator(_host_and_port)]
    sender: Text
    username: str = ""
    require_tls: bool = True


class Webhook(Section):
    """Where alerts are posted as Alertmanager's JSON. `bearer_token`: send the token in the team's file."""

    url: Url
    bearer_token: bool = True


class Watchdog(Section):
    """The dead man's switch: it gets a message this often, and pages on its own when none comes."""

    url: Url
    bearer_token: bool = True
    every: Annotated[float, seconds_between(SECOND, HOUR)]


class Hook(Section):
    """Where `driftgauge hook` listens, and which alerts it gets next to the people who do: those that start retraining.

    bearer_token: send the token in the file `hook-token`. The waits are as of a severity.
    """

    url: Url
    bearer_token: bool = True
    alerts: Annotated[tuple[Text, ...], at_least_one]
    group_wait: Wait = 15 * SECOND
    group_interval: Interval = MINUTE
    repeat_interval: Interval = HOUR


class SeverityRoute(Section):
    """How alerts of one severity are sent; without channels they are not.

    See `group_wait`, … in Alertmanager's documentation.
    """

    channels: Annotated[tuple[Channel, ...], BeforeValidator(lambda value: [] if value is False else value)]
    group_wait: Wait
    group_interval: Interval
    repeat_interval: Interval


class BySeverity(Section, Generic[SectionT]):
    """A section for each severity that people are told of."""

    critical: SectionT
    high: SectionT
    medium: SectionT
    low: SectionT

    def items(self) -> Iterator[tuple[PagedSeverity, SectionT]]:
        """Yield severities, the worst first, with their section."""
        for severity in SEVERITIES:
            yield severity, getattr(self, severity)


class Severities(BySeverity[SeverityRoute]):
    """One route per severity that is sent to people."""


class Team(Section):
    """How to reach a team. PagerDuty needs nothing but the key in the team's file."""

    slack_channel: Annotated[Text | None, left_out] = None
    email: tuple[Text, ...] = ()
    webhook: Annotated[Webhook | None, left_out] = None


class Notifications(Section):
    """The whole section; smtp, watchdog and hook are None where they were left out.

    Its rules about two fields see only those that are valid so far.
    """

    secrets_directory: Text
    pagerduty_url: Url
    smtp: Annotated[Smtp | None, left_out]
    severities: Severities
    teams: Annotated[dict[TeamName, Team], Field(min_length=1, max_length=200)]
    default_team: Text
    watchdog: Annotated[Watchdog | None, left_out]
    hook: Annotated[Hook | None, left_out]

    @field_validator("severities")
    @classmethod
    def _mail_server(cls, severities: Severities, info: ValidationInfo) -> Severities:
        for severity, route in severities.items():
            if "email" in route.channels and "smtp" in info.data and info.data["smtp"] is None:
                raise RuleError("email needs notifications.smtp, which is left out", at=(severity, "channels"))
        return severities

    @property
    def used_channels(self) -> frozenset[Channel]:
        """The channels by which anything is sent to people."""
        return frozenset(channel for _, route in self.severities.items() for channel in route.channels)

    @field_validator("teams")
    @classmethod
    def _reachable(cls, teams: dict[str, Team], info: ValidationInfo) -> dict[str, Team]:
        severities = info.data.get("severities")
        for severity, route in severities.items() if severities else ():
            for channel in route.channels:
                key = _HOW_TO_REACH.get(channel)
                for name, team in teams.items():
                    if key and not getattr(team, key):
                        raise RuleError(
                            f"has no {key}, and severity {severity} goes out by {channel}; write it", at=(name,)
                        )
        return teams

    @field_validator("default_team")
    @classmethod
    def _known(cls, default_team: str, info: ValidationInfo) -> str:
        teams = info.data.get("teams")
        if teams and default_team not in teams:
            raise RuleError(f"is none of the teams; {suggestion(default_team, teams, 'teams')}")
        return default_team

    def secret_file(self, name: str) -> str:
        """Return the path of a secret on Alertmanager's machine."""
        return f"{self.secrets_directory.rstrip('/')}/{name}"
