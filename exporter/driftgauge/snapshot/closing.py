"""Flags that are judged once for each pane of a window: when it closes.

A window is judged as it was when its last pane closed, so a flag stays as it is until the next pane closes, whatever
comes meanwhile. Nothing is remembered: a flag follows from the panes and `now`, so it is the same after a restart, and
rows that come late into closed panes are seen at the next refresh. How sure a look has to be follows from the looks of
a year (`estimate.budget`).
"""

from collections.abc import Hashable, Mapping, Sequence

from driftgauge.aggregates.pane import Pane
from driftgauge.config import Window
from driftgauge.estimate.budget import significance
from driftgauge.snapshot.running_sums import RunningSums
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers


def closed_parts(
    panes: Mapping[PaneKey, Pane],
    sums: RunningSums,
    windows: Sequence[Window],
    now: int,
    grown: Mapping[int, Sequence[Pane]],
) -> dict[tuple[str, str, int], tuple[Pane, ...]]:
    """Return by version, segment and length of a window what it was the sum of when its last pane closed.

    They are the same objects while these hold. `now` in µs; grown: see `RunningSums`.
    """
    tiers = Tiers.of(windows)
    found: dict[tuple[str, str, int], tuple[Pane, ...]] = {}
    names: set[Hashable] = set()
    for window in windows:
        end = last_closed(tiers, window, now)
        parts: dict[tuple[str, str], list[Pane]] = {}
        for key in tiers.visible(panes, window, now):
            if key.start < end:
                parts.setdefault((key.version, key.segment), []).append(panes[key])
        for subject, own in parts.items():
            name = (*subject, window.seconds)
            names.add(name)
            found[name] = (sums.combine(name, own, Pane.combine, grown=grown),)
    sums.keep(names)
    return found


def last_closed(tiers: Tiers, window: Window, now: int) -> int:
    """Return when the last pane of a window closed at `now` (µs), in seconds."""
    pane = tiers.panes[window.seconds]
    return now // MICROSECONDS // pane * pane


def levels(windows: Sequence[Window], per_year: float) -> dict[str, float]:
    """Return by name the level at which each look at a window is judged; per_year: false alarms of each window."""
    panes = Tiers.of(windows).panes
    return {window.name: significance(per_year, panes[window.seconds]) for window in windows}
