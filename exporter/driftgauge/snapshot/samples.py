"""Every series of one model: its counters as they are, and window by window what its panes add up to."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from driftgauge.aggregates.distribution import Distribution
from driftgauge.aggregates.moments import Moments
from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.aggregates.pane import Pane
from driftgauge.config import Limits, Window
from driftgauge.drift import ColumnDrift, compare
from driftgauge.grid import LABEL
from driftgauge.samples import Samples
from driftgauge.segments import ALL_ROWS, Segments
from driftgauge.signals import Basis, Fitted, fit_all, pane_samples
from driftgauge.signals.labels import FittedLabels
from driftgauge.signals.moments import FittedMoments
from driftgauge.signals.slices import FittedSlices
from driftgauge.snapshot.bins import put_bins
from driftgauge.snapshot.board import Board
from driftgauge.snapshot.cache import Latest, SnapshotCache
from driftgauge.snapshot.caused import impacts
from driftgauge.snapshot.closing import closed_parts, levels
from driftgauge.snapshot.drifted import put_drift, put_flags, put_label_drift
from driftgauge.snapshot.estimated import estimates_of, label_ratio, put_estimates, put_record
from driftgauge.snapshot.outputs import as_scores, comparable, holds_scores
from driftgauge.snapshot.performed import put_performance
from driftgauge.snapshot.running_sums import RunningSums
from driftgauge.snapshot.sliced import Visible, put_slices
from driftgauge.snapshot.state import ModelState
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers

# Version, segment, and the length of a window in seconds.
_Source = tuple[str, str, int]

# Version and segment.
_Subject = tuple[str, str]

# Judges a pane once, knowing whether predictions are scores, and returns what puts that on the board of each window.
_Judge = Callable[[ModelState, Mapping[str, Fitted], Pane, bool], Callable[[Board], None]]


class _Place(NamedTuple):
    """A window of a version's rows, all or those of a segment, and how long it is."""

    version: str
    segment: str
    window: str
    seconds: int

    @property
    def subject(self) -> _Subject:
        """Whose rows they are."""
        return self.version, self.segment

    @property
    def source(self) -> _Source:
        """Where its parts come from: windows of the same length have the same."""
        return self.version, self.segment, self.seconds


def model_samples(
    model: ModelState, *, windows: Sequence[Window], limits: Limits, now: int, cache: SnapshotCache | None = None
) -> Samples:
    """Return every series of one model at `now` (µs): its most recent `max_versions` versions, all windows.

    With the cache of the model's earlier snapshots, a window that holds the same as before is not computed again.
    """
    cache = cache or SnapshotCache()
    board = Board({}, (model.config.name,))
    _put_model(board, model, limits)
    versions = model.totals.newest(limits.max_versions)
    subjects = {
        (version, segment): subject for version in versions for segment, subject in model.of(version).subjects.items()
    }
    places = [
        _Place(version, segment, window.name, window.seconds) for window in windows for version, segment in subjects
    ]
    grown = {id(grown.pane): grown.of for grown in model.grown}
    predictions = _parts(model.predictions, cache.prediction_sums, windows, now, grown)
    outcomes = _parts(model.outcomes, cache.outcome_sums, windows, now, {})
    panes = {place: predictions.get(place.source, ()) for place in places}
    labelled = {place: outcomes.get(place.source, ()) for place in places}
    terms = {name: (model.config, of.reference, limits) for name, of in subjects.items()}
    with_baseline = {name: (*terms[name], of.baseline) for name, of in subjects.items()}
    fitted, scored = _fitted(subjects, limits), _scored(panes)
    samples_of = partial(_samples_of, subjects, fitted, scored)
    seen = _computed(cache.seen, with_baseline, panes, scored, partial(samples_of, _drift))
    judged = _computed(cache.judged, with_baseline, labelled, scored, partial(samples_of, _performance))
    judged_at_close = model.predictions if model.config.drift.rule == "budget" else {}
    closed = closed_parts(judged_at_close, cache.closed_sums, windows, now, grown)
    at_close = {place: closed.get(place.source, ()) for place in places}
    flags_of = partial(_flags_of, subjects, fitted, scored, levels(windows, model.config.alarms.per_year))
    flagged = _computed(cache.flagged, terms, at_close, scored, flags_of)
    visible = Visible.of(model.outcomes, windows, now)
    sliced = _computed(cache.sliced, terms, labelled, scored, partial(_sliced, subjects, fitted, visible))
    for place in places:
        here = replace(board.under(place.version, place.window), segment=place.segment)
        _put_counts(here, model, _rows(panes[place]), _rows(labelled[place]))
        for found in (seen, judged, sliced, flagged):
            here.add(found.get(place, {}))
    return board.samples


def _fitted(subjects: Mapping[_Subject, ModelState], limits: Limits) -> dict[_Subject, Mapping[str, Fitted]]:
    """Return the signals of each; versions without a reference of their own share theirs."""
    of_reference = {id(of.reference): of for of in subjects.values()}
    signals = {name: fit_all(Basis(of.config, limits, of.reference)) for name, of in of_reference.items()}
    return {name: signals[id(of.reference)] for name, of in subjects.items()}


