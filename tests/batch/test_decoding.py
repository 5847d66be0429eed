"""Whole files, from bytes to columns."""

import gzip
import io
import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.samples import BATCHES, DEFAULT_TIME, MICROS, a_model, as_dict, decoded
from driftgauge.batch import FILE_REASONS, ROW_REASONS, decode, decoding, streams, survey
from driftgauge.columns import Columns
from driftgauge.errors import BatchError
from driftgauge.schema import MISSING_WORDS

TEN_THIRTY = 1_767_609_000 * MICROS  # 2026-01-05T10:30:00Z

KINDS: Any = {"age": "numeric", "plan": "categorical", "vip": "categorical", "visits": "categorical"}
CHURN: dict[str, Any] = {
    "rows_read": 6,
    "rejected": {"bad_timestamp": 1, "no_prediction": 1},
    "time": [
        TEN_THIRTY,
        TEN_THIRTY + 60_250_000,
        TEN_THIRTY + 120 * MICROS,
        TEN_THIRTY + 180 * MICROS,
    ],
    "version": ["1.10"] * 4,
    "key": ["007", "b-2", "b-3", "b-4"],
    "predicted": ["1", "0", "1", None],
    "score": [0.75, 0.25, 1.0, None],
    "label": ["1", "0", None, None],
    "latency": [0.0085, 0.012, None, 0.003],
    "failed": [False, False, False, True],
    "numbers.age": [35.0, 41.5, None, 20.0],
    "categories.plan": ["A", 'Zürich, "old"', "NA", None],
    "categories.vip": ["true", "false", None, "true"],
    "categories.visits": ["1", "2", "1", "3"],
}


def churn_parquet() -> bytes:
    """Write the sample as a data frame would: dictionary text, UTC timestamps in ns, a struct and an index."""
    records = [json.loads(line) for line in (BATCHES / "churn.jsonl").read_text().splitlines()]
    table = pa.Table.from_pylist([{"error": None, **record} for record in records])
    plan = pa.compute.struct_field(table["features"].combine_chunks(), "plan").dictionary_encode()
    features = pa.StructArray.from_arrays(
        [
            pa.array([r["features"]["age"] for r in records], pa.float32()),
            plan,
            pa.array([r["features"]["vip"] for r in records]),
            pa.array([r["features"]["visits"] for r in records], pa.decimal128(5, 1)),
        ],
        ["age", "plan", "vip", "visits"],
    )
    table = table.set_column(table.column_names.index("features"), "features", features)
    table = table.append_column("__index_level_0__", pa.array(range(6)))
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer, row_group_size=2)
    return buffer.getvalue()


def parquet_of(**columns: Any) -> bytes:
    """Write columns as a Parquet file."""
    file = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), file)
    return file.getvalue()


PARQUET_WITHOUT_ROWS = parquet_of(prediction=pa.array([], pa.float64()))


