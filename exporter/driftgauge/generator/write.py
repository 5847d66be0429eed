"""Writes the rendered files: each by an atomic rename, and never outside the given folder."""

import os
from collections.abc import Mapping
from pathlib import Path

from driftgauge.errors import ConfigError


def write(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write every text under its relative path, unless the file has it already; return the files that changed.

    A reader sees the old file or the new one. Raises ConfigError when the folder cannot be written, or, before anything
    is written, when a path leads out of it.
    """
    files = {_inside(folder, relative): text for relative, text in texts.items()}
    changed = [path for path, text in files.items() if not _has(path, text)]
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, files[path])
        except OSError as error:
            raise ConfigError(
                f"--output: cannot write {path}: {error.strerror}; give a folder you may write"
            ) from error
    return changed


def differing(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Return the files that `write` would change."""
    return [path for relative, text in texts.items() if not _has(path := folder / relative, text)]


def _inside(folder: Path, relative: str) -> Path:
    """Return the path of a text. A symbolic link in the folder may lead out of it, to files that are not ours."""
    path = folder / relative
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--output: {path.parent} leads out of {folder}; remove the link, or give another folder")
    return path


def _has(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(text.encode())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
