"""`thresholds.yml` as frozen values: the one source of every severity, threshold, window and waiting time.

    thresholds = parse(text, filename="thresholds.yml")        # or `shipped()`
    thresholds.alerts.ModelPredictionShifted.psi               # for all models
    thresholds.alert("ModelPredictionShifted").severity        # by name
    thresholds.for_model("churn-predictor").alerts…            # for one model; same structure
    thresholds.for_model("churn-predictor").windows.drift.name

A user's file is merged over the shipped one, so it needs only what differs. In the same way `models.<name>.alerts` and
`models.<name>.windows` are merged over the file's own. This module does not know what is rendered from them.
"""

from collections.abc import Mapping
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from driftgauge.config.document import ParsedFile, read
from driftgauge.config.fields import Metric, Name, Number, Text, WindowField
from driftgauge.config.reading import checked
from driftgauge.config.section import Section
from driftgauge.config.units import format_duration
from driftgauge.config.wording import Mistake, RuleError, suggestion
from driftgauge.generator.alerts import COMMON_KEYS, MODEL_ALERTS, WATCHDOG, Alert, Alerts, Duration, watched
from driftgauge.generator.duties import Duties
from driftgauge.generator.notifications import Notifications, left_out

SHIPPED: Final = "thresholds.yml"
# Its path in this repository and in a rendered folder.
FILE: Final = f"alerting-rules/{SHIPPED}"


def _web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(sign in text for sign in " \"'{}<>\\"):
        raise ValueError("must be an address like https://grafana.example.com")
    return text.rstrip("/")


def _label(text: str) -> str:
    if not (text.isascii() and text.isidentifier()):
        raise ValueError("must be a label name like env or cluster")
    return text


Address = Annotated[Text, AfterValidator(_web_address)]
LabelName = Annotated[Name, AfterValidator(_label)]
Bounds = Annotated[dict[Metric, Number], BeforeValidator(watched)]


class Links(Section):
    """Where the links of notifications lead; without a slash at the end. reports: None where nobody can open them."""

    runbooks: Address
    grafana: Address
    mlflow: Address
    reports: Annotated[Address | None, left_out]


class ScrapeJob(Section):
    """How Prometheus scrapes driftgauge. `refresh_interval` in seconds."""

    job: Name
    refresh_interval: Duration
    target_labels: tuple[LabelName, ...]


class Windows(Section):
    """The window of each kind of alert; `name` is the value of the label `window`."""

    performance: WindowField
    drift: WindowField
    quality: WindowField
    service: WindowField
    traffic: WindowField
    labels: WindowField


class ModelThresholds(Section):
    """The settings of one model. `alerts` and `windows` are complete: keys that its section lacks are filled in."""

    team: Name | None = None
    floors: Bounds = Field(default_factory=dict)
    ceilings: Bounds = Field(default_factory=dict)
    windows: Windows
    alerts: Alerts

    @model_validator(mode="after")
    def _bounds_on_the_right_side(self) -> Self:
        for key, bounds, other, errors in (
            ("floors", self.floors, "ceilings", True),
            ("ceilings", self.ceilings, "floors", False),
        ):
            for metric in bounds:
                if (metric in ERRORS) is errors:
                    worse = "higher" if errors else "lower"
                    raise RuleError(f"{metric} is worse when {worse}; write it under {other}", at=(key, metric))
        return self


# Metrics that are better when lower.
ERRORS: Final = frozenset({"log_loss", "brier_score", "mse", "rmse", "mae"})


class _Own(Section):
    """A file of a registered version, as far as it is about thresholds."""

    thresholds: ModelThresholds


class Thresholds(Section):
    """The whole file. `smoothing` and `activity` in seconds."""

    links: Links
    exporter: ScrapeJob
    windows: Windows
    smoothing: Duration
    activity: Duration
    notifications: Notifications
    playbook: Duties
    alerts: Alerts
    models: dict[Name, ModelThresholds]

    def alert(self, name: str) -> Alert:
        """Return an alert by its name."""
        found: Alert = getattr(self.alerts, name)
        return found

    def for_model(self, name: str) -> ModelThresholds:
        """Return the settings for a model, whether the file names it or not."""
        return self.models.get(name) or self._any_model

    @cached_property
    def _any_model(self) -> ModelThresholds:
        return ModelThresholds(windows=self.windows, alerts=self.alerts)

    @model_validator(mode="after")
    def _known_teams(self) -> Self:
        for name, model in self.models.items():
            if model.team is not None and model.team not in self.notifications.teams:
                near = suggestion(model.team, self.notifications.teams, "teams")
                raise RuleError(f"is no team of notifications.teams; {near}", at=("models", name, "team"))
        return self

    @model_validator(mode="after")
    def _hook_gets_alerts_on_models(self) -> Self:
        for at, name in enumerate(self.notifications.hook.alerts if self.notifications.hook else ()):
            if name not in MODEL_ALERTS:
                text = f"is no alert on a model; {suggestion(name, MODEL_ALERTS, 'alerts')}"
                raise RuleError(text, at=("notifications", "hook", "alerts", at))
        return self

    @model_validator(mode="after")
    def _severity_is_notified(self) -> Self:
        for name in Alerts.model_fields:
            if name != WATCHDOG and self.alert(name).severity == "none":
                text = f'"none" is the severity of {WATCHDOG} alone; write low, or enabled: false'
                raise RuleError(text, at=("alerts", name, "severity"))
        return self

    @model_validator(mode="after")
    def _outlasts_single_values(self) -> Self:
        two_refreshes = 2 * self.exporter.refresh_interval
        for name in Alerts.model_fields:
            smoothed = name in MODEL_ALERTS
            shortest = two_refreshes + (self.smoothing if smoothed else 0)
            if name != WATCHDOG and self.alert(name).for_ < shortest:
                sum_of = "smoothing and two refreshes" if smoothed else "two refreshes"
                text = f"must be at least {format_duration(shortest)} ({sum_of}), or one bad value fires"
                raise RuleError(text, at=("alerts", name, "for"))
        return self


