"""A report as one self-contained HTML page: no script, no font, no picture from elsewhere.

Everything that came from outside passes Jinja's escaping; paths of pictures are numbers.
"""

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from driftgauge.report import pictures, reading
from driftgauge.report.document import Document

# What a page that is looked at as a file, or in MLflow, may load: nothing.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# PSI from which a cell of the heatmap has the next shade, below the limits that people know.
_SHADES: Final = (0.05, 0.1, 0.2, 0.5)


def html(document: Document, *, home: str = "") -> str:
    """Return the page; home: the address of the landing page, for the page that the exporter serves."""
    return _environment().get_template("report.html.j2").render(report=document, home=home, policy=POLICY)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("driftgauge.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = ("figure", "share", "signed", "pvalue", "seconds", "short", "when", "judged")
    environment.filters |= {name: getattr(reading, name) for name in named}
    environment.filters |= {"picture": pictures.column_picture, "shade": _shade, "link": reading.link}
    environment.globals |= {
        "between": reading.between,
        "statistics": reading.statistics,
        "changes": reading.changes,
        "day_lines": pictures.day_lines,
        "width": pictures.WIDTH,
        "height": pictures.HEIGHT,
        "line_width": pictures.LINE_WIDTH,
        "line_height": pictures.LINE_HEIGHT,
        "words": reading.WORDS,
    }
    return environment


def _shade(psi: float | None) -> str:
    """Return the class of a cell of the heatmap."""
    return "" if psi is None else f"s{sum(psi >= limit for limit in _SHADES)}"