@pytest.mark.parametrize("name", ["churn.jsonl", "churn.json", "churn-table.json", "churn.csv", "churn-german.csv"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_text_format_gives_the_same_columns(name: str, *, compressed: bool) -> None:
    """The same six records, written by hand in each format, mean the same."""
    data = (BATCHES / name).read_bytes()
    if compressed:
        data, name = gzip.compress(data), f"{name}.gz"
    assert as_dict(decoded(data, name, kinds=KINDS)) == CHURN


def test_parquet_gives_the_same_columns() -> None:
    """Nested, dictionary-encoded and decimal columns mean what their text forms mean."""
    assert as_dict(decoded(churn_parquet(), "churn.parquet", kinds=KINDS)) == CHURN


@pytest.mark.parametrize("skip", [0, 1, 3, 5, 6, 9])
@pytest.mark.parametrize("name", ["churn.jsonl", "churn.json", "churn-table.json", "churn.csv", "churn.parquet"])
def test_skipped_rows_appear_nowhere(name: str, skip: int) -> None:
    """Of a file that grew only the rows after the cursor count."""
    data = churn_parquet() if name.endswith("parquet") else (BATCHES / name).read_bytes()
    result = as_dict(decoded(data, name, kinds=KINDS, skip=skip))
    assert result["rows_read"] == max(0, 6 - skip)
    assert result.get("key", []) == CHURN["key"][skip:]
    assert sum(result["rejected"].values()) == min(2, max(0, 6 - skip))


def test_record_of_the_documentation() -> None:
    """Inputs and a single numeric output need no mapping; the default version and time are for other records."""
    record = (
        b'{"model_version": "1.2.0", "timestamp": "2023-10-27T10:30:00Z",'
        b' "inputs": {"feature1": 0.5}, "outputs": {"probability_churn": 0.75}}'
    )
    assert as_dict(decoded(record)) == {
        "rows_read": 1,
        "rejected": {},
        "time": [1_698_402_600 * MICROS],
        "version": ["1.2.0"],
        "predicted": ["1"],
        "score": [0.75],
        "numbers.feature1": [0.5],
    }


def test_label_file() -> None:
    """Labels need a key and a label, and carry their own time."""
    lines: list[dict[str, Any]] = [
        {"request_id": "batch_001", "timestamp": "2026-01-06T09:00:00Z", "actual_outcome": 1},
        {"request_id": 7, "label": "no"},
        {"label": 1},
        {"id": "x"},
        {"id": "y", "label": 0.5},
        {"id": "z", "label": 1, "ts": "soon"},
    ]
    assert as_dict(decoded(jsonl(lines), role="labels")) == {
        "rows_read": 6,
        "rejected": {"missing_key": 1, "missing_label": 1, "bad_label": 1, "bad_timestamp": 1},
        "time": [1_767_690_000 * MICROS, DEFAULT_TIME],
        "version": ["unknown", "unknown"],
        "key": ["batch_001", "7"],
        "label": ["1", "0"],
    }


def test_labels_by_a_composed_key() -> None:
    """A key of several columns, of which one is a feature, is the same text on both sides."""
    labels = {"key": ["order", "line"]}
    predicted = decoded(b'{"order": 7, "features": {"line": "a"}, "prediction": 1}', labels=labels)
    label = decoded(b"order,line,label\n7.0,a,1\n8,,1\n", "labels.csv", role="labels", labels=labels)
    assert predicted[0].key.to_pylist() == label[0].key.to_pylist() == ["7\x1fa"]
    assert label[0].rejected == {"missing_key": 1}


def test_reference_table() -> None:
    """A training table needs no prediction; what has a role in it may be a feature of live rows as well."""
    data = b"age,plan,time,target\n1,A,not a time,1\n2,B,,0\n,A,,\n"
    assert as_dict(decoded(data, "reference.csv", role="reference")) == {
        "rows_read": 3,
        "rejected": {},
        "time": [DEFAULT_TIME] * 3,
        "version": ["unknown"] * 3,
        "label": ["1", "0", None],
        "numbers.age": [1.0, 2.0, None],
        "numbers.target": [1.0, 0.0, None],
        "categories.plan": ["A", "B", "A"],
        "categories.time": ["not a time", None, None],
    }


def test_reference_kinds_follow_from_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A code that only turns out to be mostly text in later blocks is categorical from the first row on."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 16)
    data = b"code,zip,x\n1,01,\n2,02,\nE3,03,\nE4,04,\nE5,05,7\n"
    result = as_dict(decoded(data, "r.csv", role="reference", features={"categorical": ["zip"]}))
    assert result["categories.code"] == ["1", "2", "E3", "E4", "E5"]
    assert result["categories.zip"] == ["01", "02", "03", "04", "05"]
    assert result["numbers.x"] == [None, None, None, None, 7.0]


def test_failed_requests_need_no_prediction() -> None:
    """A failed request counts even if what stands for its prediction is of no use."""
    lines: list[dict[str, Any]] = [
        {"error": "boom"},
        {"error": {"code": 5}, "prediction": "n/a"},
        {"error": 1},
        {"error": True, "prediction": 1},
        {"error": ["x"]},
        {"error": {}, "prediction": 1},
        {"error": [], "prediction": 1},
        {"error": "", "prediction": 1},
        {"error": "None", "prediction": 1},
        {"error": 0, "prediction": 1},
        {"error": False, "prediction": 1},
        {"error": float("nan"), "prediction": 1},
    ]
    for line, expected in zip(lines, [True] * 5 + [False] * 7, strict=True):
        assert decoded(jsonl([line]))[0].failed.tolist() == [expected], line
    assert as_dict(decoded(jsonl(lines)))["failed"] == [True] * 5 + [False] * 7


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"latency_ms": 8.5}, 0.0085),
        ({"latency_s": 2}, 2.0),
        ({"latency_seconds": "0.5"}, 0.5),
        ({"latency_ms": None, "latency_s": 3}, 3.0),
        ({"latency_ms": -1}, None),
        ({"latency_ms": "slow"}, None),
        ({"latency_ms": float("inf")}, None),
        ({}, None),
    ],
)
def test_latency(record: dict[str, Any], expected: float | None) -> None:
    """Latencies are seconds; an impossible one is missing, the request still counts."""
    result = as_dict(decoded(jsonl([{"prediction": 1, **record}])))
    assert (result["rows_read"], result.get("latency", [None])) == (1, [expected])


