"""From the samples of a snapshot to the bytes of `/metrics`.

    joining  the samples of all models together, up to a limit
    checks   what would spoil a scrape is refused
    lines    families with their samples -> lines, in both exposition formats
    packing  a page -> a gzip stream that can be continued, and of which families can be taken
    page     the rendered snapshot, and the families about processes

Both formats, Prometheus text 0.0.4 and OpenMetrics 1.0, are written once per refresh, so that a scrape copies bytes and
computes nothing. This package knows no HTTP and no statistics.
"""

from driftgauge.collector.checks import validate
from driftgauge.collector.joining import within_limit
from driftgauge.collector.lines import END
from driftgauge.collector.packing import HEAD, Body, Stretch, checksum, ending, packed
from driftgauge.collector.page import Page, ProcessMetrics, render, written

__all__ = [
    "END",
    "HEAD",
    "Body",
    "Page",
    "ProcessMetrics",
    "Stretch",
    "checksum",
    "ending",
    "packed",
    "render",
    "validate",
    "within_limit",
    "written",
]
