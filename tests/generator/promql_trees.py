"""PromQL of rendered texts as trees, for tests that look into queries."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import promql_parser

from driftgauge.families.estimation import ESTIMATION

# Stand in for Grafana's variables where a duration must be; unlike any that is written out.
RATE_INTERVAL: Final = 8_869_990
RANGE: Final = 6_069_770


@dataclass(frozen=True)
class Selected:
    """A selector within a query. around: the calls and aggregations around it, inner first. offset: it looks back."""

    name: str
    matchers: dict[str, tuple[str, str]]
    around: tuple[str, ...]
    range_seconds: float | None
    offset: bool


def parsed(expr: str) -> Any:
    """Return the tree of a query; raises ValueError when it is not PromQL."""
    text = expr.replace("$__rate_interval", f"{RATE_INTERVAL}s").replace("$__range", f"{RANGE}s")
    return promql_parser.parse(text)


def selectors(node: Any, around: tuple[str, ...] = ()) -> Iterator[Selected]:
    """Yield every selector below a node."""
    match type(node).__name__:
        case "VectorSelector":
            yield _selected(node, around, None)
        case "MatrixSelector":
            yield _selected(node.vector_selector, around, node.range.total_seconds())
        case "Call":
            for argument in node.args:
                yield from selectors(argument, (node.func.name, *around))
        case "AggregateExpr":
            yield from selectors(node.expr, (str(node.op), *around))
        case "BinaryExpr":
            yield from selectors(node.lhs, around)
            yield from selectors(node.rhs, around)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            yield from selectors(node.expr, around)


def _selected(node: Any, around: tuple[str, ...], seconds: float | None) -> Selected:
    matchers = {each.name: (str(each.op).rpartition(".")[2], each.value) for each in node.matchers.matchers}
    return Selected(node.name, matchers, around, seconds, offset=node.offset is not None)


def groupings(node: Any) -> Iterator[tuple[list[str], Any]]:
    """Yield the labels of every `by (…)` below a node, with what is aggregated."""
    match type(node).__name__:
        case "AggregateExpr":
            yield list(node.modifier.labels) if node.modifier else [], node.expr
            yield from groupings(node.expr)
        case "Call":
            for argument in node.args:
                yield from groupings(argument)
        case "BinaryExpr":
            yield from groupings(node.lhs)
            yield from groupings(node.rhs)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            yield from groupings(node.expr)


ESTIMATED: Final = frozenset(family.name for family in ESTIMATION)


def is_estimated(found: Selected) -> bool:
    """Tell whether a series, recorded or not, is of what is estimated, tested or searched for."""
    return found.name is not None and not ESTIMATED.isdisjoint(found.name.split(":"))


def written(found: Selected) -> str:
    """Return a selector as PromQL has it."""
    signs = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    matchers = [f"{label}{signs[sign]}{json.dumps(value)}" for label, (sign, value) in found.matchers.items()]
    return f"{found.name}{{{','.join(matchers)}}}"
