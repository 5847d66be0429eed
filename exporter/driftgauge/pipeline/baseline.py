"""A reference file, from its URI to the compiled reference and the baseline metrics computed on it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

import pyarrow.compute as pc

from driftgauge.aggregates.outcomes import Outcomes
from driftgauge.batch import decode, survey
from driftgauge.columns import Columns, Note
from driftgauge.config import Limits, ModelConfig
from driftgauge.feed import Opener
from driftgauge.performance import metrics
from driftgauge.pipeline.executor import NOTHING, Executor
from driftgauge.reference import MIN_REFERENCE_ROWS, Compiled, Reference, compile_reference
from driftgauge.schema import UNKNOWN_VERSION, ReadAs
from driftgauge.segments import ALL_ROWS, Segment, Segments, asked_of_reference, values_of_reference
from driftgauge.signals import learn_all
from driftgauge.source import Source

# Bumped when the same file and settings would compile to something else.
_COMPILER: Final = "7"


def identity(
    source: Source, model: ModelConfig, uri: str, limits: Limits, segments: Sequence[Segment] | None = None
) -> str:
    """Return a text that changes when the reference must be compiled again: other data or other settings.

    segments: see `load`.
    """
    known = Segments.of(model, limits).kept if segments is None else segments
    asked = asked_of_reference(model) if segments is None else {}
    settings: tuple[object, ...] = (
        source.reference_identity(uri), model.task, model.threshold, model.average, model.columns, model.features,
        model.drift.bins, model.drift.binning, model.drift.grid, limits.max_features, limits.max_categories,
        model.positive_class, model.score.scale, model.timezone, model.labels.key if model.labels else (),
        model.signals, [segment.identity for segment in known], _COMPILER,
    )  # fmt: skip
    if asked:
        settings += (asked, repr(model.segments), model.drift.min_samples, limits.max_segments)
    return hashlib.blake2b(repr(settings).encode(), digest_size=16).hexdigest()


# What is said of a reference with predictions or labels that cannot be used.
_NO_BASELINE: Final = ("reference_bad_prediction", "reference_bad_label")


@dataclass(frozen=True, slots=True)
class _Job:
    """How to read a reference: its files, each with its name; segments: see `load`."""

    parts: tuple[tuple[Opener, str], ...]
    model: ModelConfig
    limits: Limits
    segments: tuple[Segment, ...] | None = None


def load(
    source: Source,
    model: ModelConfig,
    uri: str,
    limits: Limits,
    *,
    executor: Executor,
    segments: Sequence[Segment] | None = None,
) -> dict[str, Compiled]:
    """Download and compile a reference; return it under `ALL_ROWS`, and by identity the slices of it for segments.

    A segment in which the reference has too few rows has none. segments: those that another reference has; None: those
    that this one stands for.
    Raises SourceMissing, SourceUnavailable, BatchError or ReferenceUnusable.
    """
    found = source.reference(uri)
    try:
        parts = tuple((part.opener, part.name) for part in found.parts)
        job = _Job(parts, model, limits, None if segments is None else tuple(segments))
        return executor.submit(_compile, NOTHING, job).result()
    finally:
        found.release()


def _compile(_: None, job: _Job) -> dict[str, Compiled]:
    model, limits = job.model, job.limits
    kinds = None
    if len(job.parts) > 1:
        # A column is of one kind in all parts.
        kinds = survey(_opened(job.parts), model=model, max_bytes=limits.max_artifact_bytes)
    chunks = [chunk for part in job.parts for chunk in _decoded(part, job, kinds)]
    notes = tuple(note for chunk in chunks for note in chunk.notes)
    found = {ALL_ROWS: _compiled(chunks, job, notes)}
    segments = job.segments
    if segments is None:
        found[ALL_ROWS] = _with_segments(found[ALL_ROWS], model, chunks)
        segments = Segments.of(model, limits, found[ALL_ROWS].reference).kept
    for segment in segments:
        rows = [chunk.take(segment.members(chunk)) for chunk in chunks]
        if sum(map(len, rows)) >= MIN_REFERENCE_ROWS:
            found[segment.identity] = _compiled(rows, job, notes, found[ALL_ROWS].reference)
    return found


def _opened(parts: Iterable[tuple[Opener, str]]) -> Iterator[tuple[BinaryIO, str]]:
    for opener, name in parts:
        with opener() as file:
            yield file, name


def _decoded(part: tuple[Opener, str], job: _Job, kinds: Mapping[str, ReadAs] | None) -> list[Columns]:
    opener, name = part
    with opener() as file:
        decoded = decode(
            file,
            name=name,
            role="reference",
            model=job.model,
            default_time=0,
            default_version=UNKNOWN_VERSION,
            kinds=kinds,
            max_bytes=job.limits.max_artifact_bytes,
        )
        return [chunk for chunk in decoded if len(chunk) or len(job.parts) == 1]


def _compiled(
    chunks: Sequence[Columns], job: _Job, notes: tuple[Note, ...], whole: Reference | None = None
) -> Compiled:
    model, limits = job.model, job.limits
    reference = compile_reference(
        chunks, drift=model.drift, max_features=limits.max_features, max_categories=limits.max_categories
    )
    found = metrics(_labelled(chunks, notes), task=model.task, average=model.average)
    return Compiled(replace(reference, learned=learn_all(chunks, reference, model, whole)), found, notes)


def _with_segments(compiled: Compiled, model: ModelConfig, chunks: Sequence[Columns]) -> Compiled:
    """Return the same with the values that segments ask of the reference, if any does."""
    if not asked_of_reference(model):
        return compiled
    learned = {**compiled.reference.learned, "segments": {"values": values_of_reference(model, chunks)}}
    return replace(compiled, reference=replace(compiled.reference, learned=learned))


def _labelled(chunks: Sequence[Columns], notes: Sequence[Note]) -> Outcomes:
    """Return the outcomes of the labelled rows, none where the file has values that would be missing among them."""
    if any(note.reason in _NO_BASELINE for note in notes):
        return Outcomes()
    parts = []
    for chunk in chunks:
        rows = chunk.take(pc.is_valid(chunk.label).to_numpy(zero_copy_only=False))
        parts.append(
            Outcomes.fold(label=rows.label, predicted=rows.predicted, score=rows.score, class_scores=rows.class_scores)
        )
    found = Outcomes.combine(parts)
    return found.as_scores() if any(chunk.facts.has_scores for chunk in chunks) else found


def effective(computed: Mapping[str, float], model: ModelConfig) -> dict[str, float]:
    """Return the baseline to compare with: what is configured, and what was computed for the other metrics."""
    return {**computed, **(model.baseline or {})}
