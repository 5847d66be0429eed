"""One file, read as the exporter reads it: what a worker does.

Nothing is read a second time here: what is told is what `batch.decode` decided about each block.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.batch import decode
from driftgauge.batch.explanation import Block, Use, uses
from driftgauge.batch.reasons import CODES
from driftgauge.batch.rows import UNUSABLE_TEXT, is_unusable
from driftgauge.batch.shape import Role
from driftgauge.batch.values import class_text, first_present, loose_text, numbers, without_missing
from driftgauge.config import ModelConfig
from driftgauge.errors import BatchError
from driftgauge.feed import Opener
from driftgauge.inspection.facts import (
    CATEGORIES,
    DISTINCT,
    EXAMPLES,
    SAMPLED,
    ColumnFacts,
    Facts,
    FeatureFacts,
    OutcomeFacts,
    Rejected,
    RejectedRow,
    thinned,
)
from driftgauge.schema import UNKNOWN_VERSION, ReadAs

if TYPE_CHECKING:
    from driftgauge.columns import Note

_SHOWN: Final = 40
_OUTCOMES: Final = ("prediction", "score", "label")
_LISTS: Final = "(a list, an object or bytes)"
# The roles whose values show why a row was rejected; for other reasons its first columns do.
_TELLING: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_timestamp": ("timestamp",),
    "bad_prediction": ("prediction", "score"),
    "bad_label": ("label",),
}
_KINDS: Final = (
    (pa.types.is_boolean, "true/false"),
    (pa.types.is_integer, "whole numbers"),
    (pa.types.is_floating, "numbers"),
    (pa.types.is_timestamp, "times"),
    (pa.types.is_duration, "durations"),
    (pa.types.is_binary, "lists, objects"),
    (pa.types.is_null, "empty"),
)


@dataclass(frozen=True, slots=True)
class Job:
    """A file to look at; `most` chunks of it, None for all. time: µs since 1970, of rows without one.

    latest: the last time that a refresh would accept now.
    """

    opener: Opener
    name: str
    role: Role
    model: ModelConfig
    time: int
    version: str | None
    kinds: Mapping[str, ReadAs] | None
    max_bytes: int
    latest: int
    most: int | None = None


def look(_: None, job: Job) -> Facts:
    """Return what a file holds; one that cannot be read has a problem, and what was read until then."""
    blocks: list[Facts] = []
    chunks: list[tuple[Any, Any]] = []
    notes: list[Note] = []
    problems: dict[str, tuple[str, str]] = {}
    row = 0

    def watch(block: Block) -> None:
        nonlocal row
        blocks.append(_of_block(block, job, row))
        row += len(block.rows)

    try:
        with job.opener() as file:
            decoded = decode(
                file,
                name=job.name,
                role=job.role,
                model=job.model,
                default_time=job.time,
                default_version=job.version or UNKNOWN_VERSION,
                kinds=job.kinds,
                max_bytes=job.max_bytes,
                latest=job.latest,
                watch=watch,
            )
            for chunk in islice(decoded, job.most):
                chunks.append((chunk.time, chunk.key))
                notes.extend(chunk.notes)
    except BatchError as error:
        problems[job.name] = (error.reason, str(error))
    whole = replace(Facts.combine(blocks), files=1, notes=tuple(notes), chunks=tuple(chunks), problems=problems)
    # None of the rows of a file of another shape counts, as a rejected one neither.
    return replace(whole, rows=0, rejected={}) if whole.is_misfit else whole


def _of_block(block: Block, job: Job, start: int) -> Facts:
    columns = {
        (use.path, use.role): _column(use, block) for use in uses(block, job.model, of_labels=job.role == "labels")
    }
    return Facts(
        rows=len(block.rows),
        columns=columns,
        features={name: _feature(name, block) for name in (*block.columns.numbers, *block.columns.categories)},
        outcomes=dict(_outcomes(block)),
        rejected=dict(_rejected(block, job.name, start)),
        classes=frozenset(block.roles.class_scores),
    )


def _column(use: Use, block: Block) -> ColumnFacts:
    column = without_missing(block.rows.columns[use.path])
    present = len(column) - column.null_count
    if is_unusable(column):
        return ColumnFacts(use, _kind(use, column, block), len(column), present, _LISTS if present else "", frozenset())
    texts = pc.unique(loose_text(column.drop_null().slice(0, SAMPLED))).to_pylist()
    values = [_LISTS if text == UNUSABLE_TEXT else text for text in texts]
    return ColumnFacts(
        use, _kind(use, column, block), len(column), present, values[0][:_SHOWN] if values else "", frozenset(values)
    )


def _kind(use: Use, column: Any, block: Block) -> str:
    name = use.role.removeprefix("feature ")
    if name != use.role:
        return "categorical" if name in block.columns.categories else "numeric"
    kind = next((name for check, name in _KINDS if check(column.type)), "text")
    if kind == "text" and block.rows.untyped:
        read = numbers(column)
        if not read.bad.any():
            return "empty" if np.isnan(read.values).all() else "numbers"
    return "empty" if column.null_count == len(column) else kind


def _feature(name: str, block: Block) -> FeatureFacts:
    shown = frozenset({block.shown[name]} if name in block.shown else ())
    if name in block.columns.categories:
        counted = block.columns.categories[name].drop_null().value_counts().to_pylist()
        counts = Counter({each["values"]: each["counts"] for each in counted})
        return FeatureFacts(shown, np.zeros(0), Counter(dict(counts.most_common(CATEGORIES))))
    values = block.columns.numbers[name]
    return FeatureFacts(shown, thinned(values[np.isfinite(values)]), Counter())


def _outcomes(block: Block) -> Iterator[tuple[str, OutcomeFacts]]:
    for role in _OUTCOMES:
        column = first_present(block.rows, block.roles.paths[role])
        if column.null_count == len(column):
            continue
        read = numbers(column)
        values = read.values[np.isfinite(read.values)]
        fractions = np.trunc(read.values) != read.values
        named = class_text(column.filter(pa.array(~fractions | np.isnan(read.values))))
        low, high = (float(values.min()), float(values.max())) if len(values) else (np.inf, -np.inf)
        yield (
            role,
            OutcomeFacts(
                numbers=0 if pa.types.is_boolean(column.type) else len(values),
                others=len(values) if pa.types.is_boolean(column.type) else int(read.bad.sum()),
                fractions=int((values % 1 != 0).sum()),
                low=low,
                high=high,
                classes=frozenset(pc.unique(named.drop_null()).slice(0, DISTINCT).to_pylist()),
            ),
        )


def _rejected(block: Block, file: str, start: int) -> Iterator[tuple[str, Rejected]]:
    for reason, code in CODES.items():
        at = np.flatnonzero(block.reasons == code)
        if len(at):
            rows = (RejectedRow(file, start + int(row) + 1, _row(block, int(row), reason)) for row in at[:EXAMPLES])
            yield reason, Rejected(len(at), tuple(rows))


def _row(block: Block, row: int, reason: str) -> str:
    """Return the values of a row that tell why it was rejected, or its first ones."""
    telling = [path for role in _TELLING.get(reason, ()) for path in block.roles.paths[role]]
    shown = []
    for path in telling or block.rows.columns:
        text = loose_text(block.rows.columns[path].slice(row, 1))[0].as_py()
        if text is not None:
            shown.append(f"{path}={_LISTS if text == UNUSABLE_TEXT else text[:_SHOWN]}")
    return ", ".join(shown[:EXAMPLES])
