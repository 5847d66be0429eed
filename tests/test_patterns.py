"""Globs, suffixes and safe paths."""

import pytest

from driftgauge.patterns import candidates, is_data_file, is_safe, matches, suffix


@pytest.mark.parametrize(
    ("description", "path", "pattern", "expected"),
    [
        ("the name itself", "predictions.csv", "predictions*", True),
        ("a name in a sub-folder", "2026/01/predictions.csv", "predictions*", True),
        ("a folder that matches takes what is in it", "predictions/part-0.csv", "predictions*", True),
        ("another name", "labels.csv", "predictions*", False),
        ("a part of the name only", "old-predictions.csv", "predictions*", False),
        ("a pattern with a slash starts at the root", "x/batches/a.csv", "batches/*.csv", False),
        ("a star stays in its folder", "batches/x/a.csv", "batches/*.csv", False),
        ("two stars cross folders", "batches/x/y/a.csv", "batches/**/*.csv", True),
        ("two stars may stand for nothing", "batches/a.csv", "batches/**/*.csv", True),
        ("a leading slash anchors a name", "x/a.csv", "/a.csv", False),
        ("a leading slash finds the root's file", "a.csv", "/a.csv", True),
        ("a trailing slash names a folder at any depth", "x/batches/a.csv", "batches/", True),
        ("a class of characters", "part-7.csv", "part-[0-9].csv", True),
        ("one character", "part-77.csv", "part-?.csv", False),
        ("case counts", "Predictions.csv", "predictions*", False),
        ("everything", "x/y.csv", "*", True),
        ("a path shorter than the pattern", "batches", "batches/*.csv", False),
    ],
)
def test_matches(description: str, path: str, pattern: str, *, expected: bool) -> None:
    """A glob selects as .gitignore would."""
    assert matches(path, pattern) is expected, description


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *((f"x/a{suffix}", True) for suffix in (".jsonl", ".ndjson", ".json", ".csv", ".parquet")),
        *((f"a{suffix}.gz", True) for suffix in (".jsonl", ".ndjson", ".json", ".csv")),
        ("A.CSV", True),
        ("a.parquet.gz", False),
        ("a.pkl", False),
        ("csv", False),
        ("a.csv/MLmodel", False),
        ("out/_temporary/0/task_1/part-00000.parquet", False),
        ("table/_delta_log/00000000000000000000.json", False),
        ("out/.spark-staging-4f/part-00000.parquet", False),
        ("_temporary.csv", True),
    ],
)
def test_is_data_file(path: str, *, expected: bool) -> None:
    """Files are recognised by the suffixes that can be decoded, in any case."""
    assert is_data_file(path) is expected


def test_candidates_are_what_may_have_rows() -> None:
    """Files with a suffix that is not read are found, but neither pictures nor models, settings and markers."""
    meant = {
        "p.txt",
        "p.tsv",
        "x/p.xlsx",
        "p.csv.zst",
        "p.parquet.gz",
        "p.avro",
        "predictions",
        "p.pkl",
        "P.CSV",
        "p.json",
    }
    other = {
        "plot.png", "report.html", "MLproject.yaml", "requirements.txt", "README.md", "LICENSE", "train.py",
        "model/MLmodel", "model/model.pkl", "model/data/weights.h5", "p.parquet/_SUCCESS", "p.parquet/._SUCCESS.crc",
        "out/_temporary/0/part-0.txt", ".DS_Store",
    }  # fmt: skip
    assert candidates(meant | other) == meant
    assert candidates(["model/MLmodel", "model/rows.json", "models/p.txt"]) == {"model/rows.json", "models/p.txt"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x.y/p.TXT", ".txt"),
        ("p.csv.zst", ".csv.zst"),
        ("p.zst", ".zst"),
        ("p", ""),
        (".txt", ""),
        ("p.2026-01-05T12-00-00", ""),
    ],
)
def test_suffix(path: str, expected: str) -> None:
    """The ending by which files are named in the log, with what a compressed file was."""
    assert suffix(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.csv", True),
        ("größe/日本.csv", True),
        ("a..b/c.csv", True),
        ("../a.csv", False),
        ("x/../../a.csv", False),
        ("/etc/a.csv", False),
        ("x//a.csv", False),
        ("./a.csv", False),
        ("", False),
        ("a\nlevel=info.csv", False),
        ("a\0.csv", False),
    ],
)
def test_is_safe(path: str, *, expected: bool) -> None:
    """Only relative, printable paths that stay inside are safe."""
    assert is_safe(path) is expected
