"""The actions of a runbook as plain text: what to do, and when or how."""

import re
from dataclasses import dataclass
from typing import Final

_ITEM: Final = re.compile(r"\*\*(?P<do>.+?)\*\*(?P<text>.*)", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKS: Final = re.compile(r"\*\*|`")


@dataclass(frozen=True, slots=True)
class Action:
    """do: a few words. text: when or how, as the runbook goes on."""

    do: str
    text: str


def action(item: str) -> Action:
    """Return an item of a runbook's list, which begins with what to do in bold."""
    found = _ITEM.fullmatch(item)
    do, text = (found["do"], found["text"]) if found else ("", item)
    return Action(_plain(do), _plain(text).strip())


def _plain(text: str) -> str:
    return _MARKS.sub("", _LINK.sub(r"\1", text))
