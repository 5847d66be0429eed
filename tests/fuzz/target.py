"""One fuzzed input: which file it stands for, and what has to hold whatever its bytes are.

The first byte chooses a name, a role and a task from the tables below; the rest is the file's content.
"""

import io
from typing import Any, Final

from driftgauge.batch import FILE_REASONS, ROW_REASONS, decode
from driftgauge.config import ModelConfig
from driftgauge.errors import BatchError

NAMES: Final = ("a.parquet", "a.jsonl", "a.json", "a.csv", "a.jsonl.gz")
ROLES: Final = ("predictions", "labels", "reference")
TASKS: Final = ("binary", "multiclass", "regression")
VARIANTS: Final = len(NAMES) * len(ROLES) * len(TASKS)
# Small, so that refusing a bomb is quick; the bounds grow with it.
MAX_BYTES: Final = 8 * 2**20

_MODELS: Final = {
    task: ModelConfig.model_validate({"name": "m", "task": task, "predictions": {"experiment": "/m"}}) for task in TASKS
}


def variant(data: bytes) -> tuple[str, Any, Any]:
    """Return the name, role and task that an input chooses."""
    at = data[0] % VARIANTS if data else 0
    role, task = divmod(at // len(NAMES), len(TASKS))
    return NAMES[at % len(NAMES)], ROLES[role], TASKS[task]


def choice(name: str, *, role: int = 0, task: int = 0) -> bytes:
    """Return the first byte that chooses this name, and role and task by their position in the tables."""
    return bytes([NAMES.index(name) + len(NAMES) * (role * len(TASKS) + task)])


def check(data: bytes) -> None:
    """Decode an input: every row counts once, and nothing but a BatchError for a foreseen reason comes out."""
    name, role, task = variant(data)
    chunks = decode(
        io.BytesIO(data[1:]),
        name=name,
        role=role,
        model=_MODELS[task],
        default_time=0,
        default_version="unknown",
        kinds=None,
        max_bytes=MAX_BYTES,
    )
    try:
        for columns in chunks:
            if len(columns) + sum(columns.rejected.values()) != columns.rows_read:
                raise AssertionError("rows were lost or counted twice")
            if not set(columns.rejected) <= set(ROW_REASONS):
                raise AssertionError(f"unforeseen reasons: {sorted(columns.rejected)}")
    except MemoryError:
        # A damaged page of Parquet asks for up to 2 GiB, and a worker sets the file aside as `out_of_memory`.
        if name != "a.parquet":
            raise
    except BatchError as error:
        if error.reason not in FILE_REASONS or isinstance(error.__cause__, MemoryError):
            raise AssertionError(f"{error.reason}: {error}") from error
