"""Reports on paper and on a small screen: what is printed is whole, for paper does not scroll."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest

from driftgauge.config import Window
from driftgauge.report import document
from driftgauge.report.html import html
from pictures.reports import chromium
from report.subjects import a_state, a_subject

# Between the margins of Letter, which is narrower than A4, at CSS's 96 to the inch: 279.4 - 2 * 12 mm.
PAPER: Final = 965
# A small laptop's.
SCREEN: Final = 1280
_MEASURE: Final = """<style>body {{ width: {width}px; }}</style><script>onload = () => {{
  const shown = element => getComputedStyle(element).display !== 'none';
  const found = {{
    wide: [...document.querySelectorAll('.scroll')].map(each => [each.ariaLabel, each.scrollWidth, each.clientWidth]),
    links: [...document.querySelectorAll('nav, header a')].filter(each => shown(each) && shown(each.parentNode)).length,
    sizes: [...new Set([...document.querySelectorAll('table:not(.heat) :is(td.n, thead th, .tag)')].map(
      each => getComputedStyle(each).fontSize))],
  }};
  document.body.innerHTML = '<pre id="found"></pre>';
  document.getElementById('found').textContent = JSON.stringify(found);
}};</script>"""


@pytest.fixture(scope="module")
def page() -> str:
    """Return a page with the widest tables that there are: of all days that are kept."""
    windows = (Window("24h", 86_400), Window("31d", 31 * 86_400))
    subject = replace(a_subject(a_state(days=31, features=4, shift=1.0)), windows=windows)
    text = html(document(subject.chosen(), driftgauge="1.0.0"), home="/")
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)


def measured(page: str, width: int, folder: Path) -> tuple[dict[str, tuple[int, int]], dict[str, Any]]:
    """Return how wide each table is and what it has, in pixels, by its label, and what else was measured."""
    file = folder / "report.html"
    file.write_text(page.replace("</body>", _MEASURE.format(width=width) + "</body>"), encoding="utf-8")
    dom = chromium(file, "--dump-dom", width=1400, scheme="light")
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert found
    said = json.loads(unescape(found[1]))
    return {label: (needed, there) for label, needed, there in said["wide"]}, said


def test_tables_fit_on_paper(page: str, tmp_path: Path) -> None:
    """No table loses a column; heads are no larger than what is under them, and nothing leads elsewhere."""
    wide, said = measured(page.replace("@media print", "@media all"), PAPER, tmp_path)
    assert {"Table of days", "PSI by feature and day", "Table of versions", "Table of features"} <= wide.keys()
    assert {label: widths for label, widths in wide.items() if widths[0] > widths[1] or widths[1] > PAPER} == {}
    assert said["links"] == 0
    assert len(said["sizes"]) == 1


def test_features_are_seen_without_scrolling(page: str, tmp_path: Path) -> None:
    """On a small laptop, where the table of all days and metrics scrolls."""
    wide, said = measured(page, SCREEN, tmp_path)
    needed, there = wide["Table of features"]
    assert needed <= there < SCREEN
    assert said["links"] > 0
