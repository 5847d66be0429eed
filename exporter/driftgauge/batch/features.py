"""Features: which columns they are, whether each is numeric or categorical, and their values.

The kind of a feature must not change within a file, because counts of numbers and counts of categories do not add
up. So a kind comes, in this order, from the compiled reference, from `features.categorical`, from what earlier
blocks of the file showed, and only then from the block's own values.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from driftgauge.batch.roles import Paths, Roles, free_columns
from driftgauge.batch.rows import Rows, is_unusable
from driftgauge.batch.values import category_text, first_present, numbers
from driftgauge.columns import FloatArray, TextArray
from driftgauge.schema import FEATURE_PREFIXES, Kind

if TYPE_CHECKING:
    from driftgauge.config import ModelConfig


_NUMERIC: Final = (pa.types.is_integer, pa.types.is_floating, pa.types.is_duration)


class FeatureReader:
    """Reads the features of one file, block by block.

    `kinds` are those of the compiled reference, None without one. `plain_table`: a file without any feature object or
    prefix consists of features (a training table, such as a reference).
    """

    def __init__(self, model: "ModelConfig", kinds: Mapping[str, Kind] | None, *, plain_table: bool) -> None:
        self._include = model.features.include
        self._exclude = frozenset(model.features.exclude)
        self._known: dict[str, Kind] = {**dict.fromkeys(model.features.categorical, "categorical"), **(kinds or {})}
        self._flat_names = frozenset(self._include) | frozenset(kinds or ())
        self._plain_table = plain_table

    def survey(self, rows: Rows, roles: Roles) -> Iterator[tuple[str, Kind]]:
        """Yield the features of a block whose kind follows from its values, with that kind."""
        for name, paths in self._paths(rows, roles).items():
            kind = _shown_kind(rows, paths)
            if kind is not None:
                yield name, kind

    def explained(self, rows: Rows, roles: Roles) -> tuple[dict[str, Paths], dict[str, Kind]]:
        """Return the columns of each feature of a block, and the kinds that follow from their values."""
        return self._paths(rows, roles), dict(self.survey(rows, roles))

    def read(self, rows: Rows, roles: Roles) -> tuple[dict[str, FloatArray], dict[str, TextArray]]:
        """Return the numeric and the categorical features of a block as in `Columns`.

        A feature without any value so far is numeric until one comes.
        """
        found: dict[str, FloatArray] = {}
        categories: dict[str, TextArray] = {}
        for name, paths in self._paths(rows, roles).items():
            column = first_present(rows, paths) if len(paths) > 1 else rows.columns[paths[0]]
            if self._kind(name, rows, paths) == "categorical":
                categories[name] = category_text(column)
            else:
                found[name] = numbers(column).values
        return found, categories

    def _kind(self, name: str, rows: Rows, paths: Paths) -> Kind | None:
        if name not in self._known:
            shown = _shown_kind(rows, paths)
            if shown is None:
                return None
            self._known[name] = shown
        return self._known[name]

    def _paths(self, rows: Rows, roles: Roles) -> dict[str, Paths]:
        """Map feature names to their columns: prefixed ones first, then flat columns that are known to be features."""
        paths: dict[str, Paths] = {}
        for path, column in rows.columns.items():
            prefix = next((p for p in FEATURE_PREFIXES if path.startswith(p) and path != p), None)
            if prefix is not None and not is_unusable(column):
                name = path.removeprefix(prefix)
                paths[name] = (*paths.get(name, ()), path)
        everything = self._plain_table and not paths
        for name in free_columns(rows, roles):
            if (everything or name in self._flat_names) and not is_unusable(rows.columns[name]):
                paths[name] = (*paths.get(name, ()), name)
        return {name: found for name, found in paths.items() if self._wanted(name)}

    def _wanted(self, name: str) -> bool:
        return name not in self._exclude and (not self._include or name in self._include)


def _shown_kind(rows: Rows, paths: Paths) -> Kind | None:
    """Return the kind of the values: categorical if one of the columns has values other than numbers."""
    shown = {_column_kind(rows, path) for path in paths}
    return "categorical" if "categorical" in shown else "numeric" if "numeric" in shown else None


def _column_kind(rows: Rows, path: str) -> Kind | None:
    column = rows.columns[path]
    if column.null_count == len(column):
        return None
    if any(check(column.type) for check in _NUMERIC) or path in rows.numeric_text:
        return "numeric"
    if not (rows.untyped and pa.types.is_string(column.type)):
        return "categorical"
    values, bad = numbers(column)
    if bad.any():
        return "categorical"
    return None if np.isnan(values).all() else "numeric"
