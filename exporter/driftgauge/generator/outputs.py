"""The table of all files that are rendered from the thresholds, with the functions that render them.

A new kind of output is a function from thresholds to texts by relative path, and a row of `PARTS`. Paths are the same
in this repository and in a user's folder. This module does not read or write files.
"""

from collections.abc import Callable, Mapping
from typing import Final

from driftgauge.generator.alertmanager import alertmanager
from driftgauge.generator.dashboards import dashboards
from driftgauge.generator.playbook import playbook
from driftgauge.generator.rules import rule_files
from driftgauge.generator.runbooks import runbooks
from driftgauge.generator.table import table
from driftgauge.generator.thresholds import Thresholds

# Relative path, with `/` → the whole text, which ends in a line break.
Texts = Mapping[str, str]
Part = Callable[[Thresholds], Texts]

PARTS: Final[tuple[Part, ...]] = (rule_files, alertmanager, dashboards, runbooks, playbook, table)


def outputs(thresholds: Thresholds) -> dict[str, str]:
    """Return every text of the set by its path, sorted."""
    texts: dict[str, str] = {}
    for part in PARTS:
        texts |= part(thresholds)
    return dict(sorted(texts.items()))
