"""Which column plays which role: the spellings of `schema`, or what `columns:` in the configuration says.

A role can have several columns, because serving code may change its spelling within a file: row by row the first
one with a value wins. Paths only; what the values mean is decided elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from driftgauge.batch.rows import Rows
from driftgauge.batch.values import category_text, numbers
from driftgauge.schema import (
    CLASS_SCORE_PREFIXES,
    FEATURE_OBJECTS,
    FEATURE_PREFIXES,
    OUTPUT_OBJECT,
    POSITIVE_WORDS,
    ROW_NUMBERS,
    SPELLINGS,
)

if TYPE_CHECKING:
    from driftgauge.config import ModelConfig

REQUEST_ID: Final = "request_id"
TIMESTAMP: Final = "timestamp"
_OUTPUTS: Final = f"{OUTPUT_OBJECT}."
_OUTPUT_ROLES: Final = ("prediction", "score")
# Index columns that data frames leave in files; they are not data.
_INDEX_PREFIXES: Final = ("__index_level_", "Unnamed: ")


_UNDERSCORE: Final = "feature_"

# Columns in order: row by row, the first one that has a value wins.
Paths = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Paths of one block by role.

    paths: role -> its columns. class_scores: class -> the columns of its probability. key: for each part of the
    join key, its columns; key_times: for each, whether it is a time. row_numbers: columns that number the rows; they
    may be features as well.
    """

    paths: Mapping[str, Paths]
    class_scores: Mapping[str, Paths]
    key: tuple[Paths, ...]
    key_times: tuple[bool, ...] = (False,)
    row_numbers: Paths = ()

    def claimed(self) -> frozenset[str]:
        """Return every path that plays a role, and therefore is no feature."""
        return frozenset(
            path for group in (*self.paths.values(), *self.class_scores.values(), *self.key) for path in group
        )


def resolve(rows: Rows, model: "ModelConfig") -> Roles:
    """Find the columns of every role in one block; of a label file, `model` is what `for_labels` returned."""
    paths = {role: tuple(_spelled(role, rows, model)) for role in SPELLINGS}
    taken = {path for group in paths.values() for path in group}
    class_scores = _class_scores(rows, taken | set(model.features.names))
    role, implied = _implied(rows, model, class_scores, taken)
    paths[role] += implied
    key = _key(model)
    return Roles(
        paths,
        class_scores,
        tuple(_key_part(name, rows, paths) for name in key),
        tuple(name in (*SPELLINGS[TIMESTAMP], model.columns.get(TIMESTAMP)) for name in key),
        tuple(name for name in ROW_NUMBERS if name in rows.columns and name not in taken and name not in key),
    )


def for_labels(model: "ModelConfig", rows: Rows) -> "ModelConfig":
    """Return the model as its label files are read: `labels.columns` maps them, if written, and nothing else does.

    Otherwise what `columns` maps and the file has counts, and the usual spellings for what it does not have.
    """
    own = model.labels.columns if model.labels else {}
    columns = own or {role: path for role, path in model.columns.items() if path in rows.columns}
    return model if columns == model.columns else model.model_copy(update={"columns": columns})


def free_columns(rows: Rows, roles: Roles, included: frozenset[str] = frozenset()) -> list[str]:
    """Return the columns that play no role and carry no feature prefix: what a plain training table is made of.

    `included` are features in any case, besides the role that they may have.
    """
    claimed = roles.claimed() - included
    return [
        path
        for path in rows.columns
        if path
        and path not in FEATURE_OBJECTS
        and path != OUTPUT_OBJECT
        and not path.startswith((*_INDEX_PREFIXES, _OUTPUTS))
        and not is_prefixed(path)
        and claimed.isdisjoint(_with_ancestors(path))
    ]


def is_prefixed(path: str) -> bool:
    """Tell whether a column is a feature by its prefix; `feature_0` is the whole name of a feature and has none."""
    return path.startswith(FEATURE_PREFIXES) and not is_numbered(path)


def is_numbered(path: str) -> bool:
    """Tell whether a column is one of `feature_0`, `feature_1` and so on."""
    return path.startswith(_UNDERSCORE) and path.removeprefix(_UNDERSCORE).isdecimal()


