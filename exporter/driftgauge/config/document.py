"""The values of a file, each with its line, and ${VAR} replaced from the environment.

The number of values is bounded, so that aliases of aliases cannot exhaust memory. This module does not know what the
keys mean.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from driftgauge.config.syntax import MAX_DEPTH, TOO_DEEP, Refused, compose, described, line_of, scalar
from driftgauge.config.wording import Mistake, Path
from driftgauge.errors import ConfigError
from driftgauge.redaction import SECRET, is_secret_name

MAX_VALUES: Final = 100_000

_MERGE_KEY: Final = "<<"
_VARIABLE: Final = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\{)")


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """One file: its values, the 1-based line of each path, and mistakes that do not depend on what keys mean.

    masked: path -> the text to show in place of a value that contains a secret variable.
    """

    values: dict[str, Any]
    lines: Mapping[Path, int]
    masked: dict[Path, str]
    mistakes: tuple[Mistake, ...]


def read(text: str, *, filename: str, environ: Mapping[str, str] | None) -> ParsedFile:
    """Read one YAML document whose top is a mapping.

    environ: None for a file that others may write: a variable in it is a mistake.
    Raises ConfigError, naming `filename` and the line, when the text is no such document; mistakes in single keys
    and variables are in the result's `mistakes`.
    """
    root = compose(text, filename=filename)
    walk = _Walk(environ)
    try:
        values = walk.mapping(root, ())
    except Refused as error:
        raise ConfigError(f"{filename}:{described(error, text)}") from error
    return ParsedFile(values, walk.lines, walk.masked, tuple(walk.mistakes))


class _Walk:
    """One pass over the node graph. Aliases are walked as often as they are used, cycles until they are too deep."""

    def __init__(self, environ: Mapping[str, str] | None) -> None:
        self._environ = environ or {}
        self._has_variables = environ is not None
        self._cost = 0
        self.lines: dict[Path, int] = {(): 1}
        self.masked: dict[Path, str] = {}
        self.mistakes: list[Mistake] = []

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            below = (*path, key) if key else path
            if problem := self._key_problem(key, below):
                self.mistakes.append(Mistake(line_of(key_node), below, problem))
            else:
                self.lines[below] = line_of(key_node)
                values[key] = self._value(value_node, below)
        return values

    def _key_problem(self, key: str, path: Path) -> str | None:
        if not key:
            return "a key must be one word, without brackets"
        if key == _MERGE_KEY:
            return "merge keys are not supported; give a whole section an anchor (&name) and repeat it with *name"
        if path in self.lines:
            return f"is written twice, first in line {self.lines[path]}; keep one of the two"
        return None

    def _value(self, node: yaml.Node, path: Path) -> Any:
        # A long text or list costs more: an alias repeats it, and with ${VAR} in it each repetition is a copy.
        self._cost += 1 + len(node.value) // 100
        if self._cost > MAX_VALUES:
            raise Refused(
                f"holds more than {MAX_VALUES} values, repeated ones (*name) included; write fewer", line_of(node)
            )
        if len(path) > MAX_DEPTH:
            raise Refused(TOO_DEEP, line_of(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self._list(node, path)
        value = scalar(node)
        return self._expanded(value, path) if isinstance(value, str) else value

    def _list(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        for position, item in enumerate(node.value):
            self.lines[*path, position] = line_of(item)
        return [self._value(item, (*path, position)) for position, item in enumerate(node.value)]

    def _expanded(self, text: str, path: Path) -> str:
        matches = list(_VARIABLE.finditer(text))
        problems = [problem for match in matches if (problem := self._variable_problem(match))]
        if problems:
            self.mistakes.extend(Mistake(self.lines[path], path, problem) for problem in problems)
            return text
        if any(_is_secret(match) for match in matches):
            self.masked[path] = _VARIABLE.sub(lambda match: SECRET if _is_secret(match) else self._found(match), text)
        return _VARIABLE.sub(self._found, text)

    def _variable_problem(self, match: re.Match[str]) -> str | None:
        name = match["name"]
        if not self._has_variables and not match["dollar"]:
            return "variables are not read in this file; write the value"
        if match[0] == "${":
            return "cannot read what follows ${; write ${NAME}, ${NAME:-default}, or $$ for the character $"
        if name and name not in self._environ and match["default"] is None:
            return f"environment variable {name} is not set; set it, or write a default: ${{{name}:-default}}"
        return None

    def _found(self, match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        return self._environ.get(match["name"]) or match["default"] or ""


def _is_secret(match: re.Match[str]) -> bool:
    return is_secret_name(match["name"] or "")
