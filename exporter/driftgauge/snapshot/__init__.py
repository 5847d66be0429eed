"""Everything the exporter says about its models at one instant, as samples of the metric families.

    state         what is known of a model
    samples       every series of a model, window by window
    outputs       the model's output in a window: scores or classes
    closing       windows as they were when their last pane closed, for flags that are judged then
    drifted       what the families about drift say of one window
    bins          the distributions of features, where these are asked for
    performed     what the families about performance say of one window
    unusual       the most unusual rows of a window, for reports
    window_panes  what a window is the sum of, for reports
    daily         the days that panes still tell apart, for reports
    board         where samples are collected: what cannot be computed is left out here, once, for all families
    cache         what earlier snapshots computed, so that only what changed is computed again
    running_sums  the sums of panes among that

Samples are a pure function of the state of a model and of `now`; a cache saves time and changes no value beyond the
rounding of another order of addition.
"""

from driftgauge.snapshot.cache import SnapshotCache
from driftgauge.snapshot.daily import Day, days, past_days
from driftgauge.snapshot.samples import model_samples
from driftgauge.snapshot.sliced import slice_concepts
from driftgauge.snapshot.state import Grown, Identity, Joining, ModelState, Slice, Standard
from driftgauge.snapshot.unusual import UnusualRow, unusual_rows
from driftgauge.snapshot.window_panes import visible, window_pane

__all__ = [
    "Day",
    "Grown",
    "Identity",
    "Joining",
    "ModelState",
    "Slice",
    "SnapshotCache",
    "Standard",
    "UnusualRow",
    "days",
    "model_samples",
    "past_days",
    "slice_concepts",
    "unusual_rows",
    "visible",
    "window_pane",
]
