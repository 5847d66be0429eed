"""The rendered snapshot, and what one scrape gets of it.

Only the families about this very process (`process_*`, `python_*`) are read at the scrape: they are few, and stale ones
would be wrong. prometheus_client writes those, and collects most.
"""

from dataclasses import dataclass, field
from functools import cache

from prometheus_client import GCCollector, PlatformCollector
from prometheus_client.registry import CollectorRegistry

from driftgauge.collector.checks import validate
from driftgauge.collector.lines import END, sections, write_openmetrics, write_text
from driftgauge.collector.packing import Body, deflated, packed
from driftgauge.collector.process import ProcessFamilies
from driftgauge.families import Samples


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered samples, ready to send in either format, plain or compressed."""

    text: Body = field(default_factory=Body)
    openmetrics: Body = field(default_factory=Body)

    def followed_by(self, other: "Page") -> "Page":
        """Return one page with the families of both, which are different ones."""
        return Page(self.text.continued(other.text), self.openmetrics.continued(other.openmetrics))

    def body(self, *, openmetrics: bool, gzip: bool, tail: bytes = b"") -> bytes:
        """Return the document in the wanted format, with the lines of `tail` at its end; OpenMetrics marks that end."""
        if openmetrics:
            return self.openmetrics.ended(tail + END, gzip=gzip)
        return self.text.ended(tail, gzip=gzip)


class ProcessMetrics:
    """The families about this process and its interpreter, read anew for each scrape."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(ProcessFamilies())
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def lines(self, *, openmetrics: bool) -> bytes:
        """Return the families as they stand now, without an OpenMetrics end mark."""
        if openmetrics:
            return write_openmetrics(self._registry).removesuffix(END)
        return write_text(self._registry)


def render(samples: Samples) -> Page:
    """Write samples in both formats. Raise ValueError as `validate` does."""
    validate(samples)
    found = list(sections(samples))
    deflate = cache(deflated)
    return Page(
        packed((piece for section in found for piece in section.text), deflate),
        packed((piece for section in found for piece in section.openmetrics), deflate),
    )


def compose(page: Page, process: ProcessMetrics, *, openmetrics: bool, gzip: bool) -> bytes:
    """Return what one scrape gets: the page, then the families about the process."""
    return page.body(openmetrics=openmetrics, gzip=gzip, tail=process.lines(openmetrics=openmetrics))
