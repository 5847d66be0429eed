"""Everything the exporter says about its models at one instant, as samples of the metric families.

A pure function of each model's aggregates and `now`. What cannot be computed is left out here, once, for all families;
what is returned may be rendered without further checks.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import Final, NamedTuple, TypeVar

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.moments import Moment
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import PredictionPane
from driftgauge.aggregates.sums import Latest, Sums, added_up
from driftgauge.aggregates.totals import Totals
from driftgauge.config import Limits, ModelConfig, Window
from driftgauge.distances import MIN_ROWS, Measure, measured
from driftgauge.drift import ColumnDrift, compare, flags
from driftgauge.families import PERFORMANCE_GAUGES, HistogramSample, Sample, Samples
from driftgauge.grid import OUTPUT
from driftgauge.performance import class_counts, degradation, metrics
from driftgauge.reference import Reference
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers

QUANTILES: Final = (0.5, 0.9, 0.99)

A = TypeVar("A", bound=PredictionPane | Outcomes)
MutableSamples = dict[str, list[Sample | HistogramSample]]


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a model version is found in MLflow; the fields are label values of `model_info`, empty if unknown."""

    run_id: str
    experiment_id: str
    model_uri: str


@dataclass(frozen=True, slots=True, eq=False)
class ModelState:
    """All that is known of one model between refreshes. Every field is replaced, none is changed in place.

    prediction_sums, outcome_sums: what earlier snapshots added up; seen, judged: what the last one said of the
    predictions and outcomes of each window. They save time and change no value.
    """

    config: ModelConfig
    reference: Reference | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    predictions: Mapping[PaneKey, PredictionPane] = field(default_factory=dict)
    outcomes: Mapping[PaneKey, Outcomes] = field(default_factory=dict)
    identities: Mapping[str, Identity] = field(default_factory=dict)
    prediction_sums: Sums = field(default_factory=Sums)
    outcome_sums: Sums = field(default_factory=Sums)
    seen: Latest[Samples] = field(default_factory=Latest)
    judged: Latest[Samples] = field(default_factory=Latest)


class _Place(NamedTuple):
    """A version's window, and how long it is."""

    version: str
    window: str
    seconds: int


@dataclass(frozen=True, slots=True)
class _Board:
    """Collects samples under a fixed prefix of label values; drops what is None or not finite."""

    samples: MutableSamples
    prefix: tuple[str, ...]

    def under(self, *labels: str) -> "_Board":
        return _Board(self.samples, (*self.prefix, *labels))

    def put(self, family: str, value: float | None, *labels: str) -> None:
        if value is not None and isfinite(value):
            self.samples.setdefault(family, []).append(Sample((*self.prefix, *labels), float(value)))

    def add(self, samples: Samples) -> None:
        for family, found in samples.items():
            self.samples.setdefault(family, []).extend(found)

    def histogram(self, family: str, buckets: Buckets) -> None:
        if buckets.total:
            counts = tuple(float(count) for count in buckets.counts)
            self.samples.setdefault(family, []).append(
                HistogramSample(self.prefix, buckets.bounds, counts, buckets.sum)
            )


def model_samples(
    model: ModelState, *, windows: Sequence[Window], limits: Limits, now: int, measure: Measure = measured
) -> Samples:
    """Return every series of one model at `now` (µs): its most recent `max_versions` versions, all windows.

    A window that holds what it held in the snapshot before says what it said then, without being computed again.
    measure: does what `measured` does, maybe elsewhere.
    """
    board = _Board({}, (model.config.name,))
    _put_model(board, model.totals)
    versions = model.totals.newest(limits.max_versions)
    for version in versions:
        _put_version(board.under(version), model, version)
    places = [_Place(version, window.name, window.seconds) for window in windows for version in versions]
    predictions = _parts(model.predictions, model.prediction_sums, PredictionPane.combine, windows, now)
    outcomes = _parts(model.outcomes, model.outcome_sums, Outcomes.combine, windows, now)
    panes = {place: predictions.get((place.version, place.seconds), ()) for place in places}
    labelled = {place: outcomes.get((place.version, place.seconds), ()) for place in places}
    terms = model.config, model.reference, limits
    seen = _told(model.seen, terms, panes, partial(_about_predictions, model, limits, measure))
    judged = _told(model.judged, (model.config, model.baseline), labelled, partial(_about_outcomes, model))
    for place in places:
        here = board.under(place.version, place.window)
        here.put("model_window_predictions", sum(pane.rows for pane in panes[place]))
        here.put("model_window_labels", sum(part.rows for part in labelled[place]))
        for samples in (seen.get(place, {}), judged.get(place, {})):
            here.add(samples)
    return board.samples


