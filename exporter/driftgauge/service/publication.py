"""What one refresh hands over: the page in both formats, plain and compressed, health, and the landing page's figures.

One immutable value, which the front swaps as a whole. The refresher writes it into a document of the channel; the front
keeps the document and reads the page out of it for each scrape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

from driftgauge.collector import HEAD, Page, ending
from driftgauge.service.channel import ChannelError, Document
from driftgauge.service.health import RefreshHealth
from driftgauge.service.landing import Figures


@dataclass(frozen=True, slots=True, eq=False)
class Publication:
    """figures: what the landing page shows of each model. ready: whether there is anything to serve."""

    document: Document
    health: RefreshHealth
    ready: bool
    figures: Mapping[str, Figures]
    checksums: tuple[int, int]

    @classmethod
    def of(cls, page: Page, health: RefreshHealth, *, figures: Mapping[str, Figures], ready: bool) -> Self:
        """Write a publication."""
        bodies = (page.text, page.openmetrics)
        checksums = [body.checksum for body in bodies]
        header = {"health": health.to_json(), "ready": ready, "figures": figures, "checksums": checksums}
        parts = [part for body in bodies for part in (body.plain, body.deflated)]
        return cls.read(Document.of(header, parts))

    @classmethod
    def read(cls, document: Document) -> Self:
        """Return the publication in a document. Raises ChannelError when there is none in it."""
        header = document.header
        try:
            text, openmetrics = map(int, header["checksums"])
            health = _health(document)
            # The last part is there if all are.
            document.part(3)
            return cls(document, health, bool(header["ready"]), dict(header["figures"]), (text, openmetrics))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ChannelError(f"a publication cannot be read: {error!r}") from error

    def with_health(self, document: Document) -> "Publication":
        """Return the same page with the health in another document, as of a refresh that failed.

        Raises ChannelError when there is none in it.
        """
        return replace(self, health=_health(document))

    def page(self, tail: bytes, *, openmetrics: bool, gzip: bool) -> tuple[int, Iterator[bytes]]:
        """Return the page with the lines of `tail` at its end: its length in bytes, and its pieces."""
        plain, deflated = (self.document.part(2 * openmetrics + part) for part in (0, 1))
        if not gzip:
            return plain.size + len(tail), chain(plain, [tail])
        end = ending(tail, size=plain.size, checksum=self.checksums[openmetrics])
        return len(HEAD) + deflated.size + len(end), chain([HEAD], deflated, [end])


def _health(document: Document) -> RefreshHealth:
    try:
        return RefreshHealth.from_json(document.header["health"])
    except (KeyError, TypeError) as error:
        raise ChannelError(f"the health of a publication cannot be read: {error!r}") from error
