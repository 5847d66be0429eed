"""What the alerts say of a model now: the rules that ship, evaluated on its samples.

Waiting times (`for`, `keep_firing_for`) and smoothing are Prometheus' business: a finding is what an alert begins with,
and may be over before it fires.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from driftgauge.generator.alerts import Severity
from driftgauge.samples import Samples
from driftgauge.verdict.known import KnownSeries
from driftgauge.verdict.rules import Rule, Rules
from driftgauge.verdict.vectors import Series, Vector
from driftgauge.windows import MICROSECONDS

# Labels that are fields of a finding, or say nothing about the model.
_OWN: frozenset[str] = frozenset({"job", "model", "version", "window"})


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a model's past, which its samples do not say; None where it is not.

    replaced: versions that are no longer asked while others are. rows, rejected, failures: rows that counted, rows that
    could not be used and files that could not be read, in the time that the alerts on these look at.
    """

    replaced: tuple[str, ...] = ()
    rows: int | None = None
    rejected: int | None = None
    failures: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """An alert that holds now. All texts are those of the notification that Prometheus would send.

    labels: of the alert, its severity apart. value: what was measured. limit: as people say it, "" of a mere flag.
    summary: a fixed sentence; sentence: what is the matter, the first line of the description; look: its other lines.
    links: runbook_url, dashboard_url, report_url, mlflow_url. unsure: whether the past, which is not known here, could
    silence it.
    """

    alert: str
    severity: Severity
    labels: Mapping[str, str]
    value: float
    limit: str
    summary: str
    sentence: str
    look: str
    links: Mapping[str, str]
    unsure: bool

    @property
    def model(self) -> str:
        """The model that it is about."""
        return self.labels.get("model", "")

    @property
    def version(self) -> str:
        """The version that it is about, "" when it is about all of them."""
        return self.labels.get("version", "")

    @property
    def window(self) -> str:
        """The window that it is about, "" when it is about none."""
        return self.labels.get("window", "")

    @property
    def others(self) -> Mapping[str, str]:
        """The other labels, such as metric and feature."""
        return {name: text for name, text in self.labels.items() if name not in _OWN}

    @property
    def description(self) -> str:
        """What is the matter, and what to look at."""
        return f"{self.sentence}\n{self.look}"

    @property
    def runbook(self) -> str:
        """The address of its runbook."""
        return self.links["runbook_url"]


def findings(model: str, samples: Samples, rules: Rules, *, now: int, past: Past | None = None) -> tuple[Finding, ...]:
    """Return what alerts on a model hold at `now` (µs), the gravest first.

    samples: those of the model, as its snapshot has them. past: nothing of it is known for None; an alert that compares
    with it does not hold then.
    """
    known = known_series(model, samples, rules, now=now, past=past)
    return tuple(found for rule in rules.alerts for found in _found(rule, known))


def known_series(model: str, samples: Samples, rules: Rules, *, now: int, past: Past | None = None) -> KnownSeries:
    """Return what is known of a model at `now` (µs), for the queries of rules; see `findings`."""
    job = rules.thresholds.exporter.job
    given = _recorded(model, past or Past(), job)
    return KnownSeries(samples, rules.recordings, given, job=job, now=now / MICROSECONDS)


def _recorded(model: str, past: Past, job: str) -> Mapping[str, Vector]:
    """Return the recordings that compare with the past."""
    about = {"job": job, "model": model}
    counts = {
        "model:model_rows:increase": past.rows,
        "model:model_rows_rejected:increase": past.rejected,
        "model:model_batch_failures:increase": past.failures,
    }
    return {
        "version:model_predictions:replaced": [Series({**about, "version": each}, 1.0) for each in past.replaced],
        **{name: [] if count is None else [Series(about, float(count))] for name, count in counts.items()},
    }


def _found(rule: Rule, known: KnownSeries) -> Iterator[Finding]:
    for labels, value in rule.query(known):
        yield Finding(
            alert=rule.name,
            severity=rule.severity,
            labels=labels,
            value=value,
            limit=rule.limit.expanded(labels, value, known.answer),
            summary=rule.summary,
            sentence=rule.sentence.expanded(labels, value, known.answer),
            look=rule.look.expanded(labels, value, known.answer),
            links={name: each.expanded(labels, value, known.answer) for name, each in rule.links.items()},
            unsure=rule.looks_back,
        )