def _parts(
    panes: Mapping[PaneKey, A],
    sums: Sums,
    combine: Callable[[Sequence[A]], A],
    windows: Sequence[Window],
    now: int,
) -> dict[tuple[str, int], tuple[A, ...]]:
    """Return what the windows are the sums of, by version and length in seconds: the same objects while these hold.

    A window is the next shorter one and what that does not cover, so new rows are added up once for all of them.
    """
    tiers = Tiers.of(windows)
    found: dict[tuple[str, int], tuple[A, ...]] = {}
    parts: dict[str, tuple[A, ...]] = {}
    covered: set[PaneKey] = set()
    names: set[Hashable] = set()
    for window in sorted(windows, key=lambda window: window.seconds):
        added: dict[str, list[A]] = {}
        for key in tiers.visible(panes, window, now):
            if key not in covered:
                added.setdefault(key.version, []).append(panes[key])
                covered.add(key)
        for version, new in added.items():
            names.add((window.seconds, version))
            parts[version] = *parts.get(version, ()), sums.combine((window.seconds, version), new, combine)
        found |= {(version, window.seconds): held for version, held in parts.items()}
    sums.keep(names)
    return found


def _told(
    latest: Latest[Samples],
    terms: tuple[object, ...],
    parts: Mapping[_Place, tuple[A, ...]],
    compute: Callable[[Mapping[_Place, tuple[A, ...]]], Mapping[_Place, Samples]],
) -> dict[_Place, Samples]:
    """Return what is told about each window with rows; only those whose parts or `terms` are others are computed."""
    made_of = {place: (*terms, *held) for place, held in parts.items() if any(part.rows for part in held)}
    new = {place: parts[place] for place, of in made_of.items() if latest.get(place, of) is None}
    for place, samples in compute(new).items():
        latest.put(place, made_of[place], samples)
    latest.keep(made_of)
    return {place: told for place, of in made_of.items() if (told := latest.get(place, of)) is not None}


def _about_predictions(
    model: ModelState, limits: Limits, measure: Measure, parts: Mapping[_Place, tuple[PredictionPane, ...]]
) -> dict[_Place, Samples]:
    drift = _drift(model.reference, parts, measure)
    # What they hold of the grid has been compared already.
    whole = added_up(list(parts.values()), partial(PredictionPane.combine, distributions=False))
    boards = {place: _board(model, place) for place in parts}
    for place, pane in zip(parts, whole, strict=True):
        _put_predictions(boards[place], model, pane, drift.get(place, {}), limits)
    return {place: board.samples for place, board in boards.items()}


def _about_outcomes(model: ModelState, parts: Mapping[_Place, tuple[Outcomes, ...]]) -> dict[_Place, Samples]:
    boards = {place: _board(model, place) for place in parts}
    for place, outcomes in zip(parts, added_up(list(parts.values()), Outcomes.combine), strict=True):
        _put_performance(boards[place], model, outcomes)
    return {place: board.samples for place, board in boards.items()}


def _board(model: ModelState, place: _Place) -> _Board:
    return _Board({}, (model.config.name, place.version, place.window))


def _drift(
    reference: Reference | None, parts: Mapping[_Place, tuple[PredictionPane, ...]], measure: Measure
) -> dict[_Place, dict[str, ColumnDrift]]:
    """Return how far the columns of each window are from the reference, for those that were counted on its layout."""
    if reference is None:
        return {}
    counted = {place: tuple(pane.distribution for pane in panes if pane.distribution) for place, panes in parts.items()}
    # Windows that hold the same, as those of a young version do, are compared once.
    distinct = {tuple(map(id, held)): held for held in counted.values() if held}
    columns = dict(zip(distinct, compare(reference, list(distinct.values()), measure), strict=True))
    return {place: columns[tuple(map(id, held))] for place, held in counted.items() if held}


def _put_model(board: _Board, totals: Totals) -> None:
    board.put("model_batches_total", totals.batches)
    for reason, count in totals.failures.items():
        board.put("model_batch_failures_total", count, reason)
    for reason, count in totals.rejected.items():
        board.put("model_rows_rejected_total", count, reason)
    last_prediction = max((v.last_prediction for v in totals.versions.values() if v.last_prediction), default=None)
    board.put("model_last_prediction_timestamp_seconds", _seconds(last_prediction))
    board.put("model_last_label_timestamp_seconds", _seconds(totals.last_label))
    board.put("model_last_batch_timestamp_seconds", _seconds(totals.last_batch))


