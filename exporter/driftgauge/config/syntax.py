"""YAML text to a bounded graph of nodes; syntax errors as one line with a remedy.

Only the safe core of YAML is allowed: mappings, lists, text, numbers, true and false. Dates stay text, as yes
and no do, and tags are refused. This module does not know what the nodes mean.
"""

import re
from typing import Any, Final

import yaml

from driftgauge.errors import ConfigError

MAX_CHARACTERS: Final = 2**20
MAX_DEPTH: Final = 20

TOO_DEEP: Final = f"is nested more than {MAX_DEPTH} levels deep; no key needs that"

_NUMBERS_AND_WORDS: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null"))


class Refused(yaml.MarkedYAMLError):
    """Valid YAML that a configuration may not use; the message has its remedy already."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem=problem)
        self.line = line


# Those of YAML 1.2. PyYAML follows 1.1, where `country: NO` is no country but false.
_BOOL: Final = "tag:yaml.org,2002:bool"
_TRUE_OR_FALSE: Final = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, except that dates stay text, for a model name may look like one, and so do yes and no."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own protocol
        first: [
            (tag, _TRUE_OR_FALSE if tag == _BOOL else pattern)
            for tag, pattern in resolvers
            if tag in _NUMBERS_AND_WORDS
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def compose(text: str, *, filename: str) -> yaml.MappingNode:
    """Return the mapping at the top of a YAML document.

    Aliases make it a graph, which may have cycles. Raises ConfigError, naming `filename` and the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{filename}:1: is longer than {MAX_CHARACTERS} characters; is this the right file?")
    try:
        _refuse_tags_and_depth(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{filename}:{line}: holds a character that YAML does not allow; remove it") from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{filename}:{described(error, text)}") from error
    if node is None:
        raise ConfigError(f"{filename}:1: is empty; it needs at least one model under models:")
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{filename}:{line_of(node)}: must be a mapping at the top, like models: followed by a list")
    return node


def _refuse_tags_and_depth(text: str) -> None:
    # Before composing, which recurses once per level and would exhaust the stack.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = _line(event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise Refused("tags are not supported; remove the word that begins with !", line)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise Refused(TOO_DEEP, line)


def scalar(node: yaml.Node) -> Any:
    """Return a node's text, number, true, false or None."""
    if node.tag not in _NUMBERS_AND_WORDS:
        return node.value
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError:
        return node.value  # more digits than Python converts: as text it is refused as no number


def line_of(node: yaml.Node) -> int:
    """Return the 1-based line on which a node begins."""
    return _line(node.start_mark)


def described(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return `line: what; remedy` for an error that the YAML reader raised on `text`."""
    if isinstance(error, Refused):
        return f"{error.line}: {error.problem}"
    line = _line(error.problem_mark)
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{line}: not valid YAML: {what}; {_remedy(text.splitlines()[line - 1 : line])}"


def _line(mark: Any) -> int:
    return int(mark.line) + 1


def _remedy(lines: list[str]) -> str:
    line = "".join(lines)
    if "\t" in line:
        return "indent with spaces instead of tabs"
    if "${" in line:
        return 'inside {} and [], write variables in quotes: "${NAME}"'
    if line.startswith("---"):
        return "remove this line and what follows it"
    return "look at the indentation, colons, brackets and quotes here and just above"
