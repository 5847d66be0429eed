"""Why columns were taken for what they were, told from what was decided when they were read.

Nothing is decided here: a `Block` is what `decoding` hands out while it reads, and the texts follow from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftgauge.batch.latency import unit_of
from driftgauge.batch.reasons import ReasonArray
from driftgauge.batch.roles import Paths, Roles, for_labels, is_index, spellings_of
from driftgauge.batch.rows import Rows, is_unusable
from driftgauge.batch.times import notation
from driftgauge.batch.values import without_missing
from driftgauge.columns import Columns
from driftgauge.schema import CLASS_SCORE_PREFIXES, FEATURE_PREFIXES, Kind

if TYPE_CHECKING:
    from driftgauge.config import ModelConfig

UNUSED: Final = "not used"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive rows of a file as they were read, and what was made of them.

    features: name -> its columns. shown: name -> the kind that its values here have, whatever the reference says.
    reasons: (n,) verdicts. columns: of all n rows, those that were rejected included.
    """

    rows: Rows
    roles: Roles
    features: Mapping[str, Paths]
    shown: Mapping[str, Kind]
    reasons: ReasonArray
    columns: Columns


@dataclass(frozen=True, slots=True)
class Use:
    """What a column is taken for: a role, `feature NAME`, `proba of CLASS` or `UNUSED`; why; and in which unit."""

    path: str
    role: str
    why: str
    unit: str = ""


def uses(block: Block, model: "ModelConfig", *, of_labels: bool = False) -> Iterator[Use]:
    """Yield what each column of a block is taken for, in the order of the file; objects are told by their leaves.

    of_labels: of a label file.
    """
    model = for_labels(model, block.rows) if of_labels else model
    features = {path: name for name, paths in block.features.items() for path in paths}
    for path, column in block.rows.columns.items():
        if not path or _is_object(path, block.rows):
            continue
        roles = list(_roles(path, column, block.roles, model))
        if path in features:
            roles.append(Use(path, f"feature {features[path]}", _why_feature(path, features[path], model)))
        yield from roles or [Use(path, UNUSED, _why_unused(path, column, block, model))]


def _roles(path: str, column: Any, roles: Roles, model: "ModelConfig") -> Iterator[Use]:
    for role, paths in roles.paths.items():
        if path in paths:
            why = _why_role(path, role, model)
            if path != paths[0]:
                why += f"; where {paths[0]} is empty"
            yield Use(path, role, why, _unit(role, path, column, model))
    for name, paths in roles.class_scores.items():
        if path in paths:
            yield Use(path, f"probability of class {name}", f"begins with {_prefix(path, CLASS_SCORE_PREFIXES)}")
    if any(path in part for part in roles.key) and not any(path in paths for paths in roles.paths.values()):
        yield Use(path, "join key", "labels.key")
    if path in roles.row_numbers:
        yield Use(path, "number of the row", "known name")


def _why_role(path: str, role: str, model: "ModelConfig") -> str:
    if model.columns.get(role) == path:
        own = model.labels is not None and model.labels.columns.get(role) == path
        return f"labels.columns.{role}" if own else f"columns.{role}"
    if path in spellings_of(role):
        return "known name"
    if _prefix(path, CLASS_SCORE_PREFIXES):
        return "probability of the positive class"
    return "the only number below outputs"


def _why_feature(path: str, name: str, model: "ModelConfig") -> str:
    prefix = _prefix(path, FEATURE_PREFIXES)
    if prefix:
        return f"below {prefix[:-1]}" if prefix.endswith(".") else f"begins with {prefix}"
    return "features.include" if name in model.features.names else "feature of the reference"


def _why_unused(path: str, column: Any, block: Block, model: "ModelConfig") -> str:
    prefix = _prefix(path, FEATURE_PREFIXES)
    name = path.removeprefix(prefix)
    if is_index(path):
        return "index of a data frame"
    if name in model.features.exclude:
        return "features.exclude"
    if is_unusable(column):
        return "lists, objects or bytes are not read"
    if derived := [each.name for each in model.features.derived if each.column in (path, name)]:
        return f"read as {', '.join(derived)}"
    return _why_no_feature(prefix, name, block, model)


def _why_no_feature(prefix: str, name: str, block: Block, model: "ModelConfig") -> str:
    if (prefix or name in model.features.names) and model.features.names:
        return "not in features.include"
    if prefix:
        return "dates, identifiers and JSON text are not compared"
    return "no known name, not below features or inputs" + ("" if block.features else "; see features.include")


def _unit(role: str, path: str, column: Any, model: "ModelConfig") -> str:
    if role == "timestamp":
        return notation(without_missing(column), model.timezone)
    return unit_of(column, path, model.latency_unit) if role == "latency" else ""


def _prefix(path: str, prefixes: tuple[str, ...]) -> str:
    name = path.removeprefix("outputs.")
    return next((prefix for prefix in prefixes if name.startswith(prefix) and name != prefix), "")


def _is_object(path: str, rows: Rows) -> bool:
    return any(other.startswith(f"{path}.") for other in rows.columns)
