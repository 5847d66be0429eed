"""What every section of a file has in common, and what the whole file knows besides its values."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, model_validator

from driftgauge.config.wording import Path
from driftgauge.sharding import Shard


class Section(BaseModel):
    """A mapping in the file: unknown keys are refused, and a key with nothing after it counts as not written."""

    # pydantic's own texts leave inputs out, since those may contain passwords and texts may end up in a traceback.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {key: value for key, value in values.items() if value is not None or key not in cls.model_fields}


class WholeFile(Section):
    """A file of models, some of which other exporters may take."""

    _masked: dict[Path, str] = PrivateAttr(default_factory=dict)
    _shard: Shard = PrivateAttr(default=Shard())
    _elsewhere: Mapping[str, int] = PrivateAttr(default_factory=dict)
    _judging: str | None = PrivateAttr(default=None)

    @property
    def masked(self) -> dict[Path, str]:
        """The text to show for each value that contains a secret variable, by path."""
        return self._masked

    @property
    def shard(self) -> Shard:
        """The exporter whose models these are."""
        return self._shard

    @property
    def elsewhere(self) -> Mapping[str, int]:
        """The models of the file that other exporters take, and which shard each of them is."""
        return self._elsewhere

    @property
    def judging(self) -> str | None:
        """The text of the thresholds that the file names; None where it names none, or they were not read."""
        return self._judging

    def judge_by(self, thresholds: str | None) -> None:
        """Know the text of the thresholds."""
        self._judging = thresholds

    def model_post_init(self, context: dict[Path, str] | None, /) -> None:
        """Keep the validation context, which is `masked`."""
        self._masked = context or {}

    def leave(self, models: Sequence[int], shard: Shard, elsewhere: Mapping[str, int]) -> None:
        """Know that only the models of these positions are left here, in this order."""
        self._masked = {moved: text for path, text in self._masked.items() if (moved := _moved(path, models))}
        self._shard, self._elsewhere = shard, elsewhere


def _moved(path: Path, models: Sequence[int]) -> Path:
    """Return where a path leads when only these models are left, in this order; nowhere if its model is not there."""
    if path[:1] != ("models",) or len(path) == 1:
        return path
    return ("models", models.index(path[1]), *path[2:]) if path[1] in models else ()
