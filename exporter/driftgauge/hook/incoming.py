"""The body of Alertmanager's webhook (version 4) as alerts; what is no such body is refused with a reason.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. The sender may be anyone who reaches the
port, so all sizes are bounded, and nothing is believed but that it is text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from driftgauge.errors import DriftgaugeError

MAX_BYTES: Final = 2**20
_MAX_ALERTS: Final = 1000
_MAX_TEXTS: Final = 100
_MAX_LENGTH: Final = 10_000
_FINGERPRINT: Final = re.compile("[0-9a-f]{1,64}")


class BodyRefused(DriftgaugeError):
    """What was posted is no notification."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification. fingerprint: of its labels; starts_at: as Alertmanager writes it."""

    fingerprint: str
    starts_at: str
    firing: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def model(self) -> str:
        """The model that it is about, empty if about none."""
        return self.labels.get("model", "")


def parse(body: bytes) -> list[Alert]:
    """Return the alerts of a notification; raises BodyRefused."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyRefused("the body is no JSON; is the sender Alertmanager?") from error
    if not isinstance(content, dict) or not isinstance(content.get("alerts"), list):
        raise BodyRefused("the body has no list `alerts`; is the sender Alertmanager's webhook_configs?")
    alerts = content["alerts"]
    if len(alerts) > _MAX_ALERTS:
        raise BodyRefused(f"the body has more than {_MAX_ALERTS} alerts; set max_alerts in webhook_configs")
    return [_alert(each, f"alerts[{at}]") for at, each in enumerate(alerts)]


def _alert(content: Any, place: str) -> Alert:
    if not isinstance(content, dict):
        raise BodyRefused(f"{place} is no mapping")
    fingerprint, starts_at, status = (content.get(key) for key in ("fingerprint", "startsAt", "status"))
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise BodyRefused(f"{place}.fingerprint is no hexadecimal number")
    if status not in {"firing", "resolved"}:
        raise BodyRefused(f"{place}.status is neither firing nor resolved")
    return Alert(
        fingerprint,
        _time(starts_at, f"{place}.startsAt"),
        status == "firing",
        _texts(content.get("labels"), f"{place}.labels"),
        _texts(content.get("annotations"), f"{place}.annotations"),
    )


def _time(text: Any, place: str) -> str:
    try:
        # Nanoseconds are more than Python reads.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except (TypeError, ValueError) as error:
        raise BodyRefused(f"{place} is no time") from error
    if moment.tzinfo is None:
        raise BodyRefused(f"{place} has no time zone")
    return str(text)


def _texts(content: Any, place: str) -> dict[str, str]:
    if content is None:
        return {}
    if not isinstance(content, dict) or len(content) > _MAX_TEXTS:
        raise BodyRefused(f"{place} is no mapping of at most {_MAX_TEXTS} texts")
    for name, value in content.items():
        if not isinstance(value, str) or len(value) > _MAX_LENGTH or len(name) > _MAX_LENGTH:
            raise BodyRefused(f"{place} has a value that is no text of at most {_MAX_LENGTH} characters")
    return content
