"""Where a model's rows and reference come from, and where results go to."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from driftgauge.config.fields import EveryField, Glob, Location, Role, Text, at_least_one, seconds_between
from driftgauge.config.section import Section
from driftgauge.config.units import DAY, HOUR, SECOND
from driftgauge.config.wording import RuleError
from driftgauge.schema import SPELLINGS


class Predictions(Section):
    """Where prediction files are: in an MLflow experiment or below `files`, one of the two; a glob on their paths."""

    files: Location | None = None
    experiment: Text | None = Field(None, validate_default=True)
    artifacts: Glob = "*"

    @field_validator("experiment")
    @classmethod
    def _one_place(cls, experiment: str | None, info: ValidationInfo) -> str | None:
        if experiment is None and "files" in info.data and info.data["files"] is None:
            raise PydanticKnownError("missing")
        return _only(experiment, info)


class Labels(Section):
    """Where ground truth is and how it finds its prediction. `horizon` in seconds.

    `files` or `experiment` is the predictions' one unless one is written: `ModelConfig` fills it in.
    """

    files: Location | None = None
    experiment: Text | None = None
    artifacts: Glob = "labels*"
    key: Annotated[tuple[Text, ...], at_least_one] = ("request_id",)
    horizon: Annotated[float, seconds_between(SECOND, 3650 * DAY)] = 30 * DAY
    window_by: Literal["label_time", "prediction_time"] = "label_time"
    tolerance: Annotated[float, seconds_between(0, DAY)] = 0.0
    columns: dict[Role, Text] = Field(default_factory=dict)

    @field_validator("tolerance")
    @classmethod
    def _of_a_time(cls, tolerance: float, info: ValidationInfo) -> float:
        key = info.data.get("key")
        if tolerance and key is not None and sum(part in SPELLINGS["timestamp"] for part in key) != 1:
            raise RuleError("needs one time among labels.key, like key: [timestamp]")
        return tolerance

    @field_validator("columns")
    @classmethod
    def _one_role_each(cls, columns: dict[str, str]) -> dict[str, str]:
        return one_role_each(columns)

    @field_validator("experiment")
    @classmethod
    def _one_place(cls, experiment: str | None, info: ValidationInfo) -> str | None:
        return _only(experiment, info)


class ReferenceSource(Section):
    """The data that live traffic is compared with: an MLflow or storage URI, or a path."""

    uri: Text


class Writeback(Section):
    """Where results are written: an MLflow experiment of their own. `every` in seconds, or when findings change."""

    experiment: Text
    every: EveryField = HOUR


def one_role_each(columns: dict[str, str]) -> dict[str, str]:
    """Return columns by role; raise RuleError where one has two."""
    role_of: dict[str, str] = {}
    for role, column in columns.items():
        if column in role_of:
            raise RuleError(f"is the column of {role_of[column]} already; a column has one role", at=(role,))
        role_of[column] = role
    return columns


def _only(experiment: str | None, info: ValidationInfo) -> str | None:
    if experiment is not None and info.data.get("files") is not None:
        raise RuleError("is next to files; keep one of the two")
    return experiment
