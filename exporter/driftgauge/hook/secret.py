"""Secrets that are in files, as container platforms mount them."""

from pathlib import Path

from driftgauge.errors import ConfigError


def read_secret(path: Path) -> str:
    """Return the first line of a file with a secret; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: a secret cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}"
        ) from error
    if not text:
        raise ConfigError(f"{path}: a secret is empty")
    return text
