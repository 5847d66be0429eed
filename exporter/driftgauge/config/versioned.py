"""What a registered version says of how it is monitored, and what the exporter's own file makes of that.

The file comes from the registry, so whoever may register a version can write anything into it. It says what the rows
mean and when they count as drifted; it neither reads variables nor says where anything is read from or written to. What
the exporter's own configuration says of the model comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from driftgauge.config.document import ParsedFile, read
from driftgauge.config.reading import checked
from driftgauge.config.sections import Config, ModelConfig
from driftgauge.config.wording import Mistake, quoted, suggestion
from driftgauge.errors import ConfigError
from driftgauge.schema import MONITORING_KEYS

# Characters; the keys of a hundred segments take a tenth.
MOST_CHARACTERS: Final = 256 * 2**10
_THRESHOLDS: Final = "thresholds"


@dataclass(frozen=True, slots=True, eq=False)
class Versioned:
    """What is in force of a model: its section, with what a file adds to it. hash: of that file's text, in hex."""

    model: ModelConfig
    hash: str


def versioned(model: ModelConfig, text: str, *, filename: str) -> Versioned:
    """Return what a model's section is with what `text` says; what is under `thresholds` is not looked at here.

    What both say, keys and the keys below them, is as `model` has it. Raises ConfigError as `parse` does.
    """
    if not text.strip():
        raise ConfigError(f"{filename}:1: is empty; write what the version says, or log none")
    document = read(text, filename=filename, environ=None)
    mistakes = [*document.mistakes, *_not_its_own(document)]
    said = {key: value for key, value in document.values.items() if key in MONITORING_KEYS and key != _THRESHOLDS}
    values = _merged(said, model.model_dump(mode="json", exclude_unset=True))
    found = checked(ModelConfig, values, document=document, filename=filename, mistakes=mistakes)
    if document.values.get(_THRESHOLDS) is not None:
        found.judge_by(text)
    return Versioned(found, blake2b(text.encode(), digest_size=8).hexdigest())


def _not_its_own(document: ParsedFile) -> list[Mistake]:
    local = {*ModelConfig.model_fields, *Config.model_fields, *_below_top()} - {*MONITORING_KEYS}
    return [
        Mistake(document.lines[key,], (key,), _refusal(key, known=key in local))
        for key in document.values
        if key not in MONITORING_KEYS
    ]


def _below_top() -> set[str]:
    sections = (field.annotation for field in Config.model_fields.values())
    return {name for section in sections for name in getattr(section, "model_fields", ())}


def _refusal(key: str, *, known: bool) -> str:
    if known:
        return "is not for a version to say; write it into the exporter's own configuration"
    return f"unknown key {quoted(key)}; {suggestion(key, MONITORING_KEYS, 'keys')}"


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, keys and the keys below them; where both have one, it is that of `above`."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = {**below[key], **above[key]}
    return merged
