"""Prediction rows: what they add to counters and panes, with the labels that came with them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from driftgauge.aggregates.buckets import Buckets
from driftgauge.aggregates.totals import Totals, VersionTotals
from driftgauge.columns import BoolArray, Columns
from driftgauge.families import LATENCY_BUCKETS
from driftgauge.pipeline.delta import Delta, Origin, Panes, Terms
from driftgauge.pipeline.labels import fold_labelled, is_direct, torn_file
from driftgauge.pipeline.panes import Coded, by_version, coded, panes_of, usable
from driftgauge.pipeline.seen import ACCEPTED, FAILED, LABELLED, TIMED
from driftgauge.pipeline.shares import Share


def fold_predictions(rows: Columns, terms: Terms, *, origin: Origin) -> Delta:
    """Fold prediction rows that were read from `origin`."""
    return fold_together([Share(usable(rows, terms), origin)], terms)


def fold_together(shares: Sequence[Share], terms: Terms) -> Delta:
    """Fold the prediction rows of at least one chunk of a file, all of the same columns.

    All are counted in one pass, which for files of few rows is several times cheaper than `fold_predictions` of each.
    """
    rows = Columns.concat([share.usable.rows for share in shares])
    versions = shares[0].usable.versions if len(shares) == 1 else coded(rows.version)
    members = terms.members(rows)
    counted = Delta(
        totals=Totals(versions=_version_totals(rows, versions, shares)),
        predictions=panes_of(rows, rows.time, terms, members, of="predictions", versions=versions),
        rows_read=sum(share.usable.rows_read for share in shares),
        repeated=Totals.combine([share.repeated for share in shares]),
    )
    rejected = [Delta(totals=Totals(rejected=reasons)) for share in shares if (reasons := share.rejected)]
    gaps = [share.usable.rows.gaps for share in shares if share.usable.rows.gaps]
    torn = [file for share in shares for file in torn_file(share.usable)]
    found = Delta.combine([counted, *rejected, fold_labelled(rows, terms, members, gaps=gaps, torn=torn)])
    has_counted = any(share.before is not None for share in shares)
    return replace(found, new=_news(rows, shares, terms)) if has_counted else found


def _news(rows: Columns, shares: Sequence[Share], terms: Terms) -> tuple[Panes, Panes]:
    """Fold the rows that no earlier reading had: predictions, and those whose labels came with them."""
    whole = replace(terms, segments=())
    seen, labelled = (rows.take(_new(shares, counter)) for counter in (ACCEPTED, LABELLED))
    labelled = labelled.take(is_direct(labelled, terms))
    return (
        panes_of(seen, seen.time, whole, (), of="predictions"),
        panes_of(labelled, labelled.time, whole, (), of="labelled"),
    )


def _version_totals(rows: Columns, versions: Coded, shares: Sequence[Share]) -> dict[str, VersionTotals]:
    """Count the rows of each version that have not counted before."""
    file = np.repeat(np.arange(len(shares)), [len(share.usable.at) for share in shares])
    known = any(share.before is not None for share in shares)
    accepted, failed, latency = np.ones(len(rows), np.bool_), rows.failed, rows.latency
    if known:
        accepted, failed = _new(shares, ACCEPTED), rows.failed & _new(shares, FAILED)
        latency = np.where(_new(shares, TIMED), latency, np.nan)
    found = {}
    for version, at in by_version(versions):
        time = rows.time[at]
        last = time.max()
        found[version] = VersionTotals(
            predictions=int(np.count_nonzero(accepted[at])) if known else len(at),
            failed=int(failed[at].sum()),
            latency=Buckets.fold(latency[at], LATENCY_BUCKETS),
            last_prediction=int(last),
            origin=max(shares[n].origin for n in set(file[at[time == last]].tolist())),
        )
    return found


def _new(shares: Sequence[Share], counter: str) -> BoolArray:
    return np.concatenate([share.new(counter) for share in shares])
