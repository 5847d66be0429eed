"""`redacted`: the effective configuration as YAML that may be shown to anyone who can open `/config`.

`secrets`: the texts in it that nothing else may show either.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from driftgauge.config.fields import ON_CHANGE
from driftgauge.config.sections import Config
from driftgauge.config.units import format_duration, format_size
from driftgauge.config.wording import Path
from driftgauge.redaction import SECRET, secrets_of, without_secrets


def redacted(config: Config) -> str:
    """Return the effective configuration, defaults filled in, as YAML that `parse` reads again.

    `<secret>` stands for every secret variable's text and for the user information, query and fragment of URIs.
    """
    values = _shown(_as_written(config), (), config.masked | _masked_defaults(config))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=float("inf"))


def secrets(config: Config) -> frozenset[str]:
    """Return the texts that are secret: values of secret variables, passwords, tokens and signatures of URIs."""
    return frozenset(_secret(config.model_dump(mode="json"), (), config.masked))


def _secret(value: Any, path: Path, masked: Mapping[Path, str]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _secret(below, (*path, key), masked)
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from _secret(below, (*path, position), masked)
    elif isinstance(value, str):
        yield from secrets_of(value)
        # What stands where the text to show has a mark.
        if found := re.fullmatch("(.+)".join(map(re.escape, masked.get(path, "").split(SECRET))), value):
            yield from found.groups()


def _as_written(config: Config) -> dict[str, Any]:
    """Return plain values in the spelling of the file: durations and sizes with units, windows by name."""
    values = config.model_dump(mode="json")
    values["refresh_interval"] = format_duration(config.refresh_interval)
    values["refresh_deadline"] = format_duration(config.refresh_deadline)
    values["windows"] = [window.name for window in config.windows]
    values["limits"]["max_artifact_bytes"] = format_size(config.limits.max_artifact_bytes)
    for written, model in zip(values["models"], config.models, strict=True):
        if model.labels:
            written["labels"]["horizon"] = format_duration(model.labels.horizon)
            written["labels"]["tolerance"] = format_duration(model.labels.tolerance)
        if model.writeback and model.writeback.every != ON_CHANGE:
            written["writeback"]["every"] = format_duration(model.writeback.every)
    return values


def _masked_defaults(config: Config) -> dict[Path, str]:
    """Labels without a place of their own have the predictions' one, so its secrets are masked there too."""
    return {
        ("models", position, "labels", place): config.masked[source]
        for position, model in enumerate(config.models)
        for place in ("experiment", "files")
        if (source := ("models", position, "predictions", place)) in config.masked
        if model.labels and getattr(model.labels, place) == getattr(model.predictions, place)
    }


def _shown(value: Any, path: Path, masked: Mapping[Path, str]) -> Any:
    if isinstance(value, dict):
        return {key: _shown(below, (*path, key), masked) for key, below in value.items()}
    if isinstance(value, list):
        return [_shown(below, (*path, position), masked) for position, below in enumerate(value)]
    text = masked.get(path, value)
    # `$$` is how the file writes one `$`.
    return without_secrets(text).replace("$", "$$") if isinstance(text, str) else text
