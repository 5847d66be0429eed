"""What the landing page shows: values the service fills in, and how they read.

Times are aware datetimes in UTC; None means it has not happened yet, or cannot be said. `now` is part of the status,
so that the page is a function of it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of a model over one window: on how many labels, and what it was expected to be, if that is known."""

    metric: str
    value: float
    window: str
    labels: int | None = None
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """How far a feature is from the reference; None where a statistic has no value."""

    feature: str
    psi: float | None
    ks: float | None
    drifted: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an alert says of the model, how grave that is, the address of its runbook, and what to look at."""

    alert: str
    severity: str
    text: str
    runbook: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was said of `count` files: what, why, of which column, an example, the remedy, and a file."""

    what: str
    reason: str
    subject: str
    example: str
    text: str
    file: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One row of the table of models: its newest version, judged by the windows of the alerts.

    judged: the state by the thresholds of the alerts. drifted_features of monitored_features: both None when drift
    cannot be judged. notes: what no alert says. counts: what is in no figure: what, reason, how many. dashboard,
    failing_runbook, unwritten_runbook: addresses.
    error: why the last refresh failed, one line. again: how far the model has been read again, None if it is not.
    unwritten: why its results are not in MLflow, None if they are or are not to be. unwritten_since: as of when the
    oldest of these is. monitoring: whose registered configuration is in force. not_taken: why what is registered now is
    not.
    """

    name: str
    task: str
    windows: tuple[str, ...]
    judged: str = "waiting"
    version: str = ""
    last_prediction: datetime | None = None
    last_label: datetime | None = None
    predictions: int | None = None
    scores: tuple[Score, ...] = ()
    drifted_features: int | None = None
    monitored_features: int | None = None
    drift_window: str = ""
    worst: tuple[Feature, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    counts: tuple[tuple[str, str, int], ...] = ()
    dashboard: str = ""
    failing_runbook: str = ""
    error: str | None = None
    again: str | None = None
    unwritten: str | None = None
    unwritten_since: datetime | None = None
    unwritten_runbook: str = ""
    monitoring: str | None = None
    not_taken: str | None = None

    @property
    def state(self) -> str:
        """Return the one word the row stands under."""
        return "failing" if self.error is not None else self.judged

    @property
    def tone(self) -> str:
        """Return how it is coloured: good, bad, warn, or nothing when there is nothing to judge."""
        if self.state == "healthy":
            return "good"
        if self.state in {"waiting", "unjudged"}:
            return ""
        graves = {"critical", "high"}
        is_bad = self.error is not None or (self.verdicts and self.verdicts[0].severity in graves)
        return "bad" if is_bad else "warn"

    @property
    def dashboard_url(self) -> str:
        """Return the address of the dashboard with this model chosen, "" when none is known."""
        return f"{self.dashboard}?var-model={quote(self.name, safe='')}" if self.dashboard else ""

    @property
    def has_details(self) -> bool:
        """Return whether there is anything to say below the row."""
        troubles = self.error or self.again or self.unwritten or self.not_taken
        said = troubles or self.verdicts or self.notes or self.remarks or self.counts
        return bool(said or self.worst or len(self.scores) > 1)


@dataclass(frozen=True, slots=True)
class RefresherStatus:
    """The process that refreshes: whether it runs, how often it was started again, and when and why the last time."""

    up: bool = True
    restarts: int = 0
    last_end: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The exporter as a whole. mlflow_uri is shown as it is: redact it before; "" without MLflow.

    refused: why a newer configuration is not in use, None if the last one that was read is.
    shard: which one it is of those that share the models, "" if it has all. placed: what is to be said of that.
    """

    now: datetime
    started: datetime
    mlflow_uri: str
    mlflow_up: bool | None = None
    last_refresh: datetime | None = None
    refresh_seconds: float | None = None
    refresh_succeeded: bool | None = None
    refresher: RefresherStatus = RefresherStatus()
    models: tuple[ModelStatus, ...] = ()
    shard: str = ""
    placed: tuple[str, ...] = ()
    refused: str | None = None


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
