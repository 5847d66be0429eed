"""A whole dashboard: its variables, annotations and links, and the positions of the given panels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as sdk

from driftgauge.generator.annotations import Board
from driftgauge.generator.dashboards.links import TITLES, uid
from driftgauge.generator.dashboards.panels import DATASOURCE
from driftgauge.generator.dashboards.queries import Scope

COLUMNS: Final = 24
_TAG: Final = "driftgauge"
_ALL: Final = sdk.VariableOption(selected=True, text=["All"], value=["$__all"])
# A family that every version of every model has from its first prediction on.
_EVERY_VERSION: Final = "model_window_predictions"
_EVERY_FEATURE: Final = "model_feature_missing_ratio"
_LABELS: Final = {"model": "Model", "version": "Version", "window": "Window", "feature": "Feature"}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side under a heading, each as wide as its share of the grid; they wrap when it is full."""

    title: str
    panels: Sequence[tuple[int, sdk.Panel]]
    height: int = 8


@dataclass(frozen=True, slots=True)
class Contents:
    """What one dashboard shows.

    alerts: which firing alerts are marked in its graphs, as label matchers. beside: what to look at with it.
    """

    board: Board
    description: str
    scope: Scope
    rows: Sequence[Row]
    alerts: str
    since: str = "now-24h"
    beside: Sequence[Board] = ()


def rendered(contents: Contents, *, window: str) -> str:
    """Return a dashboard as JSON with sorted keys; `window` is the one chosen at first."""
    whole = sdk.Dashboard(
        uid=uid(contents.board),
        title=f"driftgauge / {TITLES[contents.board]}",
        description=contents.description,
        tags=[_TAG],
        editable=False,
        graph_tooltip=sdk.DashboardCursorSync.CROSSHAIR,
        time=sdk.DashboardDashboardTime(contents.since, "now"),
        refresh="1m",
        panels=_placed(contents.rows),
        templating=sdk.DashboardDashboardTemplating(_variables(contents.scope, window)),
        annotations=sdk.AnnotationContainer([_annotation(contents.alerts)]),
        links=[*map(_beside, contents.beside), _menu()],
    )
    return json.dumps(whole, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _placed(rows: Sequence[Row]) -> list[sdk.Panel | sdk.RowPanel]:
    placed: list[sdk.Panel | sdk.RowPanel] = []
    y = 0
    for row in rows:
        heading = sdk.RowPanel(title=row.title, grid_pos=sdk.GridPos(h=1, w=COLUMNS, x=0, y=y), panels=[])
        placed.append(heading)
        x, y = 0, y + 1
        for width, panel in row.panels:
            if x + width > COLUMNS:
                x, y = 0, y + row.height
            panel.grid_pos = sdk.GridPos(h=row.height, w=width, x=x, y=y)
            placed.append(panel)
            x += width
        y += row.height
    for number, each in enumerate(placed, start=1):
        each.id_val = number
    return placed


def _variables(scope: Scope, window: str) -> list[sdk.VariableModel]:
    source = sdk.VariableModel(sdk.VariableType.DATASOURCE, "datasource", "Data source", query="prometheus")
    source.current = sdk.VariableOption(text="default", value="default")
    target = 'job=~"$job"'
    found = [
        source,
        _multiple("job", "Job", "label_values(driftgauge_build_info, job)"),
        _multiple("instance", "Instance", f"label_values(driftgauge_build_info{{{target}}}, instance)"),
    ]
    # Each is narrowed by those before it.
    before: list[str] = []
    for name in (name for name in _LABELS if name in (*scope.one, *scope.several)):
        found.append(_of_series(name, scope, before, window))
        before.append(name)
    return found


def _of_series(name: str, scope: Scope, before: Sequence[str], window: str) -> sdk.VariableModel:
    narrower = Scope(
        one=tuple(each for each in scope.one if each in before),
        several=tuple(each for each in scope.several if each in before),
    )
    family = _EVERY_FEATURE if name == "feature" else _EVERY_VERSION
    query = f"label_values({narrower.of(family)}, {name})"
    if name in scope.several:
        return _multiple(name, _LABELS[name], query)
    single = _query_variable(name, _LABELS[name], query)
    if name == "window":
        single.current = sdk.VariableOption(selected=True, text=window, value=window)
    return single


def _multiple(name: str, label: str, query: str) -> sdk.VariableModel:
    variable = _query_variable(name, label, query)
    variable.multi, variable.include_all, variable.all_value, variable.current = True, True, ".+", _ALL
    return variable


def _query_variable(name: str, label: str, query: str) -> sdk.VariableModel:
    return sdk.VariableModel(
        sdk.VariableType.QUERY,
        name,
        label,
        query=query,
        definition=query,
        datasource=DATASOURCE,
        refresh=sdk.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=sdk.VariableSort.NATURAL_ASC,
    )


def _annotation(alerts: str) -> sdk.AnnotationQuery:
    return sdk.AnnotationQuery(
        "Firing alerts",
        DATASOURCE,
        enable=True,
        icon_color="red",
        expr=f'ALERTS{{alertstate="firing", {alerts}}}',
        title_format="{{alertname}}",
        text_format="{{severity}} {{model}} {{version}} {{window}} {{feature}} {{metric}}",
        tag_keys="severity",
        step="30s",
    )


def _beside(board: Board) -> sdk.DashboardLink:
    return sdk.DashboardLink(
        TITLES[board],
        sdk.DashboardLinkType.LINK,
        icon="dashboard",
        url=f"/d/{uid(board)}",
        include_vars=True,
        keep_time=True,
    )


def _menu() -> sdk.DashboardLink:
    return sdk.DashboardLink(
        "driftgauge",
        sdk.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[_TAG],
        as_dropdown=True,
        include_vars=True,
        keep_time=True,
    )
