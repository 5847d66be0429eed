"""Grafana dashboards as JSON, from the thresholds: one module per dashboard over a few shared ones.

    queries               PromQL on the series of `families`, narrowed by dashboard variables
    links, marks, scales  where a click leads; thresholds as colours; units and colours of quantities
    comparisons           how bad a model is, measured in thresholds
    moved                 output or labels against the reference
    panels, board         one panel of a kind; all panels of a dashboard with its variables
    fleet … exporter      what each dashboard shows (`model` and `why` in several modules)

Colours follow the thresholds that hold for all models: a dashboard shows any model, so what the file says of single
models does not show in it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from driftgauge.generator.dashboards.board import Contents, rendered
from driftgauge.generator.dashboards.exporter import exporter
from driftgauge.generator.dashboards.features import features
from driftgauge.generator.dashboards.fleet import fleet
from driftgauge.generator.dashboards.links import uid
from driftgauge.generator.dashboards.marks import Marks, marks_of
from driftgauge.generator.dashboards.model import model
from driftgauge.generator.dashboards.quality import quality
from driftgauge.generator.dashboards.why import why
from driftgauge.generator.thresholds import Thresholds

_DASHBOARDS: Final[tuple[Callable[[Marks], Contents], ...]] = (fleet, model, why, features, quality, exporter)


def dashboards(thresholds: Thresholds) -> Mapping[str, str]:
    """Return the JSON of every dashboard by its path."""
    marks = marks_of(thresholds)
    contents = [dashboard(marks) for dashboard in _DASHBOARDS]
    return {f"dashboards/{uid(each.board)}.json": rendered(each, window=marks.window) for each in contents}
