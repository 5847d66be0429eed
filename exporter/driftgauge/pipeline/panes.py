"""Decoded rows by version and pane: which of them count, and what they add to the panes of all rows and of segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftgauge.aggregates.pane import Pane
from driftgauge.batch.reasons import CODES, FINE
from driftgauge.columns import BoolArray, Columns, IntArray, TextArray
from driftgauge.pipeline.delta import Terms, signals_for
from driftgauge.signals import Rows, fold
from driftgauge.windows import PaneKey, is_future

# Distinct texts and, for each row (n,), the position of its text among them.
Coded = tuple[list[str], IntArray]

# A version has panes of its own; something that is new in every row is no version. Of one chunk of a file the most
# frequent versions count, of a model those with the newest predictions.
VERSION_LIMIT: Final = 100


def panes_of(
    rows: Columns,
    time: IntArray,
    terms: Terms,
    members: Sequence[BoolArray],
    *,
    of: Rows,
    versions: Coded | None = None,
) -> dict[PaneKey, Pane]:
    """Fold all rows, and those of each segment, into the panes of the times (n,) at which they count.

    members: (n,) by segment. versions: those of the rows, if they are known.
    """
    groups = dict(terms.tiers.groups(*(versions or coded(rows.version)), time, terms.now))
    found = _folded(rows, groups, terms, of)
    for segment, chosen in zip(terms.segments, members, strict=True):
        within = {replace(key, segment=segment.name): some for key, at in groups.items() if len(some := at[chosen[at]])}
        found |= _folded(rows, within, terms, of)
    return found


def _folded(rows: Columns, groups: Mapping[PaneKey, IntArray], terms: Terms, of: Rows) -> dict[PaneKey, Pane]:
    """Fold each group, those of the same signals together."""
    signals = {key: signals_for(terms.fitted, key.version, key.segment) for key in groups}
    found: dict[PaneKey, Pane] = {}
    for fitted in {id(each): each for each in signals.values()}.values():
        some = {key: at for key, at in groups.items() if signals[key] is fitted}
        found |= zip(some, fold(rows, list(some.values()), fitted, of), strict=True)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Usable:
    """The `n` rows of a chunk that count, their versions, and at which of the rows that were read they are (n,).

    rejected: by reason, where the others are; those with a key are the `gaps` of the rows. rows_read: how many there
    are in all. names: the numbers that were put in place of versions' aliases and stages.
    """

    rows: Columns
    versions: Coded
    at: IntArray
    rejected: Mapping[str, IntArray]
    rows_read: int
    names: Mapping[str, str] = field(default_factory=dict)


def usable(rows: Columns, terms: Terms) -> Usable:
    """Return the rows of a chunk that count."""
    read, at, rejected = rows.rows_read, np.arange(len(rows)), {}
    if rows.verdicts is not None and rows.rejected:
        at = np.flatnonzero(rows.verdicts == FINE)
        rejected = {reason: np.flatnonzero(rows.verdicts == CODES[reason]) for reason in rows.rejected}
    gaps, future = rows.gaps, is_future(rows.time, terms.now, ahead=terms.ahead)
    if future.any():
        rejected["future_timestamp"] = at[future]
        gaps = _with_gaps(gaps, rows, future)
        rows, at = rows.take(~future), at[~future]
    versions = coded(rows.version)
    names, codes = versions
    if len(names) > VERSION_LIMIT:
        counts = np.bincount(codes)
        ranked = sorted(range(len(names)), key=lambda code: (-counts[code], names[code]))
        kept = np.isin(codes, ranked[:VERSION_LIMIT])
        rejected["too_many_versions"] = at[~kept]
        gaps = _with_gaps(gaps, rows, ~kept)
        rows, at = rows.take(kept), at[kept]
        versions = coded(rows.version)
    meant = {name: terms.names[name] for name in versions[0] if name in terms.names}
    if meant:
        numbers = pa.array([meant.get(name, name) for name in versions[0]], pa.string())
        rows = replace(rows, version=numbers.take(pa.array(versions[1])))
        versions = coded(rows.version)
    return Usable(replace(rows, gaps=gaps), versions, at, rejected, read, meant)


def _with_gaps(gaps: Columns | None, rows: Columns, rejected: BoolArray) -> Columns | None:
    keyed = rejected & pc.is_valid(rows.key).to_numpy(zero_copy_only=False)
    if rows.where is None or not keyed.any():
        return gaps
    return Columns.concat([*([gaps] if gaps else []), rows.take(keyed)])


def coded(text: TextArray) -> Coded:
    """Return the distinct texts and, for each row (n,), the position of its text among them."""
    flat = one_array(text)
    # Mostly they are all the same, which takes a fifth of the time to see.
    if len(flat) and not flat.null_count and pc.all(pc.equal(flat, flat[0])).as_py():
        return [flat[0].as_py()], np.zeros(len(flat), np.int64)
    encoded = flat.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def by_version(versions: Coded) -> list[tuple[str, IntArray]]:
    """Return each version and where its rows are."""
    names, codes = versions
    if len(names) == 1:
        return [(names[0], np.arange(len(codes)))]
    return [(name, np.flatnonzero(codes == code)) for code, name in enumerate(names)]


def one_array(column: Any) -> Any:
    """Return a column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
