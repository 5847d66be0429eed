"""Features: which columns they are, how each is read, and their values.

How a feature is read must not change within a file, because counts of numbers and counts of categories do not add up.
So it comes, in this order, from the compiled reference, from `features.categorical`, from what earlier blocks of the
file showed, and only then from the block's own values. What is not read is noted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftgauge.batch import cells, remarks
from driftgauge.batch.derived import moments_as
from driftgauge.batch.kinds import Shown, kind_of, shown, total
from driftgauge.batch.lists import length, spread
from driftgauge.batch.remainders import OF_FEATURES, is_biased
from driftgauge.batch.roles import Paths, Roles, free_columns, is_numbered
from driftgauge.batch.rows import Rows, is_unusable
from driftgauge.batch.values import first_present
from driftgauge.columns import FloatArray, Note, TextArray
from driftgauge.schema import FEATURE_OBJECTS, FEATURE_PREFIXES, OUTPUT_OBJECT, SPELLINGS, Kind, ReadAs

if TYPE_CHECKING:
    from driftgauge.config import Derived, ModelConfig

_UNDERSCORE: Final = "feature_"
_DOUBLE: Final = 64
# What these show decides how a feature is read, unless a reference does; to look at all rows takes longer than to read.
_FIRST_ROWS: Final = 8192
_TRUTH: Final = ("flag", "boolean")
_ROLE_NAMES: Final = frozenset(name for names in SPELLINGS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Found:
    """The features of a block: numbers (n,), NaN where missing, and categories (n,), null where missing, by name.

    precision: bits of numeric features that were written with fewer than a double has. notes: what is not read of them.
    """

    numbers: dict[str, FloatArray] = field(default_factory=dict)
    categories: dict[str, TextArray] = field(default_factory=dict)
    precision: dict[str, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


class FeatureReader:
    """Reads the features of one file, block by block.

    `readings` are those of the compiled reference, None without one. `plain_table`: a file without any feature object
    or prefix consists of features (a training table, such as a reference).
    """

    def __init__(self, model: "ModelConfig", readings: Mapping[str, ReadAs] | None, *, plain_table: bool) -> None:
        self._model = model
        self._include = frozenset(model.features.names)
        self._exclude = frozenset(model.features.exclude)
        self._derived: tuple[Derived, ...] = model.features.derived
        self._derived_from = frozenset(derived.column for derived in self._derived)
        forced: Mapping[str, ReadAs] = dict.fromkeys(model.features.categorical, "categorical")
        self._readings: dict[str, ReadAs] = {**forced, **(readings or {})}
        self._reference = frozenset(readings or ())
        self._flat_names = self._include | self._reference
        self._plain_table = plain_table
        self._biased: set[str] = set()

    @property
    def readings(self) -> dict[str, ReadAs]:
        """How each feature is read that had values so far."""
        return dict(self._readings)

    def spread(self, rows: Rows) -> Rows:
        """Return the rows with the short lists of features as a column for each place: `embedding.0` and so on."""
        return spread(rows, self._may_be_feature) if rows.lists else rows

    def survey(self, rows: Rows, roles: Roles) -> Iterator[tuple[str, Shown]]:
        """Yield what the values of each feature of a block look like."""
        for name, paths in self._paths(rows, roles).items():
            yield name, _shown(rows, paths)

    def explained(self, rows: Rows, roles: Roles) -> tuple[dict[str, Paths], dict[str, Kind]]:
        """Return the columns of each feature of a block that was read, and the kinds that follow from their values."""
        paths = self._paths(rows, roles)
        kinds = {name: kind_of(self._alike(name, _shown(rows, found).reading())) for name, found in paths.items()}
        read = {name: found for name, found in paths.items() if self._readings.get(name) != "left_out"}
        return read, {name: kind for name, kind in kinds.items() if kind is not None}

    def _alike(self, name: str, shown: ReadAs | None) -> ReadAs | None:
        """Return what values show, or how they are read where that is the same: booleans and flags are each other."""
        known = self._readings.get(name)
        return known if shown in _TRUTH and known in _TRUTH else shown

    def in_roles(self, rows: Rows, roles: Roles) -> dict[str, str]:
        """Return the columns of a plain table that play a role: live rows may have them as features."""
        if not self._is_plain(rows):
            return {}
        played = [(path, "key") for part in roles.key for path in part]
        played += [(path, "score") for paths in roles.class_scores.values() for path in paths]
        played += [(path, role) for role, paths in roles.paths.items() for path in paths]
        mapped = set(self._model.columns.values())
        return {path: role for path, role in played if path not in mapped and not is_unusable(rows.columns[path])}

    def read(self, rows: Rows, roles: Roles, time: FloatArray) -> Found:
        """Return the features of a block; time: (n,) µs, NaN where not known, up to which ages are counted.

        A feature without any value so far is numeric until one comes.
        """
        found = Found(notes=list(self._not_read(rows)))
        silent = self.in_roles(rows, roles)
        for name, paths in self._paths(rows, roles).items():
            self._read_one(name, paths, rows, found, silent=name in silent)
        for derived in self._derived:
            self._derive(derived, rows, time, found)
        return found

    def _paths(self, rows: Rows, roles: Roles) -> dict[str, Paths]:
        """Map feature names to their columns: prefixed ones first, then flat columns that are known to be features.

        Last come those of a plain table that play a role.
        """
        paths: dict[str, Paths] = {}

        def add(name: str, path: str) -> None:
            if not is_unusable(rows.columns[path]) and self._wanted(name):
                paths[name] = (*paths.get(name, ()), path)

        for path in rows.columns:
            prefix = _prefix(path)
            if prefix:
                add(self._known(path.removeprefix(prefix)), path)
        everything = self._is_plain(rows)
        for path in free_columns(rows, roles, self._include):
            name = self._known(path)
            if everything or name in self._flat_names or is_numbered(path):
                add(name, path)
        for path in self.in_roles(rows, roles):
            if path not in paths:
                add(path, path)
        return paths

    def _is_plain(self, rows: Rows) -> bool:
        return self._plain_table and not any(_prefix(path) for path in rows.columns)

    def _may_be_feature(self, path: str) -> bool:
        if _prefix(path) or path in FEATURE_OBJECTS or is_numbered(path):
            return True
        is_output = path in _ROLE_NAMES or path.partition(".")[0] == OUTPUT_OBJECT
        known = self._plain_table or f"{path}.0" in self._reference or path in self._include
        return known and not is_output and path not in self._model.columns.values()

    def _known(self, name: str) -> str:
        """Return the name that the reference has for a feature, which it may call with the prefix or without."""
        if self._reference and name not in self._reference:
            for other in (f"{_UNDERSCORE}{name}", name.removeprefix(_UNDERSCORE)):
                if other in self._reference:
                    return other
        return name

    def _wanted(self, name: str) -> bool:
        names = {name, name.partition(".")[0], f"{_UNDERSCORE}{name}", name.removeprefix(_UNDERSCORE)}
        return self._exclude.isdisjoint(names) and (not self._include or not self._include.isdisjoint(names))

    def _read_one(self, name: str, paths: Paths, rows: Rows, found: Found, *, silent: bool) -> None:
        column = first_present(rows, paths) if len(paths) > 1 else rows.columns[paths[0]]
        bits, reading, note = _bits(rows, paths), self._reading(name, rows, paths), None
        if reading == "left_out":
            if self._derived_from.isdisjoint({name, *paths}):
                note = remarks.left_out(paths[0], column, _shown(rows, paths))
        elif reading == "categorical":
            found.categories[name] = cells.read_categories(column, bits=bits, untyped=rows.untyped)
        elif reading == "boolean":
            found.categories[name] = cells.read_booleans(column, bits=bits)
        else:
            found.numbers[name], bad = cells.read_numbers(column, flag=reading == "flag")
            if name in self._biased or (bad.any() and is_biased([column], bad, OF_FEATURES)):
                self._biased.add(name)
                found.numbers[name] = np.full(len(rows), np.nan)
            note = remarks.unreadable(paths[0], column, bad, none_counts=name in self._biased)
            if bits < _DOUBLE:
                found.precision[name] = bits
        if note is not None and not silent:
            found.notes.append(note)

    def _reading(self, name: str, rows: Rows, paths: Paths) -> ReadAs | None:
        if name not in self._readings:
            first = rows if len(rows) <= _FIRST_ROWS else rows.slice(0, _FIRST_ROWS)
            reading = _shown(first, paths).reading() or _shown(rows, paths).reading()
            if reading is None:
                return None
            self._readings[name] = reading
        return self._readings[name]

    def _derive(self, derived: "Derived", rows: Rows, time: FloatArray, found: Found) -> None:
        spellings = (derived.column, *(f"{prefix}{derived.column}" for prefix in FEATURE_PREFIXES))
        paths = tuple(path for path in spellings if path in rows.columns and not is_unusable(rows.columns[path]))
        if not paths:
            return
        column = first_present(rows, paths)
        found.numbers[derived.name], bad = moments_as(column, derived.unit, time=time, zone=self._model.timezone)
        note = remarks.no_date(paths[0], column, bad)
        if note is None and derived.unit == "age_days" and len(time) and np.isnan(time).all():
            note = remarks.no_time(paths[0], column, derived.name)
        if note is not None:
            found.notes.append(note)

    def _not_read(self, rows: Rows) -> Iterator[Note]:
        """Yield what is below the feature objects, or begins with a prefix, and has no reading."""
        for path, column in rows.columns.items():
            name = path.removeprefix(_prefix(path))
            if not self._may_be_feature(path) or column.null_count == len(column) or not self._wanted(name):
                continue
            is_object = any(other.startswith(f"{path}.") for other in rows.columns) if is_unusable(column) else False
            if path in FEATURE_OBJECTS and not is_unusable(column):
                yield remarks.no_object(path, column)
            elif is_unusable(column) and not is_object:
                yield remarks.not_read(path, length(rows.lists.get(path)))


def _prefix(path: str) -> str:
    """Return the prefix by which a column is a feature; `feature_0` is a name and has none."""
    if is_numbered(path):
        return ""
    return next((prefix for prefix in FEATURE_PREFIXES if path.startswith(prefix) and path != prefix), "")


def _shown(rows: Rows, paths: Paths) -> Shown:
    return total(shown(rows.columns[path], untyped=rows.untyped or path in rows.numeric_text) for path in paths)


def _bits(rows: Rows, paths: Paths) -> int:
    """Return the bits of the least precise of the columns; what lists and maps hold has those of their whole."""
    if not rows.precision:
        return _DOUBLE
    found = (rows.precision.get(path, rows.precision.get(path.rpartition(".")[0], _DOUBLE)) for path in paths)
    return min(found)


def unused(rows: Rows, roles: Roles) -> list[tuple[str, Any]]:
    """Return the flat columns with values that play no role, with these."""
    found = ((path, rows.columns[path]) for path in free_columns(rows, roles) if "." not in path)
    return [(path, column) for path, column in found if column.null_count < len(column)]
