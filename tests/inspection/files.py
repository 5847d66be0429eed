"""What the tests of inspections share: rows as files, and what is found in them."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from batch.samples import DEFAULT_TIME, a_model
from driftgauge.inspection.facts import Facts
from driftgauge.inspection.looking import Job, look
from driftgauge.openers import InMemory

Row = Mapping[str, Any]


def lines(rows: Sequence[Row]) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(**columns: Any) -> bytes:
    """Return columns as a Parquet file."""
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), out)
    return out.getvalue()


def facts(data: bytes | Sequence[Row], name: str = "p.jsonl", *, role: Any = "predictions", **settings: Any) -> Facts:
    """Return what is found in a file; `kinds` are the reference's, all other settings the model's."""
    job = Job(
        opener=InMemory(data if isinstance(data, bytes) else lines(data)),
        name=name,
        role=role,
        kinds=settings.pop("kinds", None),
        model=a_model(**settings),
        time=DEFAULT_TIME,
        version=None,
        max_bytes=2**20,
        latest=2**62,
    )
    return look(None, job)
