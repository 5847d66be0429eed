"""From results to the page: `.bench/results.json`, and the tables and plots of exporter/docs/performance.md.

The page is written by hand except between the marks `<!-- bench: NAME -->` and `<!-- end -->`.
"""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from . import plots
from .measuring import BENCH, ROOT, Notes, Row, ratio_words, say

RESULTS: Final = BENCH / "results.json"
PAGE: Final = ROOT / "exporter" / "docs" / "performance.md"
_BLOCK: Final = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_OURS: Final = ("driftgauge", "duckdb", "mlflow", "numpy", "prometheus-client", "pyarrow", "scipy")
_VERDICTS: Final = {True: "yes", False: "**no**", None: ""}

Results = dict[str, Any]


def keep(line: str, notes: Notes) -> None:
    """Replace the earlier results of a line."""
    results = _read()
    results[line] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [asdict(row) for row in notes.rows],
        "versions": notes.versions,
        "figures": notes.figures,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")


def write() -> None:
    """Write the tables into the page and the plots next to it; blocks without results stay as they are."""
    results = _read()
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BLOCK.sub(lambda block: _filled(block, results), text), encoding="utf-8")
    drawings = [drawing for line in results.values() for drawing in line["figures"].get("drawings", [])]
    plots.draw(drawings, PAGE.with_suffix(""))
    say(f"wrote {PAGE.relative_to(ROOT)}")


def _read() -> Results:
    found: Results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return found


def _filled(block: re.Match[str], results: Results) -> str:
    content = _CONTENT[block[2]](results)
    return f"{block[1]}{content}{block[3]}" if content else block[0]


def versions(found: Mapping[str, str]) -> str:
    """Return the versions of our dependencies and those in `found`."""
    ours = {name: version(name) for name in _OURS}
    return ", ".join(
        f"{name} {text}" for name, text in sorted((ours | found).items(), key=lambda item: item[0].lower())
    )


def _table(results: Results) -> str:
    """Return the rows of all lines as a table."""
    head = "| | work | ours | reference | ratio | target | holds |\n|---|---|---|---|---|---|---|\n"
    lines = sorted((line for line in results if line.startswith("B")), key=lambda line: int(line[1:]))
    rows = [Row(**row) for line in lines for row in results[line]["rows"]]
    cells = [
        (row.line, row.work, row.ours, row.reference, ratio_words(row), row.target, _VERDICTS[row.holds])
        for row in rows
    ]
    return head + "".join(f"| {' | '.join(row)} |\n" for row in cells) if rows else ""


def _versions(results: Results) -> str:
    """Return the machine and the versions that were measured."""
    found: dict[str, str] = {}
    for line in results.values():
        found |= line["versions"]
    if not results:
        return ""
    days = sorted({line["at"][:10] for line in results.values()})
    place = f"{_processor()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, Linux {platform.release()}"
    return f"Measured {' to '.join(sorted({days[0], days[-1]}))} on {place}; {versions(found)}.\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _growth(results: Results) -> str:
    """Return the slopes as a table, and the memory formula with the measured memory."""
    return str(results["growth"]["figures"]["table"]) if "growth" in results else ""


def _profile(results: Results) -> str:
    """Return where the time of a refresh goes."""
    return f"```\n{results['profile']['figures']['table']}```\n" if "profile" in results else ""


_CONTENT: Final[Mapping[str, Callable[[Results], str]]] = {
    "table": _table,
    "versions": _versions,
    "growth": _growth,
    "profile": _profile,
}
