"""The days that a model's panes still tell apart, each as a window of its own, for reports.

Panes are aligned to UTC and none is longer than a day, so a day is the sum of whole panes. What is said of a day is
what a window of 24 h would say that held exactly its rows: the same samples, by the same functions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from driftgauge.aggregates.pane import Pane
from driftgauge.aggregates.totals import Totals
from driftgauge.config import Limits, Window
from driftgauge.samples import Samples
from driftgauge.segments import ALL_ROWS
from driftgauge.snapshot.samples import model_samples
from driftgauge.snapshot.state import ModelState
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """A day (UTC) of one version. start, end: in s since 1970; the last one ends now.

    window: what its samples are called by. samples: those of this window, and none of what is not known by day.
    """

    start: int
    end: int
    window: Window
    samples: Samples


def days(
    model: ModelState, *, version: str, windows: Sequence[Window], limits: Limits, now: int, most: int
) -> Iterator[Day]:
    """Yield the last days, at most so many, of which panes are kept at `now` (µs), in order; none without rows."""
    window = next((each for each in windows if each.seconds == DAY_SECONDS), Window("24h", DAY_SECONDS))
    pane_length = Tiers.of([window]).panes[DAY_SECONDS]
    seconds = now // MICROSECONDS
    own = replace(_of_version(model, version), slices=())
    predictions = _by_day(own.predictions, version, seconds, pane_length)
    outcomes = _by_day(own.outcomes, version, seconds, pane_length)
    for start in sorted(predictions.keys() | outcomes.keys())[-most:]:
        end = min(start + DAY_SECONDS, seconds)
        state = replace(own, predictions=predictions.get(start, {}), outcomes=outcomes.get(start, {}))
        samples = model_samples(state, windows=[window], limits=limits, now=end * MICROSECONDS)
        yield Day(start, end, window, samples)


def _of_version(model: ModelState, version: str) -> ModelState:
    """Return the model as if it had this version only, without what is known of now alone."""
    own = {version: replace(model.own[version], slices=())} if version in model.own else {}
    totals = Totals({version: model.totals.versions[version]})
    return replace(model, own=own, totals=totals, evidence={}, grown=(), identities={})


def _by_day(panes: Mapping[PaneKey, Pane], version: str, seconds: int, length: int) -> dict[int, dict[PaneKey, Pane]]:
    """Return the panes of all rows by the day that they are in, under keys that a window of a day counts."""
    found: dict[int, dict[PaneKey, Pane]] = {}
    for key, pane in panes.items():
        if (key.version, key.segment) == (version, ALL_ROWS) and max(key.start, key.visible) <= seconds:
            of_day = found.setdefault(key.start // DAY_SECONDS * DAY_SECONDS, {})
            # A longer pane of the same day counts as much; numbered, so that no key is there twice.
            of_day[replace(key, length=min(key.length, length), visible=0, part=len(of_day))] = pane
    return found