def test_mapped_columns() -> None:
    """`columns:` replaces the spellings of a role, and frees the spelled column."""
    data = b"when,took_ms,took,p,score,rev\n2026-01-05,250,9,0.9,3,r1\n"
    columns = {"timestamp": "when", "latency": "took_ms", "score": "p", "version": "rev"}
    result = as_dict(decoded(data, "a.csv", columns=columns, kinds={"score": "numeric"}))
    assert (result["latency"], result["score"], result["predicted"]) == ([0.25], [0.9], ["1"])
    assert (result["version"], result["numbers.score"]) == (["r1"], [3.0])
    assert as_dict(decoded(data, "a.csv", columns=columns | {"latency": "took"}))["latency"] == [9.0]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xlsx", b"x", "unsupported_format"),
        ("a.parquet.gz", b"x", "unsupported_format"),
        ("a.jsonl", b"", "empty_file"),
        ("a.csv", b"", "empty_file"),
        ("a.json.gz", gzip.compress(b""), "empty_file"),
        ("a.parquet", b"", "empty_file"),
        ("a.parquet", b"PAR1 but no more", "invalid_parquet"),
        ("a.parquet", churn_parquet()[:-20], "invalid_parquet"),
        ("a.csv", b"\n\n", "invalid_csv"),
        ("a.csv", "é\n1\n".encode("latin-1"), "wrong_encoding"),
        ("a.csv", "a\né\n".encode("latin-1"), "wrong_encoding"),
        ("a.json", "[{'é': 1}]".encode("latin-1"), "wrong_encoding"),
        ("a.jsonl", '{"prediction": 1}'.encode("utf-16"), "wrong_encoding"),
        ("a.jsonl", '{"prediction": 1}'.encode("utf-16-le"), "wrong_encoding"),
        ("a.json", b'[{"prediction": 1}', "invalid_json"),
        ("a.json", b'{"prediction": 1', "invalid_json"),
        ("a.jsonl.gz", b"not gzip", "invalid_gzip"),
        ("a.jsonl.gz", gzip.compress(b'{"prediction": 1}' * 50)[:-9], "invalid_gzip"),
        ("a.jsonl.gz", gzip.compress(b" " * 2000), "too_large"),
    ],
)
def test_files_that_cannot_be_read(name: str, data: bytes, reason: str) -> None:
    """A whole file is refused with a fixed word and one sentence that ends in a remedy."""
    with pytest.raises(BatchError) as caught:
        decoded(data, name, max_bytes=1000)
    assert caught.value.reason == reason
    assert reason in FILE_REASONS
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b"prediction,id\n"),
        ("a.json", b"[ ]"),
        ("a.json", b'{"columns": [], "data": []}'),
        ("a.jsonl", b"\n \n"),
    ],
)
def test_files_without_rows_are_fine(name: str, data: bytes) -> None:
    """Zero rows are no mistake."""
    assert decoded(data, name) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p/part-00003-x.snappy.parquet", PARQUET_WITHOUT_ROWS),
        ("data_0.parquet", PARQUET_WITHOUT_ROWS),
        ("part-00000-x-c000.csv", b"prediction,id\n"),
        ("part-00000-x-c000.json", b""),
        ("part-00000-x-c000.json.gz", gzip.compress(b"")),
        ("p/part.0.csv", b""),
    ],
)
@pytest.mark.parametrize("role", ["predictions", "labels", "reference"])
def test_parts_without_rows_are_complete(name: str, data: bytes, role: str) -> None:
    """A partition without rows gives a chunk without rows: the file is read, and nothing is missing in it."""
    (chunk,) = decoded(data, name, role=role)
    assert (len(chunk), chunk.rows_read, chunk.rejected) == (0, 0, {})


