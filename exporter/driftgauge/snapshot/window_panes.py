"""What one window of a version is the sum of, for reports, which show more of it than its samples say."""

from collections.abc import Mapping, Sequence

from driftgauge.aggregates.pane import Pane
from driftgauge.config import Window
from driftgauge.segments import ALL_ROWS
from driftgauge.snapshot.outputs import as_scores, holds_scores
from driftgauge.snapshot.state import ModelState
from driftgauge.windows import PaneKey, Tiers


def window_pane(
    model: ModelState, *, version: str, window: Window, windows: Sequence[Window], now: int, segment: str = ALL_ROWS
) -> Pane:
    """Return the predictions of a window that ends at `now` (µs) as one pane; scores count as in its samples.

    windows: all that are configured, `window` among them.
    """
    found = visible(model.predictions, version, window, windows=windows, now=now, segment=segment)
    pane = Pane.combine(list(found.values()))
    longest = max(windows, key=lambda each: each.seconds)
    of_longest = visible(model.predictions, version, longest, windows=windows, now=now)
    if any(map(holds_scores, of_longest.values())):
        return as_scores(pane, model.of(version).reference)
    return pane


def visible(
    panes: Mapping[PaneKey, Pane],
    version: str,
    window: Window,
    *,
    windows: Sequence[Window],
    now: int,
    segment: str = ALL_ROWS,
) -> dict[PaneKey, Pane]:
    """Return the panes of a version's window, in their order."""
    own = [key for key in panes if (key.version, key.segment) == (version, segment)]
    return {key: panes[key] for key in Tiers.of(windows).visible(own, window, now)}
