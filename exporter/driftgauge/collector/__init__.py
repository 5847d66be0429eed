"""From the samples of a snapshot to the bytes of `/metrics`.

    joining  the samples of all models as one, at most so many
    checks   what would spoil a scrape is refused
    lines    families with their samples -> lines, in both exposition formats
    packing  pieces of a page -> one gzip stream that can be continued
    process  the families about this process
    page     the rendered snapshot, and what one scrape gets of it

Both formats, Prometheus text 0.0.4 and OpenMetrics 1.0, are written once per refresh, so that a scrape copies bytes and
computes nothing. This package knows no HTTP and no statistics.
"""

from driftgauge.collector.checks import validate
from driftgauge.collector.joining import within_limit
from driftgauge.collector.page import Page, ProcessMetrics, compose, render

__all__ = ["Page", "ProcessMetrics", "compose", "render", "validate", "within_limit"]
