"""The heads of a Parquet file's pages, looked through before Arrow unpacks any of them.

One page can unpack to 2 GiB whatever the footer claims, so the heads are what counts. What is let through has

    at most _MAX_PAGES pages of at most _MAX_PAGE_BYTES each, together at most `max_bytes` unpacked
    values in lists, which one row may hold all of, counted with 8 bytes each towards `max_bytes`
    no text that is written as its difference to the value before
"""

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from driftgauge.batch.parquet_footer import Chunk, Layout, Leaf, integers, too_large
from driftgauge.batch.thrift import INTEGERS, STRUCT, CompactReader
from driftgauge.errors import BatchError

_MAX_PAGES: Final = 200_000
_MAX_PAGE_BYTES: Final = 64 * 2**20
# A head takes some 20 bytes, with statistics some hundred, unless someone means harm.
_HEAD_WINDOWS: Final = (2**8, 2**16, 2**20)
_LIST_VALUE_BYTES: Final = 8

_DATA_PAGES: Final = (0, 3)
_DICTIONARY_PAGE: Final = 2
# Page type -> the field of the page's head that describes it, and the field of the encoding in there.
_DESCRIBED_IN: Final = {0: (5, 2), _DICTIONARY_PAGE: (7, 2), 3: (8, 4)}
_DELTA_BYTE_ARRAY: Final = 7
# Of values that are places in the dictionary.
_DICTIONARY_ENCODINGS: Final = (2, 8)


class _Page(NamedTuple):
    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int
    head_bytes: int


def check_pages(file: BinaryIO, layout: Layout, max_bytes: int) -> list[str]:
    """Return the paths of text columns that use a dictionary.

    Raises BatchError too_large or unsupported_format, and ValueError for what is no page.
    """
    pages = unpacked = 0
    dictionaries: dict[str, None] = {}
    for group in layout.groups:
        for leaf, chunk in zip(layout.leaves, group.chunks, strict=True):
            for page in _pages(file, chunk):
                _check_page(page, leaf)
                pages += 1
                unpacked += page.unpacked + (page.values * _LIST_VALUE_BYTES if leaf.repeated else 0)
                if pages > _MAX_PAGES or unpacked > max_bytes:
                    raise too_large(f"more than {_MAX_PAGES} pages or {max_bytes} bytes when unpacked")
                if page.kind == _DICTIONARY_PAGE and leaf.text:
                    dictionaries[leaf.path] = None
    return list(dictionaries)


def outgrows_dictionary(file: BinaryIO, chunk: Chunk) -> bool:
    """Tell whether a column's part begins with values from a dictionary and goes on without, as unique values do."""
    head, *data = _pages(file, chunk)
    places = [page.encoding in _DICTIONARY_ENCODINGS and page.values > 0 for page in data]
    return head.kind == _DICTIONARY_PAGE and places[:1] == [True] and not all(places)


def _pages(file: BinaryIO, chunk: Chunk) -> Iterator[_Page]:
    """Yield the pages that Arrow would read: from the chunk's start until all its values were seen."""
    at, seen = chunk.start, 0
    while at < chunk.end and seen < chunk.values:
        page = _page(file, at)
        yield page
        at += page.head_bytes + page.packed
        seen += page.values if page.kind in _DATA_PAGES else 0


def _page(file: BinaryIO, at: int) -> _Page:
    for window in _HEAD_WINDOWS:
        file.seek(at)
        try:
            return _page_head(CompactReader(file.read(window)))
        except IndexError:
            continue
    raise ValueError("the head of a page is cut off")


def _page_head(reader: CompactReader) -> _Page:
    # Type, unpacked and packed size; each is required.
    sizes = {1: -1, 2: -1, 3: -1}
    described: dict[int, dict[int, int]] = {}
    for field, kind in reader.fields():
        if field in sizes and kind in INTEGERS:
            sizes[field] = reader.integer()
        elif kind == STRUCT:
            described[field] = integers(reader, lambda inner: inner <= 4)
        else:
            reader.skip(kind)
    kind, unpacked, packed = sizes.values()
    place, encoding = _DESCRIBED_IN.get(kind, (0, 0))
    inner = described.get(place, {})
    return _Page(kind, unpacked, packed, inner.get(1, 0), inner.get(encoding, 0), reader.at)


def _check_page(page: _Page, leaf: Leaf) -> None:
    if min(page.kind, page.unpacked, page.packed, page.values) < 0:
        raise ValueError("a page has a negative size, or none")
    if page.unpacked > _MAX_PAGE_BYTES:
        raise too_large(f"a page of {page.unpacked} bytes when unpacked, over {_MAX_PAGE_BYTES}")
    if page.kind == _DICTIONARY_PAGE and page.values > page.unpacked:
        raise ValueError("a dictionary has more values than bytes")
    if page.encoding == _DELTA_BYTE_ARRAY and leaf.text:
        # Each value repeats the beginning of the one before, so a few kB may stand for many GiB of text.
        raise BatchError(
            "unsupported_format", "Text is encoded as DELTA_BYTE_ARRAY; write it plain or with a dictionary."
        )
