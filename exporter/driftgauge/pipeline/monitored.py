"""Which monitoring configuration of a registered version is in force for a model; the last good one outlasts restarts.

It lies in the state folder as a file for each model, named by a digest, so no name becomes a path.
"""

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from driftgauge.config import ModelConfig, Versioned, versioned
from driftgauge.errors import ConfigError, StateError
from driftgauge.generator.thresholds import own, shipped
from driftgauge.hiding import hidden

_FOLDER: Final = "monitoring"
_log = structlog.get_logger("driftgauge.pipeline")


@dataclass(frozen=True, slots=True, eq=False)
class Monitored:
    """What is in force of a model that says `monitoring`; nothing of one that does not.

    identity: of the file that is in force, "" while there is none; source: where it is, in words. found: what it makes
    of the model. problem: why what the registry names now is not in force, "" if it is.
    """

    identity: str = ""
    source: str = ""
    found: Versioned | None = None
    problem: str = ""


def in_force(model: ModelConfig, text: str, *, identity: str) -> Monitored:
    """Return what a file with this text makes of a model. Raises ConfigError, also for the thresholds in it."""
    uri = model.monitoring or ""
    # An alias means a version, which is what people want to know.
    source = hidden(identity.partition(" from ")[0] if identity.startswith("models:") else uri)
    found = versioned(model, text, filename=source)
    own(shipped(), model.name, text, filename=source)
    return Monitored(identity, source, found)


def keep(state_dir: str, model: ModelConfig, text: str, *, identity: str) -> None:
    """Keep a file that is in force. Raises StateError."""
    path = _path(state_dir, model.name)
    said = json.dumps({"uri": model.monitoring, "identity": identity, "text": text})
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        part.write_text(said, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error


def kept(state_dir: str, model: ModelConfig) -> Monitored:
    """Return what was kept of a model; nothing where that is of another URI or no longer fits the configuration."""
    try:
        said = json.loads(_path(state_dir, model.name).read_text(encoding="utf-8"))
        if model.monitoring is None or said["uri"] != model.monitoring:
            return Monitored()
        return in_force(model, said["text"], identity=said["identity"])
    except FileNotFoundError:
        return Monitored()
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        _log.warning("monitoring configuration not restored", model=model.name, error=hidden(str(error)))
        return Monitored()


def _path(state_dir: str, model: str) -> Path:
    return Path(state_dir, _FOLDER, f"{blake2b(model.encode(), digest_size=16).hexdigest()}.json")
