"""The kinds of panels: each function turns what is shown into one Grafana panel.

Title, description, unit, the text in place of missing data and a link are required, so no panel can be without.
`board` sets positions and ids. This module does not know models and metrics. Tables are in `tables`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.models import common, heatmap, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import dashboard as sdk
from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat

from driftgauge.generator.dashboards.links import Link
from driftgauge.generator.dashboards.marks import NEUTRAL, steps
from driftgauge.generator.dashboards.queries import Query

DATASOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Text and colour of a value that is 0 or 1.
Words = Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class About:
    """What every panel says about itself. nothing: shown when there is no data. more: where its header leads."""

    title: str
    description: str
    nothing: str
    more: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelScale:
    """How numbers are shown: unit (Grafana's name), decimals, ends of the axis, colours, words in place of 0 and 1.

    colours: by default of series by name in graphs, and by thresholds elsewhere.
    """

    unit: str
    decimals: int | None = None
    least: float | None = None
    most: float | None = None
    thresholds: sdk.ThresholdsConfig | None = None
    words: Words | None = None
    colours: sdk.FieldColorModeId | None = None


@dataclass(frozen=True, slots=True)
class Dashed:
    """A line that is no measurement: what it is called, its colour, and the lengths of dash and gap."""

    name: str
    colour: str = NEUTRAL
    dash: tuple[int, int] = (6, 6)


def lines(
    about: About,
    *queries: Query,
    scale: PanelScale,
    dashed: Sequence[Dashed] = (),
    links: Sequence[Link] = (),
) -> Panel:
    """Return values over time. Thresholds are drawn as lines."""
    style = common.GraphThresholdsStyleMode.DASHED if scale.thresholds else common.GraphThresholdsStyleMode.OFF
    custom = timeseries.FieldConfig(
        draw_style=common.GraphDrawStyle.LINE,
        line_width=2,
        show_points=common.VisibilityMode.NEVER,
        thresholds_style=common.GraphThresholdsStyleConfig(style),
    )
    overrides = [
        override(each.name, color=_fixed(each.colour), lineStyle=common.LineStyle("dash", list(each.dash)))
        for each in dashed
    ]
    return _over_time(about, queries, scale=scale, custom=custom, links=links, overrides=overrides)


# Ends of an interval, as series are called.
FROM: Final = "95 % from"
TO: Final = "95 % to"


def band(about: About, value: Query, *, lower: str, upper: str, scale: PanelScale) -> Panel:
    """Return values over time within their interval, which is filled.

    Everything in the panel is filled down to the interval's lower end, since the published schema of dashboards has no
    such setting for a single series; so nothing else can be in it.
    """
    custom = timeseries.FieldConfig(
        draw_style=common.GraphDrawStyle.LINE,
        line_width=1,
        fill_opacity=18,
        fill_below_to=FROM,
        show_points=common.VisibilityMode.NEVER,
    )
    ends = [override(name, color=_fixed(NEUTRAL), lineStyle=common.LineStyle("dash", [2, 4])) for name in (FROM, TO)]
    queries = [value, Query(lower, FROM), Query(upper, TO)]
    return _over_time(about, queries, scale=scale, custom=custom, links=(), overrides=ends)


def bars(about: About, *queries: Query, scale: PanelScale, links: Sequence[Link] = ()) -> Panel:
    """Return how many of something there were in each step, stacked."""
    custom = timeseries.FieldConfig(
        draw_style=common.GraphDrawStyle.BARS,
        line_width=0,
        fill_opacity=70,
        show_points=common.VisibilityMode.NEVER,
        stacking=common.StackingConfig(common.StackingMode.NORMAL, "A"),
    )
    return _over_time(about, queries, scale=scale, custom=custom, links=links)


def _over_time(
    about: About,
    queries: Sequence[Query],
    *,
    scale: PanelScale,
    custom: timeseries.FieldConfig,
    links: Sequence[Link],
    overrides: Sequence[sdk.DashboardFieldConfigSourceOverrides] = (),
) -> Panel:
    legend = common.VizLegendOptions(
        display_mode=common.LegendDisplayMode.TABLE,
        placement=common.LegendPlacement.BOTTOM,
        show_legend=True,
        calcs=["lastNotNull", "max"],
        sort_by="Max",
        sort_desc=True,
    )
    options = timeseries.Options(legend=legend, tooltip=_tooltip())
    return composed(
        "timeseries", about, queries, options=options, scale=scale, custom=custom, links=links, overrides=overrides
    )


def figure(about: About, query: Query, *, scale: PanelScale) -> Panel:
    """Return one number as of the end of the time range, coloured by its thresholds or words."""
    options = stat.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.VALUE,
        text_mode=common.BigValueTextMode.VALUE_AND_NAME if query.legend else common.BigValueTextMode.VALUE,
        reduce_options=common.ReduceDataOptions(calcs=["lastNotNull"], fields=""),
    )
    return composed("stat", about, [Query(query.expr, query.legend, instant=True)], options=options, scale=scale)


def states(about: About, *queries: Query, scale: PanelScale, links: Sequence[Link] = ()) -> Panel:
    """Return a row per series, coloured over time by its thresholds or words."""
    legend = common.VizLegendOptions(
        common.LegendDisplayMode.LIST, common.LegendPlacement.BOTTOM, show_legend=True, calcs=[]
    )
    options = statetimeline.Options(
        show_value=common.VisibilityMode.AUTO, merge_values=True, legend=legend, tooltip=_tooltip()
    )
    custom = statetimeline.FieldConfig(fill_opacity=80)
    return composed("state-timeline", about, queries, options=options, scale=scale, custom=custom, links=links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """The colours of a heatmap, from `least` to `most`, and the unit of its cells.

    Grafana turns the schemes of two colours around: RdYlGn begins with green.
    """

    scheme: str
    least: float | None = None
    most: float | None = None
    unit: str = "short"


def heat(about: About, query: Query, *, scale: PanelScale, colours: Heat, links: Sequence[Link] = ()) -> Panel:
    """Return a heatmap: buckets over time (form "heatmap"), or a row per series. scale: of the vertical axis."""
    counts = query.form == "heatmap"
    options = heatmap.Options(
        calculate=False,
        color=heatmap.HeatmapColorOptions(
            mode=heatmap.HeatmapColorMode.SCHEME,
            scheme=colours.scheme,
            fill="dark-orange",
            scale=heatmap.HeatmapColorScale.EXPONENTIAL,
            exponent=0.5 if counts else 1,
            steps=64,
            reverse=False,
            min_val=colours.least,
            max_val=colours.most,
        ),
        cell_gap=1,
        cell_values=heatmap.CellValues(unit=colours.unit),
        rows_frame=heatmap.RowsHeatmapOptions(layout=common.HeatmapCellLayout.AUTO),
        y_axis=heatmap.YAxisConfig(unit=scale.unit, axis_placement=common.AxisPlacement.LEFT),
        legend=heatmap.HeatmapLegend(show=True),
        tooltip=heatmap.HeatmapTooltip(mode=common.TooltipDisplayMode.SINGLE, y_histogram=False),
    )
    panel = composed("heatmap", about, [query], options=options, scale=scale, custom=heatmap.FieldConfig(), links=links)
    # Finer cells are too narrow to see.
    panel.max_data_points = 120
    return panel


def composed(
    kind: str,
    about: About,
    queries: Sequence[Query],
    *,
    options: object,
    scale: PanelScale,
    custom: object | None = None,
    links: Sequence[Link] = (),
    overrides: Sequence[sdk.DashboardFieldConfigSourceOverrides] = (),
) -> Panel:
    """Return a panel of Grafana's `kind` with what all kinds have in common."""
    by_name = kind == "timeseries"
    usual = sdk.FieldColorModeId.PALETTE_CLASSIC_BY_NAME if by_name else sdk.FieldColorModeId.THRESHOLDS
    defaults = sdk.FieldConfig(
        unit=scale.unit,
        decimals=scale.decimals,
        min_val=scale.least,
        max_val=scale.most,
        thresholds=scale.thresholds or steps(below=NEUTRAL),
        mappings=[_mapping(scale.words)] if scale.words else None,
        color=sdk.FieldColor(scale.colours or usual),
        no_value=about.nothing,
        links=[_link(link) for link in links] or None,
        custom=custom,
    )
    return Panel(
        type_val=kind,
        title=about.title,
        description=about.description,
        datasource=DATASOURCE,
        links=[_link(about.more)],
        targets=[_target(letter(n), query) for n, query in enumerate(queries)],
        options=options,
        field_config=sdk.FieldConfigSource(defaults, list(overrides)),
    )


def letter(number: int) -> str:
    """Return the name that Grafana gives to the n-th query."""
    return chr(ord("A") + number)


def override(
    name: str, *, thresholds: object = None, color: object = None, **custom: object
) -> sdk.DashboardFieldConfigSourceOverrides:
    """Return what is different for the series or column of that name; `custom` belongs to the kind of panel."""
    settings = {"thresholds": thresholds, "color": color} | {f"custom.{key}": value for key, value in custom.items()}
    return sdk.DashboardFieldConfigSourceOverrides(
        matcher=sdk.MatcherConfig("byNames", {"mode": "include", "names": [name]}),
        properties=[sdk.DynamicConfigValue(key, value) for key, value in settings.items() if value is not None],
    )


def _fixed(colour: str) -> sdk.FieldColor:
    return sdk.FieldColor(sdk.FieldColorModeId.FIXED, fixed_color=colour)


def _target(ref_id: str, query: Query) -> Dataquery:
    return Dataquery(
        datasource=DATASOURCE,
        expr=query.expr,
        format_val=PromQueryFormat(query.form),
        instant=query.instant,
        range_val=not query.instant,
        legend_format=query.legend or None,
        ref_id=ref_id,
    )


def _mapping(words: Words) -> sdk.ValueMap | sdk.RangeMap | sdk.RegexMap | sdk.SpecialValueMap:
    return sdk.ValueMap({str(key): sdk.ValueMappingResult(text, colour) for key, (text, colour) in words.items()})


def _link(link: Link) -> sdk.DashboardLink:
    return sdk.DashboardLink(link.title, sdk.DashboardLinkType.LINK, url=link.url, target_blank=link.url[0] != "/")


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions(common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING)
