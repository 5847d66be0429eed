"""`parse` turns text and environment into a valid `Config` or raises all mistakes; `checked` is for other files."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from driftgauge.config.document import ParsedFile, read
from driftgauge.config.mistakes import line_at, mistake
from driftgauge.config.section import Section
from driftgauge.config.sections import Config
from driftgauge.config.wording import Mistake, path_text
from driftgauge.errors import ConfigError

TRACKING_URI_VARIABLE: Final = "MLFLOW_TRACKING_URI"

# References that only a tracking server can find.
_OF_MLFLOW: Final = ("runs:", "models:", "mlflow-artifacts:")

SectionT = TypeVar("SectionT", bound=Section)


def parse(text: str, *, filename: str, environ: Mapping[str, str]) -> Config:
    """Return the configuration that YAML `text` describes, `${VAR}` and a missing tracking URI read from `environ`.

    Raises ConfigError; its message has one line per mistake, `filename:line: path: what; remedy`, in file order.
    """
    document = read(text, filename=filename, environ=environ)
    values = _with_tracking_uri(_with_hidden_names(document), environ)
    mistakes = [*document.mistakes, *_missing_tracking_uri(values, document)]
    return checked(Config, values, document=document, filename=filename, mistakes=mistakes)


def checked(
    section: type[SectionT],
    values: dict[str, Any],
    *,
    document: ParsedFile,
    filename: str,
    mistakes: list[Mistake],
) -> SectionT:
    """Return `values` as a section.

    document: the file that the values, or most of them, come from. mistakes: those already found in it.
    Raises ConfigError as `parse` does, with these mistakes and the section's own on other paths.
    """
    try:
        valid = section.model_validate(values, context=document.masked)
    except ValidationError as error:
        known = {each.path for each in mistakes}
        found = [mistake(details, document, section) for details in error.errors(include_url=False)]
        # Not chained: what rules say of secret values is hidden above, and not in pydantic's text.
        raise _refusal(filename, mistakes + [each for each in found if each.path not in known]) from None
    if mistakes:
        raise _refusal(filename, mistakes)
    return valid


def load_mapping(text: str, *, filename: str) -> dict[str, Any]:
    """Return the plain values of another YAML file (the web configuration), with the same bounds and no variables.

    Raises ConfigError as `parse` does; what the keys mean is the caller's business.
    """
    document = read(text, filename=filename, environ={})
    if document.mistakes:
        raise _refusal(filename, list(document.mistakes))
    return document.values


def named_thresholds(text: str, *, filename: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of the thresholds that a configuration names, before it is checked; None without one.

    Raises ConfigError when the text is no YAML.
    """
    named = read(text, filename=filename, environ=environ).values.get("thresholds")
    return named if isinstance(named, str) and named else None


def _with_hidden_names(document: ParsedFile) -> dict[str, Any]:
    """Return the values; models whose name has a secret get the text to show as their name, for names are labels."""
    models = document.values.get("models")
    if not isinstance(models, list):
        return document.values
    named = [
        model | {"name": document.masked[path]} if (path := ("models", position, "name")) in document.masked else model
        for position, model in enumerate(models)
    ]
    return document.values | {"models": named}


def _with_tracking_uri(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    section = values.get("mlflow")
    if section is None:
        section = {}
    if not isinstance(section, dict) or section.get("tracking_uri") is not None:
        return values
    return values | {"mlflow": section | {"tracking_uri": environ.get(TRACKING_URI_VARIABLE) or None}}


def _missing_tracking_uri(values: dict[str, Any], document: ParsedFile) -> list[Mistake]:
    section = values["mlflow"]
    if not isinstance(section, dict) or section["tracking_uri"] is not None or not _needs_mlflow(values):
        return []
    path = ("mlflow", "tracking_uri")
    remedy = f"write it, like http://mlflow:5000, or set {TRACKING_URI_VARIABLE} in the environment"
    return [Mistake(line_at(path, document.lines), path, f"is missing; {remedy}")]


def _needs_mlflow(values: dict[str, Any]) -> bool:
    """Return whether anything is read from MLflow; what is not a model at all is told as such, and this too."""
    models = values.get("models")
    return not (isinstance(models, list) and models and all(map(_is_without_mlflow, models)))


def _is_without_mlflow(model: Any) -> bool:
    if not isinstance(model, dict):
        return False
    sections = [model.get(name) or {} for name in ("predictions", "labels", "reference")]
    if not all(isinstance(section, dict) for section in sections):
        return False
    predictions, labels, reference = sections
    uris = (reference.get("uri"), model.get("monitoring"))
    return (
        bool(predictions.get("files"))
        and not model.get("writeback")
        and not labels.get("experiment")
        and not any(isinstance(uri, str) and uri.startswith(_OF_MLFLOW) for uri in uris)
    )


def _refusal(filename: str, mistakes: list[Mistake]) -> ConfigError:
    in_order = sorted(mistakes, key=lambda each: each.line)
    return ConfigError("\n".join(f"{filename}:{each.line}: {_line_text(each)}" for each in in_order))


def _line_text(one: Mistake) -> str:
    return f"{path_text(one.path)}: {one.text}" if one.path else one.text