OTHERS: list[tuple[str, str, Any, str]] = [
    ("alerts", "alerts.json", [{"severity": "high", "text": "x", "timestamp": "2026-01-05"}], "severity, text"),
    ("a report", "r.json", {"data_drift": {"age": {"test": "ks"}}, "prediction": 0.2, "label": 1}, "data_drift"),
    ("metrics", "metrics.json", {"accuracy": 0.9, "score": 0.8}, "accuracy, score"),
    ("a matrix", "confusion.json", [[1, 2], [3, 4]], "none"),
    ("truth", "truth.jsonl", [{"id": 1, "label": 1}], "a prediction, a score or an error"),
    ("a payload log", "p.jsonl", [{"request": "{}", "response": "{}"}], "request, response"),
]


@pytest.mark.parametrize(("name", "content", "words"), [other[1:] for other in OTHERS], ids=[o[0] for o in OTHERS])
def test_files_of_another_shape(name: str, content: Any, words: str) -> None:
    """What lies next to predictions is refused by what it holds, with its columns and the remedy."""
    data = jsonl(content) if name.endswith("l") else json.dumps(content).encode()
    with pytest.raises(BatchError, match=r"narrow predictions\.artifacts to leave the file out\.$") as caught:
        decoded(data, name)
    assert caught.value.reason == "another_shape"
    assert words in str(caught.value)


def test_label_files_of_another_shape() -> None:
    """Among label files, one without any label is none; a reference may be any table."""
    with pytest.raises(BatchError, match=r"has a label \(columns: id, prediction\)") as caught:
        decoded(b"id,prediction\n1,1\n", "a.csv", role="labels")
    assert caught.value.reason == "another_shape"
    assert decoded(b"age\n1\n", "a.csv", role="reference")[0].rows_read == 1


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"prediction": 1}, "a.json"),
        ({"score": 0.5, "features": {"a": 1}}, "a.json"),
        ({"score": 0.5, "timestamp": "2026-01-05"}, "a.json"),
        ({"prediction": 1, "context": {"host": "a"}}, "a.json"),
        ({"prediction": 1, "request_id": "a", "why": {"age": {"shap": 0.5}}}, "a.json"),
        ({"outputs": {"scores": {"churn": 0.5}}, "prediction": 1}, "a.json"),
        ({"score": 0.5}, "a.jsonl"),
        ({"error": "boom", "timestamp": "2026-01-05"}, "a.json.gz"),
    ],
)
def test_single_records_are_no_reports(record: dict[str, Any], name: str) -> None:
    """One record in a document of its own counts if it looks like one."""
    data = json.dumps(record).encode()
    assert decoded(gzip.compress(data) if name.endswith("gz") else data, name)[0].rows_read == 1


def test_the_shape_of_a_file_may_show_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows before the first with a prediction count as rejected then, and a file that grew keeps its shape."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 16)
    early = b'{"id": "x", "v": 1}\n' * 4
    result = as_dict(decoded(early + b'{"prediction": 1}\n'))
    assert (result["rows_read"], result["rejected"], result["predicted"]) == (5, {"no_prediction": 4}, ["1"])
    assert as_dict(decoded(early, skip=2)) == {"rows_read": 2, "rejected": {"no_prediction": 2}}


