"""Random snapshots of models, with values around every limit, and names that are hard to quote."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from driftgauge.families import FAMILIES, PERFORMANCE_GAUGES
from driftgauge.samples import Sample, Samples
from driftgauge.verdict import Past

WINDOWS: Final = ("1h", "24h", "7d")
METRICS: Final = ("accuracy", "f1", "roc_auc", "mae", "log_loss")
NAMES: Final = ('say "hi"', "back\\slash", "{{ end }}", "größe", "line\nbreak", "per%cent", "zero\u200bwidth", "tab\t")
ROWS: Final = (0, 60, 120, 250, 400, 700, 1500, 3_000_000)
DAY: Final = 86_400


@dataclass(frozen=True)
class RandomModel:
    """A model's snapshot, and what six hours before was counted of it."""

    name: str
    samples: Samples
    before: Samples

    @property
    def past(self) -> Past:
        """What an exporter that ran for longer knows of the past."""
        now, then = (self.by_version(samples, "model_predictions_total") for samples in (self.samples, self.before))
        idle = tuple(version for version, count in now.items() if then.get(version) == count)
        grown = {family: self._grown(family) for family in self.before}
        return Past(
            replaced=idle if len(idle) < len(now) and any(now[v] > then.get(v, now[v]) for v in now) else (),
            rows=grown["model_predictions_total"] + grown["model_labels_total"],
            rejected=grown["model_rows_rejected_total"],
            failures=grown["model_batch_failures_total"],
        )

    def _grown(self, family: str) -> int:
        now, then = (self.by_version(samples, family) for samples in (self.samples, self.before))
        return int(sum(count - then.get(label, 0) for label, count in now.items()))

    @staticmethod
    def by_version(samples: Samples, family: str) -> dict[str, float]:
        """Return the values of a counter by its second label."""
        return {each.labels[1]: each.value for each in samples.get(family, ()) if isinstance(each, Sample)}


class Drawing:
    """Draws the samples of one model."""

    def __init__(self, rng: np.random.Generator, name: str) -> None:
        self.rng, self.name = rng, name
        self.samples: dict[str, list[Sample]] = {}

    def often(self, share: float = 0.5) -> bool:
        """Toss a coin."""
        return bool(self.rng.random() < share)

    def put(self, family: str, value: float, *labels: str, segment: str = "") -> None:
        """Add a sample."""
        assert len(labels) == len(FAMILIES[family].labels) - 1, family
        self.samples.setdefault(family, []).append(Sample((self.name, *labels), float(value), segment))

    def near(self, limit: float) -> float:
        """Return a value around a limit, now and then just the limit."""
        return limit if self.often(0.1) else float(limit * self.rng.uniform(0.1, 1.25))

    def flag(self, share: float = 0.15) -> float:
        """Return 0 or 1."""
        return float(self.often(share))


