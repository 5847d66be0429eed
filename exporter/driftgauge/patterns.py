"""Which artifact paths are data files, which are safe to touch, and which a configured glob selects. Pure."""

from fnmatch import fnmatchcase
from typing import Final

TEXT_SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv")
DATA_SUFFIXES: Final = (*TEXT_SUFFIXES, *(f"{suffix}.gz" for suffix in TEXT_SUFFIXES), ".parquet")


def is_data_file(path: str) -> bool:
    """Return whether the suffix of `path` (in any case) is one that `batch` decodes."""
    return path.lower().endswith(DATA_SUFFIXES)


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


def _matches_parts(parts: list[str], globs: list[str]) -> bool:
    if not globs:
        return True
    if globs[0] == "**":
        return any(_matches_parts(parts[start:], globs[1:]) for start in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], globs[0]) and _matches_parts(parts[1:], globs[1:])
