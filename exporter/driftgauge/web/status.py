"""What the landing page shows: values the service fills in, and how they read.

Times are aware datetimes in UTC; None means it has not happened yet, or cannot be said. `now` is part of the status,
so that the page is a function of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

State = Literal["healthy", "drifting", "failing", "waiting", "unjudged"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One row of the table of models, over the longest window of the model's newest version.

    performance: the model's main metric by name and value, for example ("accuracy", 0.93) or ("MAE", 4.2).
    drifted_features of monitored_features: both None when drift cannot be judged. error: the last error, one line.
    again: how far the model has been read again, None if it is not.
    """

    name: str
    task: str
    windows: tuple[str, ...]
    last_prediction: datetime | None = None
    last_label: datetime | None = None
    predictions: int | None = None
    performance: tuple[str, float] | None = None
    drifted_features: int | None = None
    monitored_features: int | None = None
    error: str | None = None
    again: str | None = None

    @property
    def state(self) -> State:
        """Return the one word the row stands under: the first that applies."""
        if self.error is not None:
            return "failing"
        if self.last_prediction is None:
            return "waiting"
        if self.drifted_features is None:
            return "unjudged"
        return "drifting" if self.drifted_features else "healthy"


@dataclass(frozen=True, slots=True)
class RefresherStatus:
    """The process that refreshes: whether it runs, how often it was started again, and when and why the last time."""

    up: bool = True
    restarts: int = 0
    last_end: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The exporter as a whole. mlflow_uri is shown as it is: redact it before; "" without MLflow."""

    now: datetime
    started: datetime
    mlflow_uri: str
    mlflow_up: bool | None = None
    last_refresh: datetime | None = None
    refresh_seconds: float | None = None
    refresh_succeeded: bool | None = None
    refresher: RefresherStatus = RefresherStatus()
    models: tuple[ModelStatus, ...] = ()


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago `moment` was in one unit, rounded down: "42 s ago", "3 min ago", "5 h ago", "2 d ago"."""
    elapsed = now - moment
    if elapsed < timedelta(0):
        return "just now"
    for unit, size in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if elapsed >= size:
            return f"{elapsed // size} {unit} ago"
    return f"{elapsed // timedelta(seconds=1)} s ago"


def utc(moment: datetime) -> str:
    """Return the moment to the second, for example "2026-01-31 12:00:05 UTC"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def figure(value: float) -> str:
    """Return a number with four significant digits and no exponent where people expect none."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