def test_damaged_rows_are_no_other_shape() -> None:
    """Where not one row can be read, the rows are counted as damaged."""
    assert as_dict(decoded(b"{x\n{y\n")) == {"rows_read": 2, "rejected": {"invalid_json": 2}}


def test_tables_of_mlflow() -> None:
    """Inputs, outputs and targets are features, prediction and label, as lines and as MLflow's table."""
    rows: list[dict[str, Any]] = [{"inputs": {"age": 20}, "outputs": 0.75, "targets": 1}]
    table = {"columns": list(rows[0]), "data": [list(rows[0].values())]}
    for name, data in (("a.jsonl", jsonl(rows)), ("eval_results_table.json", json.dumps(table).encode())):
        result = as_dict(decoded(data, name))
        assert (result["score"], result["label"], result["numbers.age"]) == ([0.75], ["1"], [20.0])
        regression = as_dict(decoded(data, name, task="regression"))
        assert (regression["predicted"], regression["label"]) == ([0.75], [1.0])


def test_chunks_are_bounded_and_leave_out_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows a block has, no chunk holds more than the bound."""
    monkeypatch.setattr(decoding, "CHUNK_ROWS", 100)
    lines = [{"id": i, "prediction": i % 2} if i % 7 else {"id": i} for i in range(1_050)]
    chunks = decoded(jsonl(lines))
    assert max(chunk.rows_read for chunk in chunks) == 100
    result = as_dict(chunks)
    assert (result["rows_read"], result["rejected"]) == (1_050, {"no_prediction": 150})
    assert result["key"] == [str(i) for i in range(1_050) if i % 7]


def test_a_large_file_is_never_read_at_once() -> None:
    """The first chunk of a streamed file is out after at most two blocks of it."""
    line = b'{"prediction": 1, "features": {"text": "' + b"x" * 1000 + b'"}}\n'
    file = io.BytesIO(line * 40_000)
    chunks = decode(
        file,
        name="a.jsonl",
        role="predictions",
        model=a_model(),
        default_time=0,
        default_version="1",
        kinds=None,
        max_bytes=10**6,
    )
    first = next(chunks)
    assert file.tell() <= 2 * streams.BLOCK_BYTES
    assert first.rows_read + sum(chunk.rows_read for chunk in chunks) == 40_000


@pytest.mark.parametrize(("tag", "version"), [("1.2.0\n", "1.2.0"), ("a\r\x1b[31m", "a??[31m"), ("v" * 8000, "v" * 80)])
def test_the_version_of_a_run_is_a_label(tag: str, version: str) -> None:
    """Rows without a version get that of their run, made fit for a label as the version of a row is."""
    chunks = decode(
        io.BytesIO(b'{"prediction": 1}\n' * 2),
        name="a.jsonl", role="predictions", model=a_model(), default_time=0, default_version=tag, kinds=None,
        max_bytes=10**6,
    )  # fmt: skip
    found = set(next(chunks).version.to_pylist())
    assert {text.partition("…")[0] for text in found} == {version}
    assert all(len(text) <= 100 for text in found)


def jsonl(records: list[dict[str, Any]]) -> bytes:
    """Write records as JSON lines."""
    return "\n".join(json.dumps(record) for record in records).encode()


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1, max_size=8).filter(
    lambda text: text.strip() == text and text not in ("True", "False", *MISSING_WORDS) and not text.endswith(".0")
)
records = st.lists(
    st.fixed_dictionaries(
        {
            "request_id": texts,
            "timestamp": st.integers(10**12, 7 * 10**12),
            "prediction": st.floats(0.001, 0.999),
            "label": st.sampled_from([0, 1]),
            "feature_x": st.none() | st.floats(-1e9, 1e9),
            "feature_c": st.none() | texts,
        }
    ),
    min_size=1,
    max_size=20,
)


def in_format(rows: list[dict[str, Any]], name: str) -> bytes:
    """Write records in the format of a file name."""
    table = pa.Table.from_pylist(rows)
    buffer = io.BytesIO()
    match name.removesuffix(".gz"):
        case "a.jsonl":
            buffer.write(jsonl(rows))
        case "a.json":
            buffer.write(json.dumps(rows, ensure_ascii=False, indent=1).encode())
        case "a.csv":
            pa.csv.write_csv(table, buffer)
        case _:
            pa.parquet.write_table(table, buffer)
    return gzip.compress(buffer.getvalue()) if name.endswith(".gz") else buffer.getvalue()


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.csv.gz"])
@given(rows=records)
@settings(deadline=None)
def test_round_trip(name: str, rows: list[dict[str, Any]]) -> None:
    """What was written comes back, in every format."""
    result = as_dict(decoded(in_format(rows, name), name, kinds={"x": "numeric", "c": "categorical"}))
    assert result["rejected"] == {}
    assert result["key"] == [row["request_id"] for row in rows]
    assert result["time"] == [row["timestamp"] * 1000 for row in rows]
    assert result["score"] == pytest.approx([row["prediction"] for row in rows], rel=1e-12)
    assert result["label"] == [str(row["label"]) for row in rows]
    loud = {"TRUE": "true", "FALSE": "false"}
    expected = [loud.get(row["feature_c"], row["feature_c"]) for row in rows]
    assert result.get("categories.c", [None] * len(rows)) == expected
    for number, observed in zip(
        [row["feature_x"] for row in rows], result.get("numbers.x", [None] * len(rows)), strict=True
    ):
        assert observed == number or math.isclose(observed, number, rel_tol=1e-12)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet", "csv.gz"])
@given(data=st.binary(max_size=200) | st.text(alphabet='{}[]",:;\n\t\\u0aeN.-1 ', max_size=60).map(str.encode))
@settings(deadline=None)
def test_garbage_is_refused_or_rejected(suffix: str, data: bytes) -> None:
    """Whatever the bytes, there are columns or a BatchError, and the counts add up."""
    chunks, reasons = attempted(data, f"a.{suffix}")
    assert reasons <= set(FILE_REASONS)
    for chunk in chunks:
        assert chunk.rows_read == len(chunk) + sum(chunk.rejected.values())
        assert set(chunk.rejected) <= set(ROW_REASONS)


NAMES = ["id", "timestamp", "version", "prediction", "score", "label", "latency_ms", "error", "proba_a", "proba_1",
         "outputs", "features", "inputs", "feature_x", "x"]  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 0.5, 2**63, -1, 1_767_609_000, float("nan"), float("inf"), "", "1", "1.0", "yes"])
    | st.text(max_size=3)
    | st.just("2026-01-05T10:30:00Z")
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.sampled_from(["x", "y", "prediction"]), scalars)


@pytest.mark.no_cover
@pytest.mark.parametrize("role", ["predictions", "labels", "reference"])
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(NAMES), values, max_size=8), min_size=1, max_size=5),
    task=st.sampled_from(["binary", "multiclass", "regression"]),
    kinds=st.none() | st.just({"x": "numeric"}) | st.just({"x": "categorical"}),
)
@settings(deadline=None)
def test_any_record_counts_once(role: str, rows: list[dict[str, Any]], task: str, kinds: Any) -> None:
    """Whatever the values, each record is accepted or rejected for one reason, in lines and as a document alike."""
    # A row that shows what the file is about, or the others might be none of its rows.
    rows = [{"prediction": 1, "id": "a", "label": 1}, *rows]
    lines = decoded(jsonl(rows), role=role, task=task, kinds=kinds)
    document = decoded(json.dumps(rows).encode(), "a.json", role=role, task=task, kinds=kinds)
    assert as_dict(lines) == as_dict(document)
    (chunk,) = lines
    assert chunk.rows_read == len(rows) == len(chunk) + sum(chunk.rejected.values())
    assert all(len(column) == len(chunk) for column in [*chunk.numbers.values(), *chunk.categories.values()])
    assert chunk.version.null_count == 0


@pytest.mark.no_cover
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8))
@settings(deadline=None)
def test_damaged_parquet_is_refused_or_read(at: int, noise: bytes) -> None:
    """Bytes that changed inside a Parquet file raise nothing but BatchError."""
    whole = churn_parquet()
    at %= len(whole)
    _, reasons = attempted(whole[:at] + noise + whole[at + len(noise) :], "a.parquet")
    assert reasons <= set(FILE_REASONS)


def attempted(data: bytes, name: str) -> tuple[list[Columns], set[str]]:
    """Return the chunks of a file, or why it was refused."""
    try:
        return decoded(data, name), set()
    except BatchError as error:
        return [], {error.reason}


def test_kinds_of_a_reference_in_parts() -> None:
    """Most of the values of all parts decide; parts without rows or bytes say nothing."""
    parts = [(b"x,y\n1,2\n", "part-0.csv"), (b"", "part-1.csv"), (b"x,y\na,3\n", "part-2.csv")]
    files = [(io.BytesIO(data), name) for data, name in parts]
    assert survey(files, model=a_model(), max_bytes=1000) == {"x": "numeric", "y": "numeric"}


def as_lines(*rows: dict[str, Any]) -> bytes:
    """Return rows as lines of JSON."""
    return "\n".join(map(json.dumps, rows)).encode()


def notes(rows: list[dict[str, Any]], *, kinds: Any = None, role: Any = "predictions", **settings: Any) -> list[Any]:
    """Return reason and column of what is said of rows of JSON."""
    found = decode(
        io.BytesIO(as_lines(*rows)), name="a.jsonl", role=role, model=a_model(**settings), default_time=0,
        default_version="1", kinds=kinds, max_bytes=10**6,
    )  # fmt: skip
    return [(note.reason, note.column) for chunk in found for note in chunk.notes]


def test_columns_that_are_no_features_are_said() -> None:
    """Without a reference flat columns are features if they are named; with one they should be its own."""
    rows = [{"prediction": 1, "age": 3, "charge": 4}]
    assert notes(rows) == [("no_features", "age")]
    assert notes(rows, features={"include": ["age"]}) == []
    assert notes(rows, kinds={"age": "numeric"}) == []
    assert notes(rows, kinds={"alter": "numeric"}) == [("features_not_in_reference", "age")]
    assert notes([{"prediction": 1, "features": {"age": 3}}], kinds={"alter": "numeric"}) == [
        ("features_not_in_reference", "age")
    ]


def test_segments_of_features_that_are_not_there_are_said() -> None:
    """Otherwise they would stay empty without a word."""
    segments = {"new": {"tenure": {"below": 1}}, "old": {"age": {"at_least": 70}}}
    assert notes([{"prediction": 1, "features": {"age": 3}}], segments=segments) == [
        ("segment_without_feature", "tenure")
    ]


def test_rows_of_a_reference_count_whatever_their_predictions() -> None:
    """A value that the task cannot use costs the baseline, and not the features."""
    rows = [{"age": 1, "prediction": "x" * 3, "label": 0.5}, {"age": 2, "prediction": 1, "label": 1}]
    found = as_dict(decoded(as_lines(*rows), "a.jsonl", role="reference"))
    assert found["numbers.age"] == [1.0, 2.0]
    assert notes(rows, role="reference") == [("reference_bad_label", "label")]


@pytest.mark.parametrize(
    ("description", "row", "settings", "failed"),
    [
        ("a residual", {"prediction": 10.0, "error": 3}, {"task": "regression"}, False),
        ("without a prediction", {"error": 3}, {"task": "regression"}, True),
        ("words are errors", {"prediction": 10.0, "error": "timeout"}, {"task": "regression"}, True),
        ("so are booleans", {"prediction": 10.0, "error": True}, {"task": "regression"}, True),
        (
            "mapped, it is one",
            {"prediction": 10.0, "error": 3},
            {"task": "regression", "columns": {"error": "error"}},
            True,
        ),
        ("a code", {"prediction": 1, "error": 500}, {}, True),
        ("a fraction", {"prediction": 1, "error": 0.25}, {}, False),
    ],
)
def test_numbers_that_are_no_errors(description: str, row: Any, settings: Any, failed: Any) -> None:
    """A distance from the truth in the column `error` is no failed request."""
    (chunk,) = decoded(as_lines(row), "a.jsonl", **settings)
    assert chunk.failed.tolist() == [failed], description
