"""The set on disk: written file by file, each as a whole, and never outside the folder that was given.

What the texts are is unknown here.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from driftgauge.errors import ConfigError


def write(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write every text under its relative path, unless it is there already; return the files that changed.

    A reader sees the old file or the new one. Raises ConfigError when the folder cannot be written, or a path leads out
    of it, before anything is written.
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
    """Return where a text goes. A link in the folder may lead elsewhere, and what is there is not ours."""
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
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(text.encode())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