def _scored(panes: Mapping[_Place, tuple[Pane, ...]]) -> dict[str, bool]:
    """Return of each version whether its predictions are scores, as all rows of its longest window say."""
    longest = max((place.seconds for place in panes), default=0)
    return {
        place.version: any(map(holds_scores, parts))
        for place, parts in panes.items()
        if (place.seconds, place.segment) == (longest, ALL_ROWS)
    }


def _parts(
    panes: Mapping[PaneKey, Pane],
    sums: RunningSums,
    windows: Sequence[Window],
    now: int,
    grown: Mapping[int, Sequence[Pane]],
) -> dict[_Source, tuple[Pane, ...]]:
    """Return what the windows are the sums of: the same objects while these hold.

    A window is the next shorter one and what that does not cover, so new rows are added up once for all of them.
    """
    tiers = Tiers.of(windows)
    found: dict[_Source, tuple[Pane, ...]] = {}
    parts: dict[tuple[str, str], tuple[Pane, ...]] = {}
    covered: set[PaneKey] = set()
    names: set[Hashable] = set()
    for window in sorted(windows, key=lambda window: window.seconds):
        added: dict[tuple[str, str], list[Pane]] = {}
        for key in tiers.visible(panes, window, now):
            if key not in covered:
                added.setdefault((key.version, key.segment), []).append(panes[key])
                covered.add(key)
        for subject, new in added.items():
            names.add((*subject, window.seconds))
            total = sums.combine((*subject, window.seconds), new, Pane.combine, grown=grown)
            parts[subject] = *parts.get(subject, ()), total
        found |= {(*subject, window.seconds): own for subject, own in parts.items()}
    sums.keep(names)
    return found


def _computed(
    latest: Latest[Samples],
    terms: Mapping[_Subject, tuple[object, ...]],
    parts: Mapping[_Place, tuple[Pane, ...]],
    scored: Mapping[str, bool],
    compute: Callable[[tuple[Pane, ...], Sequence[_Place]], Mapping[_Place, Samples]],
) -> dict[_Place, Samples]:
    """Return the samples of each window with rows; only those whose parts or `terms` have changed are computed.

    terms: by subject, what samples depend on but for the parts; scored: of which versions predictions are scores.
    Windows that hold the same, as those of a young version do, are computed together.
    """
    counted = {place: own for place, own in parts.items() if any(part.rows for part in own)}
    made_of = {place: (*terms[place.subject], scored[place.version], *own) for place, own in counted.items()}
    new: dict[tuple[object, ...], list[_Place]] = {}
    for place, of in made_of.items():
        if latest.get(place, of) is None:
            new.setdefault((place.subject, *map(id, parts[place])), []).append(place)
    for places in new.values():
        for place, samples in compute(parts[places[0]], places).items():
            latest.put(place, made_of[place], samples)
    latest.keep(made_of)
    return {place: known for place, of in made_of.items() if (known := latest.get(place, of)) is not None}


def _samples_of(
    subjects: Mapping[_Subject, ModelState],
    fitted_of: Mapping[_Subject, Mapping[str, Fitted]],
    scored: Mapping[str, bool],
    judge: _Judge,
    parts: tuple[Pane, ...],
    places: Sequence[_Place],
) -> dict[_Place, Samples]:
    """Return the samples of windows of one subject that hold these parts: what signals and `judge` say of them."""
    model, fitted = subjects[places[0].subject], fitted_of[places[0].subject]
    pane, has_scores = Pane.combine(parts), scored[places[0].version]
    if has_scores:
        pane = as_scores(pane, model.reference)
    alone, put = pane_samples(pane, fitted), judge(model, fitted, pane, has_scores)
    boards = {place: _board(model, place) for place in places}
    for board in boards.values():
        board.take(alone)
        put(board)
    return {place: board.samples for place, board in boards.items()}


def _drift(
    model: ModelState,
    fitted: Mapping[str, Fitted],
    pane: Pane,
    scored: bool,  # noqa: FBT001 - by position, in a table
) -> Callable[[Board], None]:
    distribution, moments = pane.find("distribution", Distribution), pane.find("moments", Moments)
    features, drifted = _features(fitted, pane), _moved(model, pane, scored=scored)
    caused = list(impacts(model.reference, distribution)) if model.reference and distribution else []
    estimates = estimates_of(pane, fitted, "predictions", scored=scored)

    def put(board: Board) -> None:
        put_drift(board, model, moments or Moments(), features, drifted)
        put_estimates(board, model.baseline, estimates)
        for feature, metric, value in caused:
            board.put("model_feature_performance_impact", value, feature, metric)
        if model.config.publish_bins and model.reference and distribution:
            put_bins(board, model.reference, distribution, features)

    return put


def _features(fitted: Mapping[str, Fitted], pane: Pane) -> list[str]:
    known, moments = fitted["moments"], pane.find("moments", Moments)
    return known.names(moments) if isinstance(known, FittedMoments) and moments else []


