"""What a refresh would publish, found out by doing one, and why the rest would be absent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from driftgauge.config import ModelConfig
from driftgauge.families import FAMILIES, PERFORMANCE_GAUGES, Family
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.findings import Absence, Publication, PublishedGroup
from driftgauge.samples import Sample, Samples
from driftgauge.signals.multivariate import MIN_ROWS

_OF_REGRESSION: Final = frozenset(PERFORMANCE_GAUGES[name] for name in ("mse", "rmse", "mae", "r2"))
_OF_SCORES: Final = frozenset(PERFORMANCE_GAUGES[name] for name in ("roc_auc", "log_loss", "brier_score"))
_OF_FEATURES: Final = frozenset({"model_missing_ratio", "model_outlier_ratio"})
_OF_NUMBERS: Final = ("_ks_", "_wasserstein", "_mean", "_stddev", "_outlier")
_OF_CATEGORIES: Final = ("_chi2_", "_total_variation", "_unseen")
_GROUPS_OF_DRIFT: Final = (
    "Drift of the model",
    "Drift of each feature",
    "Drift of the output",
    "All features together",
)
# The signals that look at all features together, by a part of their families' names.
_JOINT: Final = {"reconstruction": "reconstruction", "multivariate": "multivariate", "anomalous": "anomalies"}
# Numbers worth showing where there are any.
_VALUES: Final = ("model_window_predictions", "model_window_labels", *PERFORMANCE_GAUGES.values())


@dataclass(frozen=True, slots=True)
class Given:
    """What is there to compute from. problem: why there is no reference, "" when there is one or none is configured.

    unlearned: by signal, why it could not be learned from the reference.
    """

    model: ModelConfig
    predictions: Facts
    labels: Facts | None
    samples: Samples
    reference: Facts | None
    problem: str
    unlearned: Mapping[str, str]
    min_samples: int


def publication(given: Given, *, at: int, said: tuple[str, ...]) -> Publication:
    """Return what the samples of a refresh at `at` (µs) are, and for each family that has none why."""
    return Publication(
        at=iso(at),
        series=sum(map(len, given.samples.values())),
        groups=tuple(_groups(given.samples)),
        absent=tuple(_absences(given)),
        said=said,
        values=dict(_values(given.samples)),
    )


def iso(micros: int | None) -> str:
    """Return a time (µs since 1970) as ISO 8601 in UTC, "" for None."""
    return "" if micros is None else datetime.fromtimestamp(micros // 10**6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _groups(samples: Samples) -> Iterator[PublishedGroup]:
    groups: dict[str, list[Family]] = {}
    for name, family in FAMILIES.items():
        if samples.get(name):
            groups.setdefault(family.group, []).append(family)
    for group, families in groups.items():
        labels = [
            dict(zip(family.labels, sample.labels, strict=False))
            for family in families
            for sample in samples[family.name]
        ]
        yield PublishedGroup(
            group=group,
            families=tuple(family.name for family in families),
            series=len(labels),
            versions=_distinct(labels, "version"),
            windows=_distinct(labels, "window"),
        )


def _distinct(labels: list[dict[str, str]], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each[name] for each in labels if name in each))


def _values(samples: Samples) -> Iterator[tuple[str, float]]:
    """Yield the headline numbers of the longest window of the newest version, which come last."""
    for name in _VALUES:
        plain = [each for each in samples.get(name, ()) if isinstance(each, Sample) and not each.segment]
        if plain:
            yield name, plain[-1].value


def _absences(given: Given) -> Iterator[Absence]:
    reasons: dict[str, list[str]] = {}
    for name, family in FAMILIES.items():
        if family.scope == "model" and not given.samples.get(name):
            why = _why(family, given)
            if why:
                reasons.setdefault(why, []).append(name)
    return (Absence(tuple(names), why) for why, names in reasons.items())


def _why(family: Family, given: Given) -> str:
    """Return why a family has no series, "" where nobody would expect one."""
    if not given.predictions.usable:
        return "no row is usable"
    if family.name == "model_feature_distribution" and not given.model.publish_bins:
        return ""
    if family.group == "Performance":
        return _why_no_performance(family, given) if _fits_task(family, given.model) else ""
    if family.group in _GROUPS_OF_DRIFT or family.name in _OF_FEATURES:
        return _why_no_drift(family, given)
    if "latency" in family.name:
        return "" if given.predictions.taken_for("latency") else "no column is a latency"
    return _why_no_delay(family, given) if "label" in family.name else ""


def _why_no_delay(family: Family, given: Given) -> str:
    if not _has_labels(given):
        return "no labels"
    return _why_no_labels(given) or ("labels came with their predictions" if "delay" in family.name else "")


def _fits_task(family: Family, model: ModelConfig) -> bool:
    if "class" in family.labels:
        return model.task != "regression"
    own = family.name in PERFORMANCE_GAUGES.values()
    return not own or (family.name in _OF_REGRESSION) == (model.task == "regression")


def _why_no_performance(family: Family, given: Given) -> str:
    if family.name == "model_performance_baseline":
        return _why_no_baseline(given)
    missing = _why_no_labels(given) or (_why_no_baseline(given) if "metric" in family.labels else "")
    return missing or (_why_no_scores(given) if family.name in _OF_SCORES else _why_none_of_labels(given))


def _why_none_of_labels(given: Given) -> str:
    if any(sample.value for sample in _plain(given.samples, "model_window_labels")):
        return "labels and predictions do not allow it: see what is said of them"
    return "no label lies in a window"


def _why_no_labels(given: Given) -> str:
    if not _has_labels(given):
        return "no labels: rows have none, and no labels: are configured"
    if given.labels is not None and not any(sample.value for sample in _plain(given.samples, "model_labels_total")):
        return "no label has met its prediction"
    return ""


def _has_labels(given: Given) -> bool:
    return given.labels is not None or bool(given.predictions.taken_for("label"))


def _why_no_baseline(given: Given) -> str:
    if given.model.reference is None:
        return "no baseline: write baseline: {accuracy: …}, or a reference: with labels"
    return given.problem or "no baseline: the reference has no labels; write baseline: {accuracy: …}"


def _why_no_scores(given: Given) -> str:
    if any(note.reason in {"score_scale", "positive_class"} for note in given.predictions.notes):
        return "scores are not used: see the doubts above"
    if given.model.task == "multiclass":
        return "" if given.predictions.classes else "no probabilities by class (proba_CLASS)"
    has = given.predictions.taken_for("score") or _has_fractions(given.predictions)
    return "labels have one class only" if has else "no score: predictions are classes"


def _has_fractions(facts: Facts) -> bool:
    found = facts.outcomes.get("prediction")
    return found is not None and found.is_numeric and not found.is_whole


def _why_no_drift(family: Family, given: Given) -> str:
    output = family.group == "Drift of the output"
    if not output and not given.predictions.features:
        return "no feature: see the columns that are not used"
    if given.model.reference is None or given.problem:
        return given.problem or "no reference: write reference: {uri: …}"
    if output and given.reference is not None and not ({"prediction", "score"} & given.reference.outcomes.keys()):
        return "the reference has no predictions"
    return _why_no_statistic(family, given)


def _why_no_statistic(family: Family, given: Given) -> str:
    joint = next((signal for part, signal in _JOINT.items() if part in family.name), "")
    if joint in given.unlearned:
        return f"no {joint}: {given.unlearned[joint]}"
    if joint:
        return f"fewer than {MIN_ROWS} rows in every window" if family.name.endswith("detected") else ""
    if family.name.endswith("drift_detected") or "drifted" in family.name:
        return f"fewer than {given.min_samples} rows in every window (drift.min_samples)"
    kinds = _OF_NUMBERS, _OF_CATEGORIES
    return "" if any(part in family.name for parts in kinds for part in parts) else "not computed from these rows"


def _plain(samples: Samples, name: str) -> list[Sample]:
    return [sample for sample in samples.get(name, ()) if isinstance(sample, Sample)]
