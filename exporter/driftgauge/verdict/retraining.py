"""Whether retraining is recommended, and for which reason, by the policy in thresholds.yml.

A reason has to hold now, and to have held on each of the last days that are over and had predictions: a day is what a
window of 24 h would say that held exactly its rows. Nothing is remembered from one refresh to the next: the days follow
from the panes, so the answer is the same after a restart, and rows that come late are seen at the next refresh.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from driftgauge.generator.definitions.retraining import Reason
from driftgauge.samples import Sample, Samples
from driftgauge.verdict.findings import Past, known_series
from driftgauge.verdict.known import KnownSeries
from driftgauge.verdict.rules import Rules

FAMILY: Final = "model_retraining_recommended"
# The last days of a version that are over, at most so many, with labels or with predictions: each as the samples of the
# windows that rules look at.
Days = Callable[[str, int, bool], Sequence[Samples]]


def recommendations(
    model: str, samples: Samples, rules: Rules, days: Days, *, now: int, past: Past | None = None
) -> Samples:
    """Return for each version and reason whether retraining is recommended at `now` (µs).

    It is absent where the reason cannot be judged. samples, past: as for `findings`. days: is asked only of versions
    for which a reason holds now.
    """
    policy = rules.thresholds.for_model(model).alerts.ModelRetrainingRecommended
    known, found = known_series(model, samples, rules, now=now, past=past), []
    for name, reason in rules.reasons.items() if policy.enabled else ():
        wanted, holding = reason.days(policy), _versions(known, reason.holds)
        for version in sorted(_versions(known, reason.judged)):
            held = version in holding and _held(model, days(version, wanted, reason.labelled), wanted, reason, rules)
            found.append(Sample((model, version, name), float(held)))
    return {FAMILY: found} if found else {}


def _held(model: str, days: Sequence[Samples], wanted: int, reason: Reason, rules: Rules) -> bool:
    """Tell whether a reason held on each day, and there are as many as are wanted."""
    return len(days) == wanted and all(_on_days(model, days, reason, rules))


def _on_days(model: str, days: Sequence[Samples], reason: Reason, rules: Rules) -> Iterator[bool]:
    for samples in days:
        yield bool(_versions(known_series(model, samples, rules, now=0), reason.holds))


def _versions(known: KnownSeries, query: str) -> set[str]:
    return {labels["version"] for labels, _ in known.answer(query)}
