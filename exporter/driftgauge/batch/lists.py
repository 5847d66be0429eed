"""Lists as features: each place of short lists that are all as long becomes a column, like `embedding.0`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pyarrow.compute as pc

from driftgauge.batch.flattening import plain
from driftgauge.batch.rows import Rows, is_unusable

# Longer lists, such as most embeddings, are not read: their places are no features that anybody could name.
MAX_LIST: Final = 32


def spread(rows: Rows, wanted: Callable[[str], bool]) -> Rows:
    """Return the rows with the places of the wanted lists as columns."""
    columns = dict(rows.columns)
    for path, lists in rows.lists.items():
        count = length(lists)
        if 0 < count <= MAX_LIST and is_unusable(rows.columns[path]) and wanted(path):
            columns |= {f"{path}.{at}": plain(pc.list_element(lists, at)) for at in range(count)}
    return replace(rows, columns=columns) if len(columns) > len(rows.columns) else rows


def length(lists: Any) -> int:
    """Return how many places the lists have, 0 where they differ or there are none."""
    if lists is None:
        return 0
    found = pc.min_max(pc.list_value_length(lists)).as_py()
    return found["min"] if found["min"] is not None and found["min"] == found["max"] else 0
