"""Prediction rows: what they add to counters and panes, with the labels that came with them."""

from collections.abc import Sequence

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import Columns
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.pipeline.delta import Delta, Origin, Terms
from driftgauge.pipeline.labels import fold_labelled
from driftgauge.pipeline.panes import Coded, by_version, coded, panes_of, usable


def fold_predictions(rows: Columns, terms: Terms, *, origin: Origin) -> Delta:
    """Fold prediction rows that were read from `origin`."""
    return fold_together([(rows, origin)], terms)


def fold_together(files: Sequence[tuple[Columns, Origin]], terms: Terms) -> Delta:
    """Fold prediction rows of at least one file, of the same columns and each with its origin.

    All are counted in one pass, which for files of few rows is several times cheaper than `fold_predictions` of each.
    """
    read = [usable(rows, terms) for rows, _ in files]
    rows = Columns.concat([kept for kept, _, _ in read])
    versions = read[0][1] if len(read) == 1 else coded(rows.version)
    origins = [(len(kept), origin) for (kept, _, _), (_, origin) in zip(read, files, strict=True)]
    members = terms.members(rows)
    counted = Delta(
        totals=Totals(versions=_version_totals(rows, versions, origins)),
        predictions=panes_of(rows, rows.time, terms, members, of="predictions", versions=versions),
        rows_read=sum(one.rows_read for one, _ in files),
    )
    rejected = [Delta(totals=Totals(rejected=reasons)) for _, _, reasons in read if reasons]
    return Delta.combine([counted, *rejected, fold_labelled(rows, terms, members)])


def _version_totals(rows: Columns, versions: Coded, origins: Sequence[tuple[int, Origin]]) -> dict[str, VersionTotals]:
    """Count the rows of each version; origins: where runs of consecutive rows were read, with their lengths."""
    file = np.repeat(np.arange(len(origins)), [count for count, _ in origins])
    found = {}
    for version, at in by_version(versions):
        time = rows.time[at]
        last = time.max()
        found[version] = VersionTotals(
            predictions=len(at),
            failed=int(rows.failed[at].sum()),
            latency=Buckets.fold(rows.latency[at], LATENCY_BUCKETS),
            last_prediction=int(last),
            origin=max(origins[n][1] for n in set(file[at[time == last]].tolist())),
        )
    return found
