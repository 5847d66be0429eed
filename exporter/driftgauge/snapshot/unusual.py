"""The most unusual rows of a window, for reports: no family shows them, and no label does."""

from collections.abc import Sequence
from dataclasses import dataclass

from driftgauge.config import Limits, Window
from driftgauge.segments import ALL_ROWS
from driftgauge.signals import Basis
from driftgauge.signals.anomalies import Anomalies, fit
from driftgauge.snapshot.state import ModelState
from driftgauge.snapshot.window_panes import visible


@dataclass(frozen=True, slots=True)
class UnusualRow:
    """One row.

    request: its id, "" if none is kept. time: µs since 1970. distance: from the reference, by Mahalanobis, squared.
    columns: the features that contribute most to it, the first one most.
    """

    request: str
    time: int
    distance: float
    columns: tuple[str, ...]


def unusual_rows(
    model: ModelState,
    *,
    version: str,
    window: Window,
    windows: Sequence[Window],
    limits: Limits,
    now: int,
    segment: str = ALL_ROWS,
) -> tuple[UnusualRow, ...]:
    """Return up to 10 rows beyond what 99 % of the reference's keep to, the most unusual one first.

    windows: all that are configured, `window` among them. now: where it ends, in µs. There are none where the signal
    is switched off, could not be learned, or the version or segment is unknown.
    """
    subject = model.of(version).subjects.get(segment)
    fitted = fit(Basis(subject.config, limits, subject.reference)) if subject else None
    if fitted is None or "anomalies" not in model.config.signals:
        return ()
    panes = visible(model.predictions, version, window, windows=windows, now=now, segment=segment).values()
    current = [pane.only({"anomalies": fitted.fingerprint}).find("anomalies", Anomalies) for pane in panes]
    found = Anomalies.combine([anomalies for anomalies in current if anomalies is not None])
    names = fitted.matrix.rank_names
    return tuple(
        UnusualRow(row.request, row.time, row.distance, tuple(names[at] for at in row.columns)) for row in found.most
    )
