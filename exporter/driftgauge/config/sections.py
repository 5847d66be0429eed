"""What a valid configuration is: one frozen pydantic class per section of the file.

Rules about one value are in `fields`. A rule about two values is a validator of the later one, so that each mistake is
reported once. This module does not know lines and file names. Units: seconds and bytes.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from driftgauge.config.conditions import Condition, ConditionField
from driftgauge.config.fields import (
    ALL_SIGNALS,
    METRICS,
    Bytes,
    ClassName,
    Derived,
    Effect,
    Fraction,
    HostAndPort,
    IncludedField,
    Metric,
    Name,
    Number,
    Role,
    Signal,
    Text,
    TrackingUri,
    Whole,
    Window,
    WindowField,
    Zone,
    at_least_one,
    seconds_between,
)
from driftgauge.config.groups import ungrouped
from driftgauge.config.places import Labels, Predictions, ReferenceSource, Writeback, one_role_each
from driftgauge.config.section import Section, WholeFile
from driftgauge.config.units import DAY, HOUR, MINUTE, SECOND
from driftgauge.config.wording import RuleError
from driftgauge.families import BASIC_SIGNALS
from driftgauge.schema import Average, LatencyUnit, ScoreScale, Task
from driftgauge.sharding import Shard, shard_of

MAX_WINDOWS: Final = 8
# Stands for a default that depends on another field.
_COMPUTED: Final = float("nan")


class Mlflow(Section):
    """The tracking server; `parse` fills in `MLFLOW_TRACKING_URI` and refuses to go on without either.

    artifact_hosts: others that its runs may name for their files.
    """

    tracking_uri: TrackingUri | None = None
    artifact_hosts: tuple[HostAndPort, ...] = ()


class Limits(Section):
    """Bounds on what one artifact or model may cost."""

    max_artifact_bytes: Bytes = 512 * 2**20
    max_features: Whole = Field(500, ge=1)
    max_categories: Whole = Field(200, ge=1)
    max_versions: Whole = Field(5, ge=1)
    max_series: Whole = Field(200_000, ge=1)
    max_segments: Whole = Field(20, ge=1)


class Score(Section):
    """What scores of the positive class are; unless it is said, they have to be probabilities."""

    scale: ScoreScale | None = None


class Features(Section):
    """Which columns are features; an `include` that names none means all that are found, and what is derived."""

    include: tuple[IncludedField, ...] = ()
    exclude: tuple[Text, ...] = ()
    categorical: tuple[Text, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are features, as they are."""
        return tuple(entry for entry in self.include if isinstance(entry, str))

    @property
    def derived(self) -> tuple[Derived, ...]:
        """The features that are computed from columns of dates."""
        return tuple(entry for entry in self.include if isinstance(entry, Derived))

    @field_validator("exclude")
    @classmethod
    def _not_included(cls, exclude: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for position, name in enumerate(exclude):
            if name in info.data.get("include", ()):
                raise RuleError("is under include as well; keep one of the two", at=(position,))
        return exclude


class Drift(Section):
    """When a feature counts as drifted: effect sizes, significance level, and bins (exporter/docs/statistics.md)."""

    significance: Fraction = 0.01
    correction: Literal["benjamini-hochberg", "none"] = "benjamini-hochberg"
    ks: Effect = 0.1
    tvd: Effect = 0.1
    psi: Number = Field(0.2, gt=0)
    min_samples: Whole = Field(50, ge=2)
    bins: Whole = Field(10, ge=2, le=100)
    binning: Literal["quantile", "uniform"] = "quantile"
    rule: Literal["effect", "budget", "significance"] = "effect"
    grid: Whole = Field(10_000, ge=100, le=1_000_000)


class Alarms(Section):
    """How many false alarms a year are put up with, for each window (exporter/docs/statistics.md)."""

    per_year: Number = Field(1.0, gt=0, le=1000)


class ModelConfig(Section):
    """One monitored model. Its rules about two fields see only those that are valid so far."""

    name: Name
    task: Task = "binary"
    threshold: Fraction = 0.5
    positive_class: ClassName | None = None
    score: Score = Score()
    predictions: Predictions
    labels: Labels | None = None
    reference: ReferenceSource | None = None
    monitoring: Text | None = None
    writeback: Writeback | None = None
    baseline: dict[Metric, Number] | None = None
    average: Average = "weighted"
    columns: dict[Role, Text] = Field(default_factory=dict)
    timezone: Zone = "UTC"
    latency_unit: LatencyUnit | None = None
    deduplicate: bool = False
    features: Features = Features()
    segments: dict[Name, dict[Text, ConditionField]] = Field(default_factory=dict)
    drift: Drift = Drift()
    publish_bins: bool = False
    alarms: Alarms = Alarms()
    signals: tuple[Signal, ...] = ALL_SIGNALS
    keep_request_ids: bool = True

    _judging: str = PrivateAttr(default="")

    @property
    def judging(self) -> str:
        """The text of its registered version's file, if that has thresholds of its own; else ""."""
        return self._judging

    def judge_by(self, text: str) -> None:
        """Know the text of its registered version's file."""
        self._judging = text

    @property
    def experiments(self) -> frozenset[str]:
        """The MLflow experiments that its rows are read from, as they are written."""
        places = (self.predictions.experiment, self.labels.experiment if self.labels else None)
        return frozenset(place for place in places if place)

    @field_validator("signals", mode="before")
    @classmethod
    def _default_signals(cls, signals: Any) -> Any:
        return ALL_SIGNALS if signals == "default" else signals

    @field_validator("signals")
    @classmethod
    def _with_basic_signals(cls, signals: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in ALL_SIGNALS if name in BASIC_SIGNALS or name in signals)

    @field_validator("labels")
    @classmethod
    def _same_place(cls, labels: Labels | None, info: ValidationInfo) -> Labels | None:
        predictions = info.data.get("predictions")
        if labels is None or labels.experiment or labels.files or predictions is None:
            return labels
        return labels.model_copy(update={"experiment": predictions.experiment, "files": predictions.files})

    @field_validator("baseline")
    @classmethod
    def _metrics_of_the_task(cls, baseline: dict[str, float] | None, info: ValidationInfo) -> dict[str, float] | None:
        task = info.data.get("task")
        fitting = [metric for metric, (tasks, _) in METRICS.items() if task in tasks]
        for metric, value in (baseline or {}).items():
            if task and metric not in fitting:
                raise RuleError(f"does not fit task {task}; valid metrics: {', '.join(fitting)}", at=(metric,))
            _, allowed = METRICS[metric]
            if not allowed.lowest <= value <= allowed.highest:
                raise RuleError(f"must be {allowed.words}, but is {value:g}", at=(metric,))
        return baseline

    @field_validator("average")
    @classmethod
    def _average_of_the_task(cls, average: Average, info: ValidationInfo) -> Average:
        task = info.data.get("task", "binary")
        if average == "binary" and task != "binary":
            raise RuleError(f'"binary" needs task binary, and this one is {task}; use weighted, macro or micro')
        return average

    @field_validator("positive_class")
    @classmethod
    def _class_of_the_task(cls, positive: str | None, info: ValidationInfo) -> str | None:
        task = info.data.get("task", "binary")
        if positive is not None and task != "binary":
            raise RuleError(f"needs task binary, and this one is {task}; leave it out")
        return positive

    @field_validator("columns")
    @classmethod
    def _one_role_each(cls, columns: dict[str, str]) -> dict[str, str]:
        return one_role_each(columns)

    @field_validator("segments", mode="before")
    @classmethod
    def _ungrouped(cls, segments: object) -> object:
        return ungrouped(segments)

    @field_validator("segments")
    @classmethod
    def _of_features(
        cls, segments: dict[str, dict[str, Condition]], info: ValidationInfo
    ) -> dict[str, dict[str, Condition]]:
        features: Features = info.data.get("features", Features())
        for name, conditions in segments.items():
            if not conditions:
                raise RuleError("must have at least one condition, like country: DE", at=(name,))
            for feature, condition in conditions.items():
                if condition.every and info.data.get("reference") is None:
                    raise RuleError("stands for the values of a reference; set one, or list them", at=(name, feature))
                known = {*features.names, *(derived.name for derived in features.derived)}
                if feature in features.exclude or (features.names and feature not in known):
                    raise RuleError("is no feature, as features says, so no row could meet it", at=(name, feature))
        return segments


class Config(WholeFile):
    """The whole file. `refresh_interval` and `refresh_deadline` in seconds; thresholds: the path of thresholds.yml."""

    mlflow: Mlflow = Mlflow()
    refresh_interval: Annotated[float, seconds_between(SECOND / 10, DAY)] = 30 * SECOND
    # What is not written is computed from the interval.
    refresh_deadline: Annotated[float, seconds_between(10 * SECOND, 30 * DAY)] = Field(_COMPUTED, validate_default=True)
    state_dir: Text = "./driftgauge-state"
    windows: Annotated[tuple[WindowField, ...], at_least_one] = (
        Window("1h", int(HOUR)),
        Window("24h", int(DAY)),
        Window("7d", int(7 * DAY)),
    )
    limits: Limits = Limits()
    thresholds: Text | None = None
    models: Annotated[tuple[ModelConfig, ...], at_least_one]

    def of_shard(self, shard: Shard) -> "Config":
        """Return what one of several exporters reads and serves of it: of the models those that fall to it."""
        taken = [place for place, model in enumerate(self.models) if shard.takes(model.name)]
        others = (model.name for model in self.models if not shard.takes(model.name))
        found = self.model_copy(update={"models": tuple(self.models[place] for place in taken)})
        found.leave(taken, shard, {name: shard_of(name, shard.total) for name in others})
        return found

    @field_validator("refresh_deadline", mode="before")
    @classmethod
    def _ten_intervals(cls, deadline: object, info: ValidationInfo) -> object:
        interval = info.data.get("refresh_interval", 0.0)
        return max(10 * interval, 5 * MINUTE) if deadline is _COMPUTED else deadline

    @field_validator("windows")
    @classmethod
    def _different_lengths(cls, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        if len(windows) > MAX_WINDOWS:
            raise RuleError(f"has {len(windows)} entries; keep at most {MAX_WINDOWS}, for each adds its own series")
        for position, first in _repeats([window.seconds for window in windows]):
            raise RuleError(f"is as long as windows[{first}]; keep one of the two", at=(position,))
        return windows

    @field_validator("models")
    @classmethod
    def _different_names(cls, models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        for position, first in _repeats([model.name for model in models]):
            raise RuleError(f"is the name of models[{first}] too; give each model its own", at=(position, "name"))
        return models

    @field_validator("models")
    @classmethod
    def _results_are_no_rows(cls, models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        read = {place: number for number, model in enumerate(models) for place in model.experiments}
        for position, model in enumerate(models):
            if model.writeback and (reader := read.get(model.writeback.experiment)) is not None:
                text = f"is what models[{reader}] reads; write results to an experiment of their own"
                raise RuleError(text, at=(position, "writeback", "experiment"))
        return models


def _repeats(values: list[Any]) -> Iterator[tuple[int, int]]:
    firsts: dict[Any, int] = {}
    for position, value in enumerate(values):
        first = firsts.setdefault(value, position)
        if first < position:
            yield position, first
