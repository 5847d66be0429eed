"""Tables that rank models, versions, features or classes, and the columns they are made of.

The published schema of dashboards takes only objects as values of a column's settings, and unit, decimals and links are
none. So all columns share them: titles say the unit, and every cell has the links of its row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grafana_foundation_sdk.models import common, table
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, FieldColorModeId, Panel

from driftgauge.generator.dashboards.links import Link
from driftgauge.generator.dashboards.marks import Mark, steps
from driftgauge.generator.dashboards.panels import About, PanelScale, composed, letter, override
from driftgauge.generator.dashboards.queries import Query


@dataclass(frozen=True, slots=True)
class Column:
    """An instant query whose result has the labels that identify a row; coloured from its marks on."""

    title: str
    expr: str
    marks: tuple[Mark, ...] = ()


def number(title: str, expr: str, *marks: Mark | None) -> Column:
    """Return a column of values as they are."""
    return Column(title, expr, tuple(filter(None, marks)))


def percent(title: str, expr: str, *marks: Mark | None) -> Column:
    """Return a column of ratios in percent."""
    return _multiplied(f"{title}, %", expr, 100, marks)


def milliseconds(title: str, expr: str, *marks: Mark | None) -> Column:
    """Return a column of seconds in milliseconds."""
    return _multiplied(f"{title}, ms", expr, 1000, marks)


def hours(title: str, expr: str, *marks: Mark | None) -> Column:
    """Return a column of seconds in hours."""
    return _multiplied(f"{title}, h", expr, 1 / 3600, marks)


def _multiplied(title: str, expr: str, factor: float, marks: Sequence[Mark | None]) -> Column:
    by = f"* {factor:g}" if factor > 1 else f"/ {1 / factor:g}"
    scaled = tuple(replace(mark, value=mark.value * factor) for mark in marks if mark)
    return Column(title, f"({expr}) {by}", scaled)


def ranking(about: About, columns: Sequence[Column], *, keys: Sequence[str], links: Sequence[Link]) -> Panel:
    """Return a table with a row per combination of the labels `keys`, the highest of the first column first."""
    queries = [Query(column.expr, form="table", instant=True) for column in columns]
    names = {f"Value #{letter(n)}": column.title for n, column in enumerate(columns)}
    order = {name: position for position, name in enumerate([*keys, *names])}
    options = table.Options(
        show_header=True,
        sort_by=[common.TableSortByFieldState(columns[0].title, desc=True)],
        cell_height=common.TableCellHeight.SM,
    )
    panel = composed(
        "table",
        about,
        queries,
        options=options,
        scale=PanelScale(unit="short"),
        custom=table.FieldConfig(),
        links=links,
        overrides=[
            override(column.title, thresholds=steps(*column.marks), cellOptions={"type": "color-text"})
            for column in columns
            if column.marks
        ],
    )
    panel.transformations = [
        DataTransformerConfig("merge", options={}),
        DataTransformerConfig(
            "organize", options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
        ),
    ]
    return panel


def matrix(about: About, expr: str, *, row: str, column: str, links: Sequence[Link] = ()) -> Panel:
    """Return a table of shares with a row and a column per value of two labels, coloured by the share."""
    coloured = common.TableColoredBackgroundCellOptions(
        mode=common.TableCellBackgroundDisplayMode.BASIC, apply_to_row=False, wrap_text=False
    )
    blue = FieldColorModeId.CONTINUOUS_BL_PU
    panel = composed(
        "table",
        about,
        [Query(expr, form="table", instant=True)],
        options=table.Options(show_header=True, cell_height=common.TableCellHeight.SM),
        scale=PanelScale(unit="percentunit", decimals=1, least=0, most=1, colours=blue),
        custom=table.FieldConfig(cell_options=coloured),
        links=links,
    )
    panel.transformations = [
        DataTransformerConfig(
            "groupingToMatrix", options={"rowField": row, "columnField": column, "valueField": "Value"}
        )
    ]
    return panel