def spellings_of(role: str) -> tuple[str, ...]:
    """Return the columns that a role is looked for in, those below `outputs` included, in order."""
    if role in _OUTPUT_ROLES:
        below = (f"{_OUTPUTS}{name}" for name in SPELLINGS[role] if not name.startswith(OUTPUT_OBJECT))
        return tuple(dict.fromkeys((*SPELLINGS[role], *below)))
    return SPELLINGS[role]


def is_index(path: str) -> bool:
    """Tell whether a column is an index that a data frame left in the file."""
    return path.startswith(_INDEX_PREFIXES)


def _spelled(role: str, rows: Rows, model: "ModelConfig") -> Iterator[str]:
    mapped = model.columns.get(role)
    names = spellings_of(role) if mapped is None else (mapped,)
    mapped_elsewhere = {path for other, path in model.columns.items() if other != role}
    if mapped is None:
        # What the configuration calls a feature has no role by its name.
        mapped_elsewhere.update(model.features.names)
    return (
        name
        for name in dict.fromkeys(names)
        if name in rows.columns and name not in mapped_elsewhere and (name != OUTPUT_OBJECT or _is_plain(name, rows))
    )


def _is_plain(path: str, rows: Rows) -> bool:
    """Tell whether a column holds values of its own and not the objects whose leaves are columns as well."""
    return not any(other.startswith(f"{path}.") for other in rows.columns)


def _class_scores(rows: Rows, taken: set[str]) -> dict[str, Paths]:
    found: dict[str, Paths] = {}
    for path in rows.columns:
        name = path.removeprefix(_OUTPUTS)
        prefix = next((prefix for prefix in CLASS_SCORE_PREFIXES if name.startswith(prefix) and name != prefix), None)
        if prefix is not None and path not in taken:
            class_name = _class_name(name.removeprefix(prefix))
            found[class_name] = (*found.get(class_name, ()), path)
    return found


def _class_name(written: str) -> str:
    """Return the class in a column's name, spelled like the same class in a column's values."""
    text: str | None = category_text(pa.array([written]))[0].as_py()
    return text or written


def _implied(rows: Rows, model: "ModelConfig", class_scores: Mapping[str, Paths], taken: set[str]) -> tuple[str, Paths]:
    """Find outputs that are the score (binary) or the prediction (regression) without a known spelling."""
    role = "score" if model.task == "binary" else "prediction"
    if role in model.columns or model.task == "multiclass":
        return role, ()
    if role == "prediction":
        return role, _sole_output(rows, taken)
    probabilities = {path for paths in class_scores.values() for path in paths}
    return role, _positive_scores(class_scores, model.positive_class) or _sole_output(rows, taken | probabilities)


def _positive_scores(class_scores: Mapping[str, Paths], positive: str | None) -> Paths:
    """Of two class probabilities return that of the positive class; of one, that one, whatever its name."""
    if len(class_scores) == 1:
        return next(iter(class_scores.values()))
    if positive is not None and _class_name(positive) in class_scores:
        return class_scores[_class_name(positive)]
    return next((paths for name, paths in class_scores.items() if name.lower() in POSITIVE_WORDS), ())


def _sole_output(rows: Rows, taken: set[str]) -> Paths:
    outputs = [path for path in rows.columns if path.startswith(_OUTPUTS) and path not in taken]
    found = tuple(path for path in outputs if _holds_numbers(rows, path))
    return found if len(found) == 1 else ()


def _holds_numbers(rows: Rows, path: str) -> bool:
    column = rows.columns[path]
    if pa.types.is_string(column.type):
        return path in rows.numeric_text or (rows.untyped and not numbers(column).bad.any())
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _key(model: "ModelConfig") -> tuple[str, ...]:
    return model.labels.key if model.labels is not None else (REQUEST_ID,)


def _key_part(name: str, rows: Rows, paths: Mapping[str, Paths]) -> Paths:
    if name in (REQUEST_ID, TIMESTAMP) and paths[name]:
        return paths[name]
    if name == REQUEST_ID:
        return ()
    spellings = (name, *(f"{prefix}{name}" for prefix in FEATURE_PREFIXES))
    return tuple(path for path in spellings if path in rows.columns)


def _with_ancestors(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[: end + 1]) for end in range(len(parts)))