def shipped() -> Thresholds:
    """Return the thresholds that ship with driftgauge."""
    return parse("{}", filename=SHIPPED)


def shipped_text() -> str:
    """Return the file that ships with driftgauge, comments and all."""
    return resources.files("driftgauge.generator").joinpath(SHIPPED).read_text(encoding="utf-8")


@cache
def _shipped_values() -> Mapping[str, Any]:
    return read(shipped_text(), filename=SHIPPED, environ={}).values


def parse(text: str, *, filename: str) -> Thresholds:
    """Return the thresholds that YAML `text` describes on top of the shipped ones.

    Raises ConfigError; its message has one line per mistake, `filename:line: path: what; remedy`, in file order.
    """
    document = read(text, filename=filename, environ={})
    shipped_values = _shipped_values()
    values = _on_top(shipped_values, document.values)
    models = values["models"]
    mistakes = [*document.mistakes, *_common_keys_of_models(document)]
    if isinstance(models, dict):
        # First without the settings that models inherit, so that a mistake in these is reported once.
        plain = {name: _completed(model, shipped_values, own=False) for name, model in models.items()}
        checked(Thresholds, values | {"models": plain}, document=document, filename=filename, mistakes=mistakes)
        values |= {"models": {name: _completed(model, values, own=True) for name, model in models.items()}}
    return checked(Thresholds, values, document=document, filename=filename, mistakes=mistakes)


def own(thresholds: Thresholds, model: str, text: str, *, filename: str) -> Thresholds:
    """Return thresholds in which a model has what its registered version says, unless they name the model themselves.

    text: of the version's file, which has them under `thresholds`: floors, ceilings, windows, alerts.
    Raises ConfigError as `parse` does.
    """
    document, top = read(text, filename=filename, environ=None), "thresholds"
    said = document.values.get(top)
    mistakes = [
        Mistake(line, path, "is the same for all models; write it into thresholds.yml")
        for path, line in document.lines.items()
        if path[:2] == (top, "alerts") and len(path) == 4 and path[3] in COMMON_KEYS
    ]
    if isinstance(said, dict) and "team" in said:
        mistakes.append(
            Mistake(document.lines[top, "team"], (top, "team"), "is not for a version to say; leave it out")
        )
    windows = {name: getattr(thresholds.windows, name).name for name in Windows.model_fields}
    values = {"windows": windows, "alerts": thresholds.alerts.model_dump(by_alias=True)}
    completed = {top: _completed(said, values, own=True)}
    found = checked(_Own, completed, document=document, filename=filename, mistakes=mistakes)
    if model in thresholds.models:
        return thresholds
    return thresholds.model_copy(update={"models": {**thresholds.models, model: found.thresholds}})


def _on_top(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings, key by key; a key with nothing after it counts as not written."""
    merged = dict(base)
    for key, value in above.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _on_top(below, value)
        elif value is not None or key not in merged:
            merged[key] = value
    return merged


def _completed(model: Any, values: Mapping[str, Any], *, own: bool) -> Any:
    """Merge a model's section over the settings for all models; without its `own` settings when that is false."""
    if model is None:
        model = {}
    if not isinstance(model, dict):
        return model
    completed = dict(model)
    for key in ("windows", "alerts"):
        said = model.get(key)
        if said is None or (isinstance(said, dict) and not own):
            completed[key] = values[key]
        elif isinstance(said, dict):
            completed[key] = _on_top(values[key], said)
    return completed


def _common_keys_of_models(document: ParsedFile) -> list[Mistake]:
    models = document.values.get("models")
    return [
        Mistake(line, path, "is the same for all models; move it to the alert itself")
        for path, line in document.lines.items()
        if isinstance(models, dict) and len(path) == 5 and path[0] == "models" and path[2] == "alerts"
        if path[4] in COMMON_KEYS
    ]
