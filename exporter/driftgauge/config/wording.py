"""How a mistake is put into words: where it is, what was seen without its secrets, and the nearest valid name.

Every mistake is one line for people: values in it have neither line breaks nor characters that cannot be printed.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from driftgauge.redaction import without_secrets

# Where a value is: the keys and list positions that lead to it from the top of the file.
Path = tuple[str | int, ...]

_LONGEST_SHOWN: Final = 60
_PLAIN_KEY: Final = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to correct, at a 1-based line of the file."""

    line: int
    path: Path
    text: str


class RuleError(ValueError):
    """A rule's complete sentence; `at` leads from the checked value to the part of it that is wrong.

    A plain ValueError from a rule says only what the value must be ("must be a duration"); the caller adds what it is.
    """

    def __init__(self, text: str, at: Path = ()) -> None:
        super().__init__(text)
        self.at = at


def path_text(path: Path) -> str:
    """Return a path as people write it: `models[0].drift.bins`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_key_text(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def shown(value: object) -> str:
    """Return what was written, on one line and not too long; for lists and mappings only their kind."""
    match value:
        case str():
            return quoted(without_secrets(value))
        case bool():
            return "true" if value else "false"
        case None:
            return "empty"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return repr(value)[:_LONGEST_SHOWN]


def quoted(text: str) -> str:
    """Return `text` in double quotes, shortened, with what cannot be printed escaped."""
    short = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
    return json.dumps(short, ensure_ascii=not text.isprintable())


def suggestion(word: str, valid: Iterable[str], kind: str) -> str:
    """Return the remedy for an unknown name: the nearest valid one, or all when none is near."""
    names = list(valid)
    near = difflib.get_close_matches(word, names, n=1)
    return f'did you mean "{near[0]}"?' if near else f"valid {kind}: {', '.join(names)}"


def _key_text(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else quoted(key)