def _put_version(board: _Board, model: ModelState, version: str) -> None:
    totals = model.totals.versions[version]
    board.put("model_predictions_total", totals.predictions)
    board.put("model_prediction_errors_total", totals.failed)
    board.put("model_labels_total", totals.labels)
    board.histogram("model_latency_seconds", totals.latency)
    board.histogram("model_label_delay_seconds", totals.label_delay)
    for metric, value in model.baseline.items():
        board.put("model_performance_baseline", value, metric)
    identity = model.identities.get(version)
    if identity:
        board.put("model_info", 1, identity.run_id, identity.experiment_id, identity.model_uri)


def _put_predictions(
    board: _Board, model: ModelState, pane: PredictionPane, drifted: Mapping[str, ColumnDrift], limits: Limits
) -> None:
    board.put("model_error_ratio", pane.failed / pane.rows)
    board.histogram("model_window_latency_seconds", pane.latency)
    for q in QUANTILES:
        board.put("model_latency_quantile_seconds", pane.latency_sketch.quantile(q), str(q))
    features = _feature_names(model, pane, limits)
    answered = pane.rows - pane.failed
    _put_column(board, "model_prediction", pane.moments.columns.get(OUTPUT, Moment()), drifted.get(OUTPUT), answered)
    _put_quality(board, pane, features, drifted)
    known = set(model.reference.profiles) if model.reference else None
    for name in features:
        moment = pane.moments.columns.get(name, Moment())
        _put_column(board, "model_feature", moment, drifted.get(name), pane.rows, name)
        if known is not None and name not in known and moment.present:
            board.put("model_feature_unseen_ratio", 1.0, name)
    _put_flags(board, model, {name: drifted[name] for name in features if name in drifted}, drifted.get(OUTPUT))


def _feature_names(model: ModelState, pane: PredictionPane, limits: Limits) -> list[str]:
    """Return the reference's features in its order, then others the batches had, up to the limit."""
    expected = list(model.reference.kinds) if model.reference else []
    others = sorted(pane.moments.columns.keys() - set(expected) - {OUTPUT})
    return [*expected, *others][: limits.max_features]


def _put_column(board: _Board, prefix: str, moment: Moment, drift: ColumnDrift | None, rows: int, *labels: str) -> None:
    for statistic, value in (drift.statistics if drift else {}).items():
        board.put(f"{prefix}_{statistic}", value, *labels)
    if moment.variance is not None and moment.count >= MIN_ROWS:
        board.put(f"{prefix}_mean", moment.mean, *labels)
        board.put(f"{prefix}_stddev", float(np.sqrt(moment.variance)), *labels)
    if rows:
        board.put(f"{prefix}_missing_ratio", 1 - moment.present / rows, *labels)
    if drift and drift.rows:
        board.put(f"{prefix}_outlier_ratio", _ratio(drift.outliers, drift.rows), *labels)
        board.put(f"{prefix}_unseen_ratio", _ratio(drift.unseen, drift.rows), *labels)


def _put_quality(
    board: _Board, pane: PredictionPane, features: Sequence[str], drifted: Mapping[str, ColumnDrift]
) -> None:
    if features:
        present = sum(pane.moments.columns.get(name, Moment()).present for name in features)
        board.put("model_missing_ratio", 1 - present / (pane.rows * len(features)))
    fenced = [drifted[name] for name in features if name in drifted and drifted[name].outliers is not None]
    values = sum(column.rows for column in fenced)
    if values:
        board.put("model_outlier_ratio", sum(column.outliers or 0 for column in fenced) / values)


def _put_flags(
    board: _Board, model: ModelState, features: Mapping[str, ColumnDrift], output: ColumnDrift | None
) -> None:
    judged = flags(features, model.config.drift)
    for name, drifted in judged.items():
        board.put("model_feature_drift_detected", drifted, name)
    if judged:
        board.put("model_drifted_features", sum(judged.values()))
        board.put("model_drifted_features_ratio", sum(judged.values()) / len(judged))
        board.put("model_drift_detected", any(judged.values()))
    if model.reference:
        board.put("model_monitored_features", len(judged))
    if output:
        for drifted in flags({OUTPUT: output}, model.config.drift).values():
            board.put("model_prediction_drift_detected", drifted)


def _put_performance(board: _Board, model: ModelState, outcomes: Outcomes) -> None:
    found = metrics(outcomes, task=model.config.task, average=model.config.average)
    for metric, value in found.items():
        board.put(PERFORMANCE_GAUGES[metric], value)
    for metric, value in degradation(found, model.baseline).items():
        board.put("model_performance_degradation", value, metric)
    for name, counts in class_counts(outcomes).items():
        board.put("model_class_precision", counts.precision, name)
        board.put("model_class_recall", counts.recall, name)
        board.put("model_class_f1_score", counts.f1, name)


def _ratio(part: int | None, whole: int) -> float | None:
    return None if part is None else part / whole


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / MICROSECONDS
