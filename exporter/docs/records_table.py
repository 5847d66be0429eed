# noqa: INP001 - it lies beside the script that it is a part of
"""The table of records.md: every role, spelling, unit and platform format, from the tables that decoding goes by.

What a platform's record is read as is found out by reading one.
"""

import io
import json
from collections.abc import Iterator
from typing import Any, Final

from driftgauge.batch import decode
from driftgauge.batch.explanation import UNUSED, Block, uses
from driftgauge.batch.roles import spellings_of
from driftgauge.batch.times import FIRST_NUMBER, MICROS, MILLIS, NANOS
from driftgauge.config import ModelConfig
from driftgauge.errors import BatchError
from driftgauge.patterns import DATA_SUFFIXES
from driftgauge.schema import (
    CLASS_SCORE_PREFIXES,
    FEATURE_PREFIXES,
    LATENCY_UNITS,
    MISSING_WORDS,
    NEGATIVE_WORDS,
    NO_CLASS_WORDS,
    NO_KEY_WORDS,
    POSITIVE_WORDS,
    ROW_NUMBERS,
    SPELLINGS,
)

BEGIN: Final = "<!-- table:"
END: Final = "<!-- end of table -->"

_READ_AS: Final = {
    "request_id": "the key that labels are joined by, unless `labels.key` names others",
    "timestamp": "the time of the row, of a label row that of the label",
    "version": "the model version; without one the run's tag or param `model_version`. An alias, a stage or `latest` "
    "of the registry is the number that it means when the row is read",
    "prediction": "a class, a value, or in a binary model a score",
    "score": "the probability of the positive class; also any single number below `outputs`",
    "label": "the ground truth",
    "latency": "the time that the request took, in the unit of its name",
    "error": "anything but empty, zero and false: the request failed",
}
_TIME: Final = 1_767_607_200_000
_RECORD: Final = {"request_id": "r-001", "timestamp": "2026-01-05T10:30:00Z", "model_version": "3"}
# Whose format it is, the file's name, and a record as it is written.
_PLATFORMS: Final[tuple[tuple[str, str, Any], ...]] = (
    ("`driftgauge.client`", "p.jsonl", {**_RECORD, "features": {"age": 35}, "prediction": 0.75, "latency_ms": 8.1}),
    ("MLflow `log_table`", "p.json", {"columns": ["id", "inputs.age", "prediction"], "data": [["r-001", 35, 1]]}),
    (
        "MLflow evaluation",
        "p.json",
        {"columns": ["inputs", "outputs", "targets"], "data": [[{"age": 35}, 0.75, 1], [{"age": 36}, 0.25, 0]]},
    ),
    (
        "Databricks inference table, unpacked",
        "p.jsonl",
        {
            "databricks_request_id": "d1",
            "timestamp_ms": _TIME,
            "execution_time_ms": 5,
            "feature_age": 3,
            "prediction": 1,
        },
    ),
    (
        "Databricks inference table, raw",
        "p.jsonl",
        {
            "databricks_request_id": "d1",
            "timestamp_ms": _TIME,
            "request": json.dumps({"dataframe_records": [{"age": 35}]}),
            "response": json.dumps({"predictions": [1]}),
        },
    ),
    (
        "KServe payload logger",
        "p.jsonl",
        {"specversion": "1.0", "id": "k1", "time": "2026-01-05T10:30:00Z", "data": {"predictions": [1]}},
    ),
)


def with_table(text: str) -> str:
    """Return a page with the table between its two marks."""
    before, mark, rest = text.partition(BEGIN)
    comment, _, _ = rest.partition("\n")
    return f"{before}{mark}{comment}\n{table()}{END}{text.partition(END)[2]}"


def table() -> str:
    """Return the table as Markdown."""
    rows = (*_roles(), *_units(), *_values(), *_platforms(), *_files())
    return "".join(f"| {' | '.join(row)} |\n" for row in (("what", "written as", "read as"), ("---",) * 3, *rows))


def _roles() -> Iterator[tuple[str, str, str]]:
    for role in SPELLINGS:
        yield f"`{role}`", _quoted(spellings_of(role)), _READ_AS[role]
    yield "features", _quoted(f"{prefix}…" for prefix in FEATURE_PREFIXES), "the feature of the rest of the name"
    yield "probabilities", _quoted(f"{prefix}…" for prefix in CLASS_SCORE_PREFIXES), "that of the class in the name"
    yield "row numbers", _quoted(ROW_NUMBERS), "which row of a request it is, where rows share a key"


def _units() -> Iterator[tuple[str, str, str]]:
    words: dict[float, list[str]] = {}
    for word, seconds in LATENCY_UNITS.items():
        words.setdefault(seconds, []).append(word)
    for seconds, names in words.items():
        yield "unit of a latency", f"last word of the name: {_quoted(names)}", f"times {seconds:g} s"
    sizes = (FIRST_NUMBER, MILLIS, MICROS, NANOS, None)
    for unit, low, high in zip(("s", "ms", "µs", "ns"), sizes, sizes[1:], strict=False):
        size = f"{low:.0e} and more" if high is None else f"{low:.0e} up to {high:.0e}"
        yield "unit of a time", f"a number of {size.replace('e+', 'e')}", f"{unit} since 1970"


def _values() -> Iterator[tuple[str, str, str]]:
    yield "binary class 1", f"{_quoted(sorted(POSITIVE_WORDS))}, in any letters", "`1`"
    yield "binary class 0", f"{_quoted(sorted(NEGATIVE_WORDS))} in any letters, or `-1`", "`0`"
    yield "missing number", _quoted(MISSING_WORDS), "no value"
    yield "missing label or class", _quoted(NO_CLASS_WORDS), "no value"
    yield "missing key or version", _quoted(NO_KEY_WORDS), "no value"


def _platforms() -> Iterator[tuple[str, str, str]]:
    for name, file, record in _PLATFORMS:
        yield name, f"`{json.dumps(record)}`".replace("|", "\\|"), _read_as(file, record)


def _read_as(name: str, record: Any) -> str:
    """Read a record and say what its columns were taken for."""
    model, blocks = ModelConfig.model_validate({"name": "m", "predictions": {"experiment": "m"}}), list[Block]()
    data = io.BytesIO(json.dumps(record).encode() + b"\n")
    try:
        decoded = decode(
            data, name=name, role="predictions", model=model, default_time=0, default_version="unknown", kinds=None,
            max_bytes=2**20, watch=blocks.append,
        )  # fmt: skip
        list(decoded)
    except BatchError as error:
        return f"not read, and said: `{error.reason}`"
    found = [use for block in blocks for use in uses(block, model) if use.role != UNUSED]
    return ", ".join(sorted(f"{use.path}: {use.role}" for use in found))


def _files() -> Iterator[tuple[str, str, str]]:
    families: dict[str, list[str]] = {}
    for suffix in DATA_SUFFIXES:
        families.setdefault(suffix.split(".")[1].removeprefix("nd").removesuffix("l"), []).append(suffix)
    for family, suffixes in families.items():
        yield "file", f"name that ends in {_quoted(suffixes)}", {"json": "JSON", "csv": "CSV"}.get(family, "Parquet")


def _quoted(names: Any) -> str:
    return ", ".join("nothing" if name == "" else f"`{name}`" for name in names)
