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
from driftgauge.snapshot.cache import Latest
from driftgauge.snapshot.samples import model_samples
from driftgauge.snapshot.state import ModelState
from driftgauge.windows import MICROSECONDS, PaneKey, Tiers

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """A day (UTC) of one version. start, end: in s since 1970; the last one ends now.

    window: what its samples are called by. state: the model as if it had this day only. of: all that its samples are
    made of, the same objects as long as they are the same.
    """

    start: int
    end: int
    window: Window
    state: ModelState
    of: tuple[object, ...]

    @property
    def is_over(self) -> bool:
        """Whether no more than late rows can come."""
        return self.end - self.start >= DAY_SECONDS

    def samples(self, limits: Limits) -> Samples:
        """Return those of its window, and none of what is not known by day. They cost what a window of a day costs."""
        return model_samples(self.state, windows=[self.window], limits=limits, now=self.end * MICROSECONDS)


def days(model: ModelState, *, version: str, windows: Sequence[Window], now: int, most: int) -> Iterator[Day]:
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
        basis = own.of(version)
        yield Day(
            start,
            end,
            window,
            state,
            (basis.reference, basis.baseline, *state.predictions.values(), *state.outcomes.values()),
        )


def past_days(
    model: ModelState,
    *,
    version: str,
    names: Sequence[str],
    limits: Limits,
    now: int,
    most: int,
    labelled: bool,
    cache: Latest[tuple[Samples, ...]],
) -> tuple[Samples, ...]:
    """Return the last days (UTC) with predictions, or with labels, that are over at `now` (µs), at most so many.

    names: of windows; a day has the samples of a window of 24 h under each of them. The cache, under version, most and
    labelled, has those of days that are as they were.
    """
    today = now // MICROSECONDS // DAY_SECONDS
    predictions, outcomes = (
        {key: pane for key, pane in panes.items() if (key.version, key.segment) == (version, ALL_ROWS)}
        for panes in (model.predictions, model.outcomes)
    )
    over = {key.start // DAY_SECONDS for key in (outcomes if labelled else predictions)}
    chosen = set(sorted(day for day in over if day < today)[-most:])
    predictions, outcomes = (
        {key: pane for key, pane in panes.items() if key.start // DAY_SECONDS in chosen}
        for panes in (predictions, outcomes)
    )
    of, name = model.of(version), (version, most, labelled)
    made_of = (model.config, limits, of.reference, of.baseline, *predictions.values(), *outcomes.values())
    found = cache.get(name, made_of)
    if found is None:
        state, end = replace(model, predictions=predictions, outcomes=outcomes), today * DAY_SECONDS * MICROSECONDS
        windows = [Window(each, DAY_SECONDS) for each in dict.fromkeys(names)]
        by_name = [
            [day.samples(limits) for day in days(state, version=version, windows=[each], now=end, most=most)]
            for each in windows
        ]
        found = tuple(map(_merged, zip(*by_name, strict=True)))
        cache.put(name, made_of, found)
    return found


def _merged(found: Sequence[Samples]) -> Samples:
    """Return the samples of several windows; what is of none, such as counters, is there as often."""
    families = dict.fromkeys(family for samples in found for family in samples)
    return {family: [each for samples in found for each in samples.get(family, ())] for family in families}


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
