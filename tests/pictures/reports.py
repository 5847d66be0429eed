"""`python -m pictures.reports`: reports looked at in Chromium, for exporter/docs/pictures and for accessibility.

Three models: a healthy one, one whose inputs drifted, and one that became worse. Each page is opened at three widths,
in dark and light: nothing may be said on the console. With `--axe axe.min.js` axe-core looks at each as well: there may
be no violation. `make report-check` does both.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from html import unescape
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Final

from PIL import Image

from driftgauge.report import Subject, document
from driftgauge.report.html import html
from driftgauge.snapshot import ModelState
from driftgauge.verdict import findings
from report.subjects import NOW, a_state, a_subject

PICTURES: Final = Path(__file__).parents[2] / "exporter" / "docs" / "pictures"
NAMES: Final = ("tenure", "monthly_charges", "support_calls", "age", "data_usage")
WIDTHS: Final = (390, 800, 1280)
# As in Chromium's `preferred_color_scheme`.
SCHEMES: Final = {"dark": 0, "light": 1}
# Of the pictures in the documentation: what more the style sheet says, and in which colours.
_NO_MORE: Final = (
    "nav, section[aria-labelledby]:not([aria-labelledby=features], [aria-labelledby=days]) { display: none; }"
)
SHOWN: Final = {"healthy": ("", "light"), "drifted": (_NO_MORE, "dark"), "degraded": ("", "light")}
SIZE: Final = (1100, 1150)
COLORS: Final = 128
_RUN: Final = """<script>{axe}</script><script>
axe.run(document).then(found => {{
  const said = found.violations.map(each => [each.id, each.help, each.nodes.map(node => node.html.slice(0, 200))]);
  document.body.innerHTML = '<pre id="axe"></pre>';
  document.getElementById('axe').textContent = JSON.stringify({{said, passes: found.passes.length}});
}});</script>"""


def states() -> dict[str, ModelState]:
    """Return the models by what became of them."""
    return {
        "healthy": a_state(days=6, names=NAMES, features=len(NAMES)),
        "drifted": a_state(days=6, names=NAMES, features=len(NAMES), shift=1.1),
        "degraded": a_state(days=6, names=NAMES, features=len(NAMES), wrong=0.32),
    }


def subject(state: ModelState) -> Subject:
    """Return a subject with what the rules find."""
    found = a_subject(state)
    return replace(found, findings=findings("churn", found.samples, found.rules, now=NOW))


def chromium(page: Path, *arguments: str, width: int, height: int = 4000, scheme: str) -> str:
    """Open a page without a window; return what is on standard output. Fails when something is said on the console."""
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *("--enable-logging=stderr", f"--user-data-dir={profile}", f"--window-size={width},{height}"),
                *(f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", *arguments, page.as_uri()),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    if said := [line for line in done.stderr.splitlines() if "CONSOLE" in line]:
        sys.exit(f"{page.name} at {width} in {scheme}: {said}")
    return done.stdout


def violations(page: Path, axe: str) -> list[str]:
    """Return what axe-core finds wrong with a page, which has to let it in for that."""
    open_page = page.with_name(f"axe-{page.name}")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    open_page.write_text(text.replace("</body>", _RUN.format(axe=axe) + "</body>"), encoding="utf-8")
    found: list[str] = []
    for width, scheme in product(WIDTHS, SCHEMES):
        dom = chromium(open_page, "--dump-dom", "--virtual-time-budget=30000", width=width, scheme=scheme)
        result = re.search(r'<pre id="axe">(.*?)</pre>', dom, re.DOTALL)
        if result is None:
            sys.exit(f"{page.name}: axe did not run")
        said = json.loads(unescape(result[1]))
        if not said["passes"]:
            sys.exit(f"{page.name}: axe looked at nothing")
        found += [f"{page.name} at {width} in {scheme}: {each}" for each in said["said"]]
    return found


def screenshot(page: Path, to: Path, *, width: int, height: int, scheme: str) -> None:
    """Write what is seen of a page as a small PNG."""
    large = to.with_suffix(".large.png")
    chromium(page, f"--screenshot={large}", width=width, height=height, scheme=scheme)
    small = BytesIO()
    with Image.open(large) as image:
        image.convert("RGB").quantize(COLORS).save(small, "PNG", optimize=True)
    large.unlink()
    to.write_bytes(small.getvalue())


def main() -> None:
    """Look at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--axe", type=Path, help="axe.min.js of axe-core")
    parser.add_argument("--looks", type=Path, help="a folder for a picture of each page at each width, dark and light")
    parser.add_argument("--draw", action="store_true", help="write the pictures of the documentation")
    wanted = parser.parse_args()
    axe = wanted.axe.read_text(encoding="utf-8") if wanted.axe else ""
    found: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for story, state in states().items():
            page = Path(name) / f"{story}.html"
            page.write_text(html(document(subject(state).chosen(), driftgauge="1.0.0")), encoding="utf-8")
            for width, scheme in product(WIDTHS, SCHEMES) if wanted.looks else ():
                to = wanted.looks / f"{story}-{width}-{scheme}.png"
                screenshot(page, to, width=width, height=6000, scheme=scheme)
            if wanted.draw:
                style, scheme = SHOWN[story]
                part = page.with_name(f"part-{page.name}")
                part.write_text(
                    page.read_text(encoding="utf-8").replace("</style>", f"{style}</style>"), encoding="utf-8"
                )
                screenshot(part, PICTURES / f"report-{story}.png", width=SIZE[0], height=SIZE[1], scheme=scheme)
            if axe:
                found += violations(page, axe)
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
