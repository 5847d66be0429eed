"""The part of PromQL in which our rules are written, at one instant: from text to functions of what is known.

At one instant `…_over_time` of a series is its value. What lies before (`offset`, `increase`, `changes`) is not known
and therefore empty. A query that needs more than this is refused when it is compiled, never when it is evaluated.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import promql_parser as tree

from driftgauge.verdict.vectors import ARITHMETIC, COMPARISONS, SETS, Series, Vector, grouped, key_of, paired

Test = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Selector:
    """A series by name: what some labels are, ordered by label, and what others have to fulfil."""

    name: str
    equal: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, Test], ...]


class Known(Protocol):
    """What is known at the instant of an evaluation."""

    @property
    def now(self) -> float:
        """The instant, in seconds since 1970."""
        ...

    def select(self, selector: Selector) -> Vector:
        """Return the series that a selector finds."""
        ...


Query = Callable[[Known], Vector]
_Number = Callable[[Known], float]
_Values = Callable[[float, float], float | None]

_SAME: Final = frozenset({"max_over_time", "min_over_time", "last_over_time"})
_OF_THE_PAST: Final = frozenset({"increase", "changes", "rate", "delta"})
_FOLDS: Final[Mapping[str, Callable[..., float]]] = MappingProxyType({"max": max, "min": min, "sum": sum, "count": len})


def compiled(text: str) -> Query:
    """Return a query as a function. Raises ValueError when it is no PromQL, or more of it than is evaluated here."""
    return _query(tree.parse(text))


def looks_back(text: str) -> bool:
    """Tell whether a query asks for what was before; raises ValueError when it is no PromQL."""
    found = False

    def visit(node: tree.Expr) -> bool:
        nonlocal found
        found |= isinstance(node, tree.VectorSelector) and node.offset is not None
        found |= isinstance(node, tree.Call) and node.func.name in _OF_THE_PAST
        return not found

    tree.walk(tree.parse(text), visit)
    return found


def _query(node: tree.Expr) -> Query:
    match node:
        case tree.ParenExpr():
            return _query(node.expr)
        case tree.VectorSelector():
            return _selection(node)
        case tree.Call():
            return _call(node)
        case tree.AggregateExpr():
            return _aggregation(node)
        case tree.BinaryExpr():
            return _binary(node)
    raise ValueError(f"{node} is not evaluated here")


def _number(node: tree.Expr) -> _Number | None:
    """Return the function of a node that is a number, None of one that gives series."""
    match node:
        case tree.ParenExpr():
            return _number(node.expr)
        case tree.NumberLiteral():
            value = node.val
            return lambda _: value
        case tree.UnaryExpr():
            positive = _number(node.expr)
            return positive and (lambda known: -positive(known))
        case tree.Call() if node.func.name == "time":
            return lambda known: known.now
    return None


def _nothing(_: Known) -> Vector:
    return ()


def _selection(node: tree.VectorSelector) -> Query:
    if node.at is not None or node.name is None or node.matchers.or_matchers:
        raise ValueError(f"{node}: only series by name are evaluated here, as they are now")
    if node.offset is not None:
        return _nothing
    equal, others = [], []
    for each in node.matchers.matchers:
        if each.op == tree.MatchOp.Equal:
            equal.append((each.name, each.value))
        else:
            others.append((each.name, _test(each)))
    selector = Selector(node.name, tuple(sorted(equal)), tuple(others))
    return lambda known: known.select(selector)


def _test(matcher: tree.Matcher) -> Test:
    """Return what tells whether a label's value, "" for none, fits."""
    wanted = matcher.value
    if matcher.op == tree.MatchOp.NotEqual:
        return wanted.__ne__
    pattern = re.compile(wanted)
    if matcher.op == tree.MatchOp.Re:
        return pattern.fullmatch
    return lambda value: not pattern.fullmatch(value)