def random_models(count: int, *, now: float, seed: int) -> Iterator[RandomModel]:
    """Yield models; `now` in seconds since 1970."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        draw = Drawing(rng, f"model-{number}" if number >= len(NAMES) else f"{NAMES[number]} {number}")
        versions = ["1", "2"][: 1 + number % 2]
        before = _counters(draw, versions)
        _ages(draw, now)
        for version in versions:
            _version(draw, version)
            for window in WINDOWS:
                _window(draw, version, window)
                _features(draw, version, window)
        yield RandomModel(draw.name, draw.samples, before)


def _counters(draw: Drawing, versions: list[str]) -> Samples:
    """Draw what was counted, and return what it was before."""
    before: dict[str, list[Sample]] = {}
    for family, labels in (
        ("model_predictions_total", versions),
        ("model_labels_total", versions),
        ("model_rows_rejected_total", ["bad_time", "no_prediction"]),
        ("model_batch_failures_total", ["invalid_json"]),
    ):
        before[family] = []
        for label in labels:
            then, grown = int(draw.rng.integers(0, 2000)), int(draw.rng.choice([0, 0, 0, 0, 1, 400]))
            draw.put(family, then + grown, label)
            before[family].append(Sample((draw.name, label), float(then)))
    return before


def _ages(draw: Drawing, now: float) -> None:
    draw.put("model_last_prediction_timestamp_seconds", now - draw.rng.choice([60, 7000, 7300, 3 * DAY]))
    if draw.often(0.8):
        draw.put("model_last_label_timestamp_seconds", now - draw.rng.choice([60.25, 2.9 * DAY, 3.1 * DAY]))
    draw.put("model_info", 1, "1", "run 1", "7", "models:/m/1")


def _version(draw: Drawing, version: str) -> None:
    for metric in METRICS:
        if draw.often(0.9):
            draw.put("model_performance_baseline", draw.rng.choice([0.8, 0.92, 10.0, 0.0]), version, metric)
    for reason in ("performance", "concept_drift", "data_drift"):
        draw.put("model_retraining_recommended", draw.flag(), version, reason)
    for signal in ("accuracy", "f1", "inputs", "output"):
        if draw.often():
            draw.put("model_evidence_log10", draw.near(3.94), version, signal)


def _window(draw: Drawing, version: str, window: str) -> None:
    at = version, window
    draw.put("model_window_predictions", draw.rng.choice(ROWS), *at)
    draw.put("model_window_labels", draw.rng.choice(ROWS), *at)
    draw.put("model_window_predictions", 10**7, *at, segment="everybody")
    for metric in METRICS:
        _performance(draw, at, metric)
    for family in (f"{kind}_drift" for kind in ("concept", "label", "prediction", "multivariate", "reconstruction")):
        if draw.often(0.8):
            draw.put(f"model_{family}_detected", draw.flag(0.3), *at)
            draw.put(f"model_{family}_detected", 1, *at, segment="everybody")
    for family, limit in {"prediction_psi": 0.25, "label_psi": 0.2, "error_ratio": 0.05, "label_ratio": 0.1}.items():
        if draw.often(0.8):
            draw.put(f"model_{family}", draw.near(limit), *at)
    for label, kind in ((label, kind) for label in ("yes", "no") for kind in ("label", "reference")):
        draw.put("model_class_share", draw.rng.random(), *at, label, kind)
    draw.put("model_segments_worse", draw.rng.choice([0, 0, 1, 7]), *at)
    for number in range(int(draw.rng.integers(0, 8))):
        lower = draw.rng.uniform(-0.1, 0.3)
        draw.put("model_segment_degradation_lower", lower, *at, "accuracy", segment=f"age {number}")
    for level, share in {"0.99": 0.01, "0.999": 0.001}.items():
        draw.put("model_anomalous_rows_ratio", draw.near(5 * share), *at, level)
    for quantile in ("0.5", "0.99"):
        draw.put("model_latency_quantile_seconds", draw.near(0.5), *at, quantile)


def _performance(draw: Drawing, at: tuple[str, str], metric: str) -> None:
    if draw.often(0.2):
        return
    draw.put(PERFORMANCE_GAUGES[metric], draw.near(0.5), *at)
    for kind in ("performance", "estimated"):
        draw.put(f"model_{kind}_degradation", draw.near(0.06), *at, metric)
    for family in ("model_performance_bound", "model_estimated_performance_bound"):
        if draw.often(0.7):
            middle = draw.rng.choice([0.7, 0.85, 11.0])
            draw.put(family, middle - draw.rng.uniform(0, 0.1), *at, metric, "lower")
            draw.put(family, middle + draw.rng.uniform(0, 0.1), *at, metric, "upper")
    if draw.often(0.4):
        draw.put("model_estimate_error", draw.near(0.05) * draw.rng.choice([-1, 1]), *at, metric)
    if draw.often(0.8):
        draw.put("model_concept_drift_zscore", 3 * draw.rng.normal(), *at, metric)
    for part in ("inputs", "concept"):
        draw.put("model_performance_change", draw.rng.normal(), *at, metric, part)


def _features(draw: Drawing, version: str, window: str) -> None:
    at, names = (version, window), [*NAMES, "age"][: 1 + int(draw.rng.integers(0, 9))]
    drifted = 0.0
    for name in names:
        flag = draw.flag()
        drifted += flag
        if draw.often(0.8):
            draw.put("model_feature_drift_detected", flag, *at, name)
        draw.put("model_feature_psi", draw.near(0.2), *at, name)
        draw.put("model_feature_performance_impact", draw.rng.normal(), *at, name, "accuracy")
        for what, limit in {"missing": 0.2, "unseen": 0.05, "outlier": 0.25}.items():
            if draw.often(0.4):
                draw.put(f"model_feature_{what}_ratio", draw.near(limit), *at, name)
                draw.put(f"model_feature_{what}_ratio", 0.99, *at, name, segment="everybody")
    draw.put("model_drifted_features", drifted, *at)
    draw.put("model_monitored_features", len(names), *at)
    draw.put("model_drifted_features_ratio", drifted / len(names), *at)
