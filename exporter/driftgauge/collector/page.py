"""The rendered snapshot, and the families about processes."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.registry import CollectorRegistry

from driftgauge.collector.checks import validate
from driftgauge.collector.lines import END, Listed, exposed_name, sections, write_openmetrics, write_text
from driftgauge.collector.packing import Body, packed
from driftgauge.samples import Samples


@dataclass(frozen=True, slots=True)
class Page:
    """Rendered samples in both formats; the end mark of OpenMetrics is not on it, so lines can follow."""

    text: Body = field(default_factory=lambda: packed(()))
    openmetrics: Body = field(default_factory=lambda: packed(()))


def render(samples: Samples) -> Page:
    """Write and compress samples in both formats. Raise ValueError as `validate` does."""
    validate(samples)
    found = list(sections(samples))
    return Page(
        packed((each.name, b"".join(each.text)) for each in found),
        packed((each.name, b"".join(each.openmetrics)) for each in found),
    )


def written(samples: Samples, *, openmetrics: bool, names: Container[str] | None = None) -> bytes:
    """Write a few samples in one format, without an OpenMetrics end mark; of all families, or those of `names`."""
    found = sections({name: series for name, series in samples.items() if names is None or name in names})
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

    def lines(self, *, openmetrics: bool, names: Container[str] | None = None) -> bytes:
        """Return the families, or those of these names, as they stand now, without an OpenMetrics end mark."""
        found = Listed([each for each in self._registry.collect() if names is None or exposed_name(each) in names])
        return write_openmetrics(found).removesuffix(END) if openmetrics else write_text(found)
