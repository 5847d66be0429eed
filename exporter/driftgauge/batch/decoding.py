"""From the bytes of one file to `Columns`, a chunk at a time; and the survey of a whole reference before it is read."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

from driftgauge.batch.blocks import BlockDecoder
from driftgauge.batch.explanation import Block
from driftgauge.batch.features import FeatureReader
from driftgauge.batch.formats import read_rows
from driftgauge.batch.kinds import Shown
from driftgauge.batch.objects import unpacked
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import for_labels, resolve
from driftgauge.batch.rows import Rows
from driftgauge.batch.shape import Role, Shape
from driftgauge.columns import Columns
from driftgauge.errors import BatchError
from driftgauge.schema import ReadAs

if TYPE_CHECKING:
    from driftgauge.config import ModelConfig

# The most rows in one chunk, which bounds the memory of everything after this.
CHUNK_ROWS: Final = 2**17
# What Spark and Dask call the files of a folder: a partition without rows is one of them, with or without bytes.
_PART: Final = re.compile(r"(?:^|/)part[-.]\d+[^/]*$")


def decode(  # noqa: PLR0913 - all but one by keyword: they are what a caller has to decide
    file: BinaryIO,
    *,
    name: str,
    role: Role,
    model: "ModelConfig",
    default_time: int,
    default_version: str,
    kinds: Mapping[str, ReadAs] | None,
    skip: int = 0,
    max_bytes: int,
    latest: int | None = None,
    watch: Callable[[Block], None] | None = None,
) -> Iterator[Columns]:
    """Yield the usable rows of a seekable binary file, at most `CHUNK_ROWS` at a time.

    name: the artifact's path; its suffix says the format. default_time (microseconds since 1970) and
    default_version replace missing ones. kinds: feature -> how the compiled reference reads it, or None.
    skip: rows at the start that were consumed before; they appear nowhere in the result. The sum of `rows_read`
    over the chunks is the number of rows in the file minus `skip`. max_bytes bounds what compressed and
    Parquet files unpack to, and the number of values (rows times columns) in any file.

    What each role needs: `predictions` a prediction, score, class scores or an error; `labels` a key and a label;
    `reference` nothing (its times are all `default_time`, and a file without feature objects or prefixes consists
    of features).

    latest: the last time (µs) that the caller will accept; rows after it are in the result, and a note says so.
    watch: gets each block as it is read and what was decided about it, of a file of another shape as well.

    A Parquet file without rows, or a part of a folder, gives one chunk without rows: nothing is missing in it.
    A file without any column that makes predictions or labels of its rows is of another shape: none of them counts.

    Raises BatchError with one of `FILE_REASONS`, possibly after chunks that were fine.
    """

    def blocks(start: int) -> Iterator[Rows]:
        return map(unpacked, _unless_empty_part(read_rows(file, name=name, skip=start, max_bytes=max_bytes), name))

    if role == "reference" and kinds is None:
        kinds = _surveyed(blocks(0), model)
    decoder = BlockDecoder(
        model, role, kinds, default_time=default_time, default_version=default_version, latest=latest, watch=watch
    )
    pieces = (piece for rows in blocks(skip) for piece in rows.pieces(CHUNK_ROWS))
    yield from _decoded(pieces, decoder, model, shape=Shape(name, role, known=skip > 0), name=name)


def survey(files: Iterable[tuple[BinaryIO, str]], *, model: "ModelConfig", max_bytes: int) -> dict[str, ReadAs]:
    """Return how the features of a reference are read that is several files, each with its name; see `decode`."""
    every = (_unless_empty_part(read_rows(file, name=name, skip=0, max_bytes=max_bytes), name) for file, name in files)
    return _surveyed(map(unpacked, chain.from_iterable(every)), model)


def _decoded(
    pieces: Iterator[Rows], decoder: BlockDecoder, model: "ModelConfig", *, shape: Shape, name: str
) -> Iterator[Columns]:
    """Yield the usable rows of each piece, once the file has turned out to be of a shape that fits its role."""
    withheld: list[Columns] = []
    count = 0
    for piece in map(decoder.features.spread, pieces):
        count += 1
        roles = resolve(piece, for_labels(model, piece) if shape.role == "labels" else model)
        shape.watch(piece, roles)
        withheld.append(decoder.columns(piece, roles))
        if shape.fits:
            yield from withheld
            withheld.clear()
    shape.check()
    yield from withheld
    if not count and _is_complete_without_rows(name):
        nothing = Rows({}, all_fine(0))
        yield decoder.columns(nothing, resolve(nothing, model))


def _unless_empty_part(blocks: Iterator[Rows], name: str) -> Iterator[Rows]:
    """Pass blocks on; a part of a folder that has no bytes is one whose partition had no rows."""
    try:
        yield from blocks
    except BatchError as error:
        if error.reason != "empty_file" or not _PART.search(name):
            raise


def _is_complete_without_rows(name: str) -> bool:
    return name.lower().endswith(".parquet") or _PART.search(name) is not None


def _surveyed(blocks: Iterator[Rows], model: "ModelConfig") -> dict[str, ReadAs]:
    """Read a whole reference for how its features are read: most of all values decide."""
    features = FeatureReader(model, None, plain_table=True)
    shown: dict[str, Shown] = {}
    for block in blocks:
        rows = features.spread(block)
        for name, found in features.survey(rows, resolve(rows, model)):
            shown[name] = shown.get(name, Shown()) + found
    readings = {name: found.reading(chosen=name in model.features.categorical) for name, found in shown.items()}
    return {name: reading for name, reading in readings.items() if reading is not None}