def _call(node: tree.Call) -> Query:
    name, arguments = node.func.name, node.args
    if name in _OF_THE_PAST:
        return _nothing
    if name in _SAME:
        return _selection(arguments[0].vector_selector)
    if name == "sort_desc":
        query = _query(arguments[0])
        return lambda known: sorted(query(known), key=_order)
    if name == "clamp_min":
        return _clamped(_query(arguments[0]), _number(arguments[1]))
    if name == "label_replace":
        return _labelled(_query(arguments[0]), *(each.val for each in arguments[1:]))
    raise ValueError(f"{name}() is not evaluated here")


def _order(series: Series) -> tuple[float, list[tuple[str, str]]]:
    return series.order


def _clamped(query: Query, least: _Number | None) -> Query:
    if least is None:
        raise ValueError("clamp_min() takes a number here")
    return lambda known: [Series(labels, max(value, least(known))) for labels, value in query(known)]


def _labelled(query: Query, label: str, value: str, source: str, pattern: str) -> Query:
    if source or pattern or "$" in value:
        raise ValueError("label_replace() only sets a label here")
    return lambda known: [Series({**each.labels, label: value}, each.value) for each in query(known)]


def _aggregation(node: tree.AggregateExpr) -> Query:
    query, name = _query(node.expr), str(node.op)
    if node.modifier is not None and node.modifier.type != tree.AggModifierType.By:
        raise ValueError("aggregations keep labels by name here, with by (…)")
    labels = tuple(node.modifier.labels) if node.modifier is not None else ()
    if name == "topk" and not labels and isinstance(node.param, tree.NumberLiteral):
        most = int(node.param.val)
        return lambda known: sorted(query(known), key=_order)[:most]
    if name not in _FOLDS:
        raise ValueError(f"the aggregation {name} is not evaluated here")
    fold = _FOLDS[name]
    return lambda known: grouped(query(known), labels, fold)


def _binary(node: tree.BinaryExpr) -> Query:
    name, on, card = str(node.op), *_matching(node.modifier)
    if name in SETS:
        choose, key, left, right = SETS[name], key_of(on), _query(node.lhs), _query(node.rhs)
        return lambda known: choose(left(known), right(known), key)
    values, before, behind = _values(name), _number(node.lhs), _number(node.rhs)
    if before is None and behind is None:
        return _of_series(values, _query(node.lhs), _query(node.rhs), on, card)
    if before is None and behind is not None:
        vectors = _query(node.lhs)
        return lambda known: _each(vectors(known), behind(known), values)
    if before is not None and behind is None and name in ARITHMETIC:
        vectors = _query(node.rhs)
        return lambda known: _each(vectors(known), before(known), lambda value, other: values(other, value))
    raise ValueError(f"{node} is not evaluated here: write the series on the left")


def _matching(modifier: tree.BinModifier | None) -> tuple[Sequence[str] | None, str]:
    """Return the labels by which series are matched, None for all of them, and how many there may be on each side."""
    if modifier is None:
        return None, "OneToOne"
    if modifier.return_bool or modifier.group_labels:
        raise ValueError("neither bool nor labels of the other side are evaluated here")
    if modifier.matching is not None and modifier.matching.type != tree.LabelModifierType.Include:
        raise ValueError("series are matched by name of their labels here, with on (…)")
    return modifier.matching and tuple(modifier.matching.labels), str(modifier.card).rpartition(".")[2]


def _values(name: str) -> _Values:
    """Return what an operator gives of two values: None where it leaves the first one out."""
    if name in ARITHMETIC:
        return ARITHMETIC[name]
    if name in COMPARISONS:
        holds = COMPARISONS[name]
        return lambda one, other: one if holds(one, other) else None
    raise ValueError(f"the operator {name} is not evaluated here")


def _each(vector: Vector, number: float, values: _Values) -> Vector:
    found = ((labels, values(value, number)) for labels, value in vector)
    return [Series(labels, value) for labels, value in found if value is not None]


def _of_series(values: _Values, left: Query, right: Query, on: Sequence[str] | None, card: str) -> Query:
    if card == "OneToMany":
        return lambda known: paired(
            right(known), left(known), on, alike=False, value=lambda many, one: values(one, many)
        )
    return lambda known: paired(left(known), right(known), on, alike=card == "OneToOne", value=values)