def _moved(model: ModelState, pane: Pane, *, scored: bool) -> Mapping[str, ColumnDrift]:
    distribution = pane.find("distribution", Distribution)
    if not (model.reference and distribution):
        return {}
    return comparable(compare(model.reference, distribution), model.reference, distribution, scored=scored)


def _flags_of(
    subjects: Mapping[_Subject, ModelState],
    fitted_of: Mapping[_Subject, Mapping[str, Fitted]],
    scored: Mapping[str, bool],
    levels: Mapping[str, float],
    parts: tuple[Pane, ...],
    places: Sequence[_Place],
) -> dict[_Place, Samples]:
    """Return the flags of windows of one subject that held these parts when their last pane closed."""
    model, has_scores = subjects[places[0].subject], scored[places[0].version]
    pane = as_scores(Pane.combine(parts), model.reference) if has_scores else Pane.combine(parts)
    features, drifted = _features(fitted_of[places[0].subject], pane), _moved(model, pane, scored=has_scores)
    boards = {place: _board(model, place) for place in places}
    for place, board in boards.items():
        put_flags(board, model, features, drifted, levels[place.window])
    return {place: board.samples for place, board in boards.items()}


def _performance(
    model: ModelState,
    fitted: Mapping[str, Fitted],
    pane: Pane,
    scored: bool,  # noqa: FBT001 - as above
) -> Callable[[Board], None]:
    outcomes = pane.find("outcomes", Outcomes) or Outcomes()
    estimates = estimates_of(pane, fitted, "labelled", scored=scored)

    known, counted = fitted.get("labels"), pane.find("labels", Distribution)
    labels = compare(known.reference, counted)[LABEL] if isinstance(known, FittedLabels) and counted else None

    def put(board: Board) -> None:
        put_record(board, model.baseline, put_performance(board, model, outcomes), estimates, rows=pane.rows)
        if labels:
            put_label_drift(board, model, labels)

    return put


def _put_counts(board: Board, model: ModelState, predictions: int, labelled: int) -> None:
    board.put("model_window_predictions", predictions)
    board.put("model_window_labels", labelled)
    board.put("model_label_ratio", label_ratio(model.config, predictions=predictions, labelled=labelled))


def _rows(parts: Sequence[Pane]) -> int:
    return sum(part.rows for part in parts)


def _sliced(
    subjects: Mapping[_Subject, ModelState],
    fitted_of: Mapping[_Subject, Mapping[str, Fitted]],
    visible: Visible,
    _: tuple[Pane, ...],
    places: Sequence[_Place],
) -> dict[_Place, Samples]:
    """Return what is said of the slices of all rows; windows that hold the same have panes of different lengths."""
    boards = {place: _board(subjects[place.subject], place) for place in places}
    for place, board in boards.items():
        signal = fitted_of[place.subject].get("slices")
        if isinstance(signal, FittedSlices) and place.segment == ALL_ROWS:
            put_slices(board, signal, *visible.panes(place.version, place.seconds))
    return {place: board.samples for place, board in boards.items()}


def _board(model: ModelState, place: _Place) -> Board:
    return Board({}, (model.config.name, place.version, place.window), place.segment)


def _put_model(board: Board, model: ModelState, limits: Limits) -> None:
    totals = model.totals
    board.put("model_label_match_ratio", model.joining.match_ratio)
    if model.config.segments:
        board.put("driftgauge_segments_dropped", len(Segments.of(model.config, limits, model.reference).dropped))
    board.put("model_batches_total", totals.batches)
    board.put("model_files_not_read_total", totals.unread)
    board.put("model_duplicate_batches_total", totals.duplicates)
    for reason, count in totals.failures.items():
        board.put("model_batch_failures_total", count, reason)
    for reason, count in totals.rejected.items():
        board.put("model_rows_rejected_total", count, reason)
    last_prediction = max((v.last_prediction for v in totals.versions.values() if v.last_prediction), default=None)
    board.put("model_last_prediction_timestamp_seconds", _seconds(last_prediction))
    board.put("model_last_label_timestamp_seconds", _seconds(totals.last_label))
    board.put("model_last_batch_timestamp_seconds", _seconds(totals.last_batch))
    for version in totals.newest(limits.max_versions):
        _put_version(board.under(version), model, version)


def _put_version(board: Board, model: ModelState, version: str) -> None:
    totals = model.totals.versions[version]
    board.put("model_predictions_total", totals.predictions)
    board.put("model_prediction_errors_total", totals.failed)
    board.put("model_labels_total", totals.labels)
    board.histogram("model_latency_seconds", totals.latency)
    board.histogram("model_label_delay_seconds", totals.label_delay)
    for metric, value in model.of(version).baseline.items():
        board.put("model_performance_baseline", value, metric)
    for signal, evidence in model.evidence.get(version, {}).items():
        board.put("model_evidence_log10", evidence.log10, signal)
    identity = model.identities.get(version)
    if identity:
        board.put("model_info", 1, identity.run_id, identity.experiment_id, identity.model_uri)


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / MICROSECONDS
