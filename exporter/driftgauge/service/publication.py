"""What one refresh hands over: the page in both formats, plain and compressed, health, and the landing page's figures.

One immutable value, which the front swaps as a whole. The refresher writes it into a document of the channel; the front
keeps the document and reads the page out of it for each scrape.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Self

from driftgauge.collector import HEAD, Page, Stretch, checksum, ending
from driftgauge.service.channel import ChannelError, Document, Span
from driftgauge.service.health import RefreshHealth
from driftgauge.service.landing import Figures


class _Index(NamedTuple):
    """The CRC-32 of a page, and its families."""

    checksum: int
    families: tuple[Stretch, ...]

    @classmethod
    def read(cls, checksum: Any, families: Any) -> Self:
        """Return what a header has."""
        return cls(int(checksum), tuple(Stretch(*each) for each in families))

    def of(self, names: Container[str]) -> "_Index":
        """Return that of a page with the families of these names only."""
        found = tuple(each for each in self.families if each.name in names)
        return _Index(checksum(found), found)


@dataclass(frozen=True, slots=True, eq=False)
class Publication:
    """figures: what the landing page shows of each model. ready: whether there is anything to serve.

    index: what the page has as text and as OpenMetrics.
    """

    document: Document
    health: RefreshHealth
    ready: bool
    figures: Mapping[str, Figures]
    index: tuple[_Index, _Index]

    @classmethod
    def of(cls, page: Page, health: RefreshHealth, *, figures: Mapping[str, Figures], ready: bool) -> Self:
        """Write a publication."""
        bodies = (page.text, page.openmetrics)
        index = [(body.checksum, body.stretches) for body in bodies]
        header = {"health": health.to_json(), "ready": ready, "figures": figures, "index": index}
        parts = [part for body in bodies for part in (body.plain, body.deflated)]
        return cls.read(Document.of(header, parts))

    @classmethod
    def read(cls, document: Document) -> Self:
        """Return the publication in a document. Raises ChannelError when there is none in it."""
        header = document.header
        try:
            text, openmetrics = (_Index.read(*each) for each in header["index"])
            health = _health(document)
            # The last part is there if all are.
            document.part(3)
            return cls(document, health, bool(header["ready"]), dict(header["figures"]), (text, openmetrics))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ChannelError(f"a publication cannot be read: {error!r}") from error

    def with_health(self, document: Document) -> "Publication":
        """Return the same page with the health in another document, when nothing else is new.

        Raises ChannelError when there is none in it.
        """
        return replace(self, health=_health(document))

    def page(
        self, tail: bytes, *, openmetrics: bool, gzip: bool, names: Container[str] | None = None
    ) -> tuple[int, Iterator[bytes]]:
        """Return the page with the lines of `tail` at its end: its length in bytes, and its pieces.

        names: of the families that are wanted, which are read and no others; None for all.
        """
        whole = self.document.part(2 * openmetrics + gzip)
        index = self.index[openmetrics]
        spans = [whole] if names is None else list(_parts(whole, index.families, names, gzip=gzip))
        size = sum(span.size for span in spans)
        if not gzip:
            return size + len(tail), chain(*spans, [tail])
        if names is not None:
            index = index.of(names)
        end = ending(tail, size=sum(each.plain for each in index.families), checksum=index.checksum)
        return len(HEAD) + size + len(end), chain([HEAD], *spans, [end])


def _parts(whole: Span, every: Iterable[Stretch], names: Container[str], *, gzip: bool) -> Iterator[Span]:
    at = whole.start
    for each in every:
        size = each.deflated if gzip else each.plain
        if each.name in names:
            yield Span(whole.document, at, size)
        at += size


def _health(document: Document) -> RefreshHealth:
    try:
        return RefreshHealth.from_json(document.header["health"])
    except (KeyError, TypeError) as error:
        raise ChannelError(f"the health of a publication cannot be read: {error!r}") from error
