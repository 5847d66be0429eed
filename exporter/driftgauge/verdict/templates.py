"""The part of Go's template language in which our alerts speak: from text to a function of an alert.

Actions are `if`, `with`, `range $place, $each :=`, and pipelines of the functions in `gotext` and of `query`. A
template that needs more is refused when it is compiled.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from driftgauge.verdict.gotext import FUNCTIONS, field, is_true, shown
from driftgauge.verdict.vectors import Vector

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<end>\}\})|(?P<string>\"(?:[^\"\\]|\\.)*\"|`[^`]*`)|(?P<number>\d+)|(?P<sign>:=|[|(),])"
    r"|(?P<name>\$?[A-Za-z_]\w*(?:\.\w+)*|(?:\.\w+)+|\.))"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a template is: what `.` and the variables are, and how it asks for series."""

    dot: Any
    variables: Mapping[str, Any]
    query: Callable[[str], Vector]


class _Token(NamedTuple):
    kind: str
    text: str


_Operand = Callable[[Frame], Any]
_Piece = Callable[[Frame], str]
_Action = list[_Token]


class Template:
    """A template that can be expanded for alerts. Raises ValueError for what is no template, or more than one here."""

    def __init__(self, text: str) -> None:
        reading = _Reading(text)
        self._pieces, ended_by = reading.block()
        if ended_by:
            raise ValueError(f"a template has no beginning for {ended_by[0].text}: {text}")

    def expanded(self, labels: Mapping[str, str], value: float, query: Callable[[str], Vector]) -> str:
        """Return the text for an alert with these labels and this value; `query` answers PromQL."""
        return _joined(self._pieces, Frame(None, {"$labels": labels, "$value": value}, query))


def _joined(pieces: Sequence[_Piece], frame: Frame) -> str:
    return "".join([piece(frame) for piece in pieces])


def _parts(text: str) -> Iterator[str | _Action]:
    """Yield texts and actions, in turns."""
    at = 0
    while (begin := text.find("{{", at)) >= 0:
        yield text[at:begin]
        action, at = [], begin + 2
        while True:
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not in the part of Go's templates that is known here: {text[at : at + 40]}")
            at = found.end()
            if found.lastgroup == "end":
                break
            action.append(_Token(str(found.lastgroup), found[str(found.lastgroup)]))
        yield action
    yield text[at:]


class _Reading:
    """One pass over the parts of a template."""

    def __init__(self, text: str) -> None:
        self._parts = _parts(text)

    def block(self) -> tuple[list[_Piece], _Action]:
        """Return what comes before the next `end` or `else`, and that action; an empty one at the end of the text."""
        pieces: list[_Piece] = []
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(_text(part))
                continue
            match part:
                case [_Token("name", "end" | "else"), *_]:
                    return pieces, part
                case [_Token("name", "if" | "with" as kind), *condition]:
                    pieces.append(self._branches(condition, is_with=kind == "with"))
                case [_Token("name", "range"), place, _, each, _, *over]:
                    pieces.append(self._range(place.text, each.text, over))
                case _:
                    pieces.append(_printed(_pipeline(part)))
        return pieces, []

    def _until_end(self) -> tuple[list[_Piece], _Action]:
        pieces, ended_by = self.block()
        if not ended_by:
            raise ValueError("a template lacks an end")
        return pieces, ended_by

    def _branches(self, tokens: _Action, *, is_with: bool) -> _Piece:
        condition = _pipeline(tokens)
        then, ended_by = self._until_end()
        otherwise: list[_Piece] = []
        match ended_by:
            case [_Token("name", "else"), _Token("name", "if"), *further]:
                otherwise = [self._branches(further, is_with=False)]
            case [_Token("name", "else")]:
                otherwise, _ = self._until_end()

        def written(frame: Frame) -> str:
            value = condition(frame)
            if not is_true(value):
                return _joined(otherwise, frame)
            return _joined(then, replace(frame, dot=value) if is_with else frame)

        return written

    def _range(self, place: str, each: str, over: _Action) -> _Piece:
        values, (body, _) = _pipeline(over), self._until_end()

        def written(frame: Frame) -> str:
            return "".join(
                _joined(body, replace(frame, dot=value, variables={**frame.variables, place: number, each: value}))
                for number, value in enumerate(values(frame))
            )

        return written


def _text(text: str) -> _Piece:
    return lambda _: text


def _printed(operand: _Operand) -> _Piece:
    return lambda frame: shown(operand(frame))


_CLOSED: Final = _Token("sign", ")")
_PIPE: Final = _Token("sign", "|")


def _pipeline(tokens: Sequence[_Token]) -> _Operand:
    """Return the value of a whole action."""
    rest = list(tokens)
    value = _commands(rest)
    if rest:
        raise ValueError(f"too much in a template: {rest[0].text}")
    return value


def _commands(rest: list[_Token]) -> _Operand:
    """Take commands with `|` between them off the tokens: each gets the value of the one before as last argument."""
    commands: list[list[_Operand]] = [[]]
    while rest and rest[0] != _CLOSED:
        if rest[0] == _PIPE:
            commands.append([])
            del rest[0]
        else:
            commands[-1].append(_operand(rest))
    value = _command(commands[0])
    for command in commands[1:]:
        value = _command([*command, value])
    return value


def _operand(rest: list[_Token]) -> _Operand:
    """Take the next operand off the tokens."""
    kind, text = rest.pop(0)
    match kind:
        case "sign" if text == "(":
            inner = _commands(rest)
            if not rest:
                raise ValueError("a template lacks a closing parenthesis")
            del rest[0]
            return inner
        case "string":
            return _constant(text[1:-1] if text.startswith("`") else json.loads(text))
        case "number":
            return _constant(int(text))
        case "name":
            return _named(text)
    raise ValueError(f"no operand of a template: {text}")


def _constant(value: Any) -> _Operand:
    return lambda _: value


def _named(text: str) -> _Operand:
    """Return `.`, a field of it, a variable or one of its fields, or a function, which `_command` calls."""
    name, *path = text.split(".")
    if text == ".":
        return lambda frame: frame.dot
    if not name:
        return lambda frame: field(frame.dot, path)
    if name.startswith("$"):
        return lambda frame: field(frame.variables[name], path)
    if name == "query":
        return lambda frame: frame.query
    if name not in FUNCTIONS:
        raise ValueError(f"a function of templates that is not known here: {name}")
    return _constant(FUNCTIONS[name])


def _command(operands: Sequence[_Operand]) -> _Operand:
    """Return a function's value for its arguments, or the only operand's."""
    if not operands:
        raise ValueError("an action of a template is empty")
    first, *arguments = operands

    def called(frame: Frame) -> Any:
        value = first(frame)
        return value(*[each(frame) for each in arguments]) if callable(value) else value

    return called
