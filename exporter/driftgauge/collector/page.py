"""The rendered snapshot, and the families about processes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from driftgauge.collector.checks import validate
from driftgauge.collector.lines import END, sections, write_openmetrics, write_text
from driftgauge.collector.packing import Body, packed
from driftgauge.samples import Samples


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered samples in both formats; the end mark of OpenMetrics is not on it, so lines can follow."""

    text: Body = field(default_factory=lambda: packed(b""))
    openmetrics: Body = field(default_factory=lambda: packed(b""))


def render(samples: Samples) -> Page:
    """Write and compress samples in both formats. Raise ValueError as `validate` does."""
    validate(samples)
    found = list(sections(samples))
    text = b"".join(piece for section in found for piece in section.text)
    return Page(packed(text), packed(b"".join(piece for section in found for piece in section.openmetrics)))


def written(samples: Samples, *, openmetrics: bool) -> bytes:
    """Write a few samples in one format, without an OpenMetrics end mark."""
    found = sections(samples)
    return b"".join(piece for each in found for piece in (each.openmetrics if openmetrics else each.text))


class ProcessMetrics:
    """The families about this process and its interpreter, and about a child of it, read at each scrape.

    child: the child's process id, None while there is none; its families are `<prefix>_process_…`.
    """

    def __init__(self, *, prefix: str = "", child: Callable[[], int | None] = lambda: None) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        if prefix:
            # There is no process 0 to be read: then these families are absent.
            ProcessCollector(namespace=prefix, pid=lambda: child() or 0, registry=self._registry)

    def lines(self, *, openmetrics: bool) -> bytes:
        """Return the families as they stand now, without an OpenMetrics end mark."""
        if openmetrics:
            return write_openmetrics(self._registry).removesuffix(END)
        return write_text(self._registry)
