"""Reports on paper: what is printed is whole, for a page does not scroll."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Final

from driftgauge.config import Window
from driftgauge.report import document
from driftgauge.report.html import html
from pictures.reports import chromium
from report.subjects import a_state, a_subject

# Between the margins of Letter, which is narrower than A4, at CSS's 96 to the inch: 279.4 - 2 * 12 mm.
PAPER: Final = 965
_MEASURE: Final = f"""<style>body {{ width: {PAPER}px; }}</style><script>onload = () => {{
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


def test_tables_fit_on_paper(tmp_path: Path) -> None:
    """The widest tables, of all days that are kept, lose no column; heads are no larger than what is under them."""
    windows = (Window("24h", 86_400), Window("31d", 31 * 86_400))
    subject = replace(a_subject(a_state(days=31, features=4, shift=1.0)), windows=windows)
    text = html(document(subject.chosen(), driftgauge="1.0.0"), home="/")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text.replace("@media print", "@media all"))
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", _MEASURE + "</body>"), encoding="utf-8")
    dom = chromium(page, "--dump-dom", width=1000, scheme="light")
    measured = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    assert measured
    found = json.loads(unescape(measured[1]))
    wide = {label: (needed, there) for label, needed, there in found["wide"]}
    assert {"Table of days", "PSI by feature and day", "Table of versions", "Table of features"} <= wide.keys()
    assert {label: widths for label, widths in wide.items() if widths[0] > widths[1] or widths[1] > PAPER} == {}
    assert found["links"] == 0
    assert len(found["sizes"]) == 1
