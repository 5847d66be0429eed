"""What a registered version says of how it is monitored, as the text of its `driftgauge.yml`.

The exporter checks it as a whole; here only what would never be read is refused: this package knows no YAML.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from driftgauge.errors import ConfigError
from driftgauge.schema import MONITORING_KEYS

_MOST_CHARACTERS: Final = 256 * 2**10


def monitoring_text(said: Mapping[str, Any] | Path) -> str:
    """Return a mapping as JSON, which is YAML, or the text of a file. Raises ConfigError when it cannot be used."""
    try:
        if isinstance(said, Path):
            text = said.read_text(encoding="utf-8")
        else:
            text = json.dumps(dict(said), indent=1, allow_nan=False, ensure_ascii=False) if said else ""
            for key in said:
                if key not in MONITORING_KEYS:
                    raise ConfigError(
                        f'monitoring: a version cannot say "{key}"; it can say {", ".join(MONITORING_KEYS)}'
                    )
    except OSError as error:
        raise ConfigError(f"monitoring: {said} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"monitoring: it has to be plain values, as YAML has them: {error}") from error
    if not text.strip():
        raise ConfigError("monitoring: it says nothing; leave it out")
    if len(text) > _MOST_CHARACTERS:
        raise ConfigError(f"monitoring: it has {len(text):,} characters; keep it to {_MOST_CHARACTERS:,}")
    return text
