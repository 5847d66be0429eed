"""Which artifact paths are data files, which are safe to touch, and which a configured glob selects. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

TEXT_SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv")
DATA_SUFFIXES: Final = (*TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES), ".parquet")
# Folders in which Spark, Delta and Hive keep what is no data, or not yet: files are moved out of them when complete.
_STAGING: Final = ("_temporary", "_delta_log", "_spark_metadata", "_change_data", ".spark-staging", ".hive-staging")
# What nobody takes for rows: pictures, documents, code, settings, checksums.
_NO_ROWS: Final = frozenset({
    ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".bmp", ".ico", ".tif", ".tiff", ".eps",
    ".pdf", ".html", ".htm", ".md", ".rst", ".tex", ".docx", ".pptx",
    ".py", ".ipynb", ".sh", ".r", ".sql", ".js", ".css",
    ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".lock",
    ".crc", ".md5", ".sha256", ".sig", ".asc", ".onnx", ".pt", ".pth", ".ckpt", ".safetensors",
})  # fmt: skip
_NO_ROWS_NAMES: Final = frozenset({"license", "readme", "readme.txt", "requirements.txt", "dockerfile", "makefile"})
# The folder of a model as MLflow writes it has this file; what else lies there belongs to the model.
_MODEL_FILE: Final = "MLmodel"
_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip")
_LONGEST_SUFFIX: Final = 12


def is_data_file(path: str) -> bool:
    """Return whether the suffix of `path` (in any case) is one that `batch` decodes, and its file is in place."""
    return path.lower().endswith(DATA_SUFFIXES) and not _is_staged(path)


def candidates(paths: Iterable[str]) -> set[str]:
    """Return the data files among all files of one place, and those that may have been meant as such.

    These have rows perhaps, but a suffix that is not read, so somebody has to hear of them: neither pictures,
    documents, code and settings, nor the parts of a model, nor markers such as `_SUCCESS` are among them.
    """
    every = list(paths)
    models = {path.rpartition("/")[0] for path in every if path.rpartition("/")[2] == _MODEL_FILE}
    return {path for path in every if is_data_file(path) or (_may_have_rows(path) and not _is_below(path, models))}


def suffix(path: str) -> str:
    """Return what the name of a file ends in, in lower case, with a compression in front of it: `.txt`, `.csv.zst`."""
    name = path.rpartition("/")[2].lower()
    stem, dot, last = name.rpartition(".")
    if not (dot and stem) or len(last) > _LONGEST_SUFFIX:
        return ""
    return (suffix(stem) if f".{last}" in _COMPRESSED else "") + f".{last}"


def _may_have_rows(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    is_marker = name.startswith(("_", ".")) or name in _NO_ROWS_NAMES
    return not is_marker and suffix(path) not in _NO_ROWS and not _is_staged(path)


def _is_staged(path: str) -> bool:
    return any(part.startswith(_STAGING) for part in path.split("/")[:-1])


def _is_below(path: str, folders: set[str]) -> bool:
    parts = path.split("/")[:-1]
    return bool(folders) and any("/".join(parts[:end]) in folders for end in range(len(parts) + 1))


def is_safe(path: str) -> bool:
    """Return whether `path` stays inside its root and can be shown in a log line.

    Absolute paths, empty, "." and ".." parts, and characters that do not print are refused.
    """
    return path.isprintable() and not any(part in {"", ".", ".."} for part in path.split("/"))


def matches(path: str, pattern: str) -> bool:
    """Return whether the glob `pattern` selects the artifact `path`, as .gitignore would.

    Without a "/" the pattern may match at any depth; with one it starts at the run's root. `*`, `?` and `[…]`
    stay within one part, `**` crosses parts, and a pattern that matches a folder selects everything below it.
    """
    anchored = "/" in pattern.rstrip("/")
    globs = pattern.strip("/").split("/")
    return _matches_parts(path.split("/"), globs if anchored else ["**", *globs])


def reaches(folder: str, pattern: str) -> bool:
    """Return whether the glob `pattern` may select files below a folder; "" is the run's root."""
    if not folder or "/" not in pattern.rstrip("/"):
        return True
    return _reaches_parts(folder.split("/"), pattern.strip("/").split("/"))


def _reaches_parts(parts: list[str], globs: list[str]) -> bool:
    if not parts or not globs or globs[0] == "**":
        return True
    return fnmatchcase(parts[0], globs[0]) and _reaches_parts(parts[1:], globs[1:])


def _matches_parts(parts: list[str], globs: list[str]) -> bool:
    if not globs:
        return True
    if globs[0] == "**":
        return any(_matches_parts(parts[start:], globs[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _matches_parts(parts[1:], globs[1:])
