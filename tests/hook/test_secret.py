"""Secrets in files."""

from pathlib import Path

import pytest

from driftgauge.errors import ConfigError
from driftgauge.hook.secret import read_secret


def test_secrets_are_one_line(tmp_path: Path) -> None:
    """A newline at the end of the file is no part; what is missing or empty is said."""
    path = tmp_path / "token"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(path)
    path.write_text("\n")
    with pytest.raises(ConfigError, match="empty"):
        read_secret(path)
    path.write_text("abc\n")
    assert read_secret(path) == "abc"
