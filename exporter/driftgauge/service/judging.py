"""What alerts say of a model now, with what its journal and its traffic know of the past."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from driftgauge.config import Config, ModelConfig
from driftgauge.generator.thresholds import SHIPPED, Thresholds, own, parse, shipped
from driftgauge.pipeline.journal import KEPT, Journal, Tally
from driftgauge.pipeline.memory import Memory
from driftgauge.samples import Sample, Samples
from driftgauge.snapshot import past_days
from driftgauge.verdict import Finding, Past, Rules, findings, recommendations
from driftgauge.windows import MICROSECONDS

# The word of the landing page for each alert; of several that hold, the gravest speaks.
STATES: Final[Mapping[str, str]] = {
    "ModelPerformanceDegraded": "degraded",
    "ModelBelowFloor": "degraded",
    "ModelPerformanceEvidence": "degraded",
    "ModelEstimatedPerformanceDegraded": "probably degraded",
    "ModelConceptDrift": "concept drift",
    "ModelLabelDrift": "labels drifting",
    "ModelSlicesDegraded": "slices degraded",
    "ModelFeaturesDrifted": "drifting",
    "ModelPredictionShifted": "drifting",
    "ModelOutputDrifted": "drifting",
    "ModelMultivariateDrift": "drifting",
    "ModelDriftEvidence": "drifting",
    "ModelFeatureDrifted": "drifting",
    "ModelUnusualRows": "unusual rows",
    "ModelRetrainingRecommended": "retraining recommended",
    "ModelTrafficStopped": "waiting",
    "ModelTrafficFell": "fewer requests",
    "ModelMissingValues": "values missing",
    "ModelUnseenCategories": "unseen categories",
    "ModelOutliers": "outliers",
    "ModelLatencyHigh": "slow",
    "ModelErrorRatioHigh": "requests fail",
    "ModelLabelsLate": "labels late",
    "ModelLabelsMissing": "labels unmatched",
    "ModelRowsRejected": "rows rejected",
    "ModelBatchesRejected": "files set aside",
}


@lru_cache(maxsize=2)
def _compiled(thresholds: str | None, name: str) -> Rules:
    return Rules.of(shipped() if thresholds is None else parse(thresholds, filename=name))


@lru_cache(maxsize=64)
def _compiled_for(thresholds: str | None, name: str, model: str, version: str) -> Rules:
    return Rules.of(own(_compiled(thresholds, name).thresholds, model, version, filename="monitoring"))


def rules_of(config: Config, model: ModelConfig | None = None) -> Rules:
    """Return the rules by which models are judged: those of the thresholds that a configuration names, or that ship.

    model: with what its registered version says, unless the configuration's thresholds name the model.
    """
    name = config.thresholds or SHIPPED
    if model is None or not model.judging:
        return _compiled(config.judging, name)
    return _compiled_for(config.judging, name, model.name, model.judging)


def judged(name: str, samples: Samples, journal: Journal, rules: Rules, *, now: int) -> tuple[Finding, ...]:
    """Return what alerts on a model hold at `now` (µs), the gravest first."""
    return findings(name, samples, rules, now=now, past=_past(name, samples, journal, rules.thresholds, now=now))


def recommended(memory: Memory, config: Config, samples: Samples, *, now: int) -> Samples:
    """Return whether retraining a model is recommended at `now` (µs), by version and reason."""
    model, asked = memory.shown, set()
    rules = rules_of(config, model.config)
    name = model.config.name
    windows = rules.thresholds.for_model(name).windows

    def days(version: str, most: int, labelled: bool) -> Sequence[Samples]:  # noqa: FBT001 - as `Days` has it
        asked.add((version, most, labelled))
        return past_days(
            model,
            version=version,
            names=(windows.performance.name, windows.drift.name),
            limits=config.limits,
            now=now,
            most=most,
            labelled=labelled,
            cache=memory.cache.days,
        )

    past = _past(name, samples, memory.journal, rules.thresholds, now=now)
    found = recommendations(name, samples, rules, days, now=now, past=past)
    memory.cache.days.keep(asked)
    return found


def _past(name: str, samples: Samples, journal: Journal, thresholds: Thresholds, *, now: int) -> Past:
    """Return what is known of the past: what was read lately, and who was asked lately.

    Prometheus takes a version for replaced when it was not asked for `activity`; here the window of traffic decides.
    """
    rows = _lately(journal, thresholds.alerts.ModelRowsRejected.within, now)
    files = _lately(journal, thresholds.alerts.ModelBatchesRejected.within, now)
    return Past(
        replaced=_replaced(samples, thresholds.for_model(name).windows.traffic.name),
        rows=None if rows is None else rows.rows,
        rejected=None if rows is None else sum(rows.rejected.values()),
        failures=None if files is None else sum(files.failures.values()),
    )


def _lately(journal: Journal, within: float, now: int) -> Tally | None:
    """Return what was read within so many seconds; None when the journal does not go back that far."""
    since = int(within * MICROSECONDS)
    return journal.lately(now - since) if since <= KEPT else None


def _replaced(samples: Samples, window: str) -> tuple[str, ...]:
    """Return the versions without a prediction in a window in which others had some."""
    found = samples.get("model_window_predictions", ())
    rows = {
        each.labels[1]: each.value
        for each in found
        if isinstance(each, Sample) and not each.segment and each.labels[2] == window
    }
    return tuple(version for version, count in rows.items() if not count) if any(rows.values()) else ()
