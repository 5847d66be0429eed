"""The landing page's rows, from the figures that the refresher sent as JSON: what the front shows of each model."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from driftgauge.config import Config, ModelConfig
from driftgauge.web.status import Feature, ModelStatus, Remark, Score, Verdict
from driftgauge.writeback.standing import Waiting

Figures = Mapping[str, Any]


def model_status(
    model: ModelConfig, config: Config, shown: Figures | None, *, error: str | None, waiting: Waiting | None = None
) -> ModelStatus:
    """Return a row of the landing page; `shown` is None of a model that no refresh has seen."""
    values = shown or {}
    return ModelStatus(
        name=model.name,
        task=values.get("task", model.task),
        windows=tuple(window.name for window in config.windows),
        judged=values.get("state", "waiting"),
        version=values.get("version", ""),
        last_prediction=moment(values.get("last_prediction")),
        last_label=moment(values.get("last_label")),
        predictions=values.get("predictions"),
        scores=tuple(Score(**each) for each in values.get("scores", ())),
        drifted_features=values.get("drifted_features"),
        monitored_features=values.get("monitored_features"),
        drift_window=values.get("drift_window", ""),
        worst=tuple(Feature(**each) for each in values.get("worst", ())),
        verdicts=tuple(Verdict(**each) for each in values.get("verdicts", ())),
        notes=tuple(values.get("notes", ())),
        remarks=tuple(_remark(each) for each in values.get("said", ())),
        counts=tuple((each["what"], each["reason"], each["count"]) for each in values.get("counts", ())),
        dashboard=values.get("dashboard", ""),
        failing_runbook=values.get("failing_runbook", ""),
        error=error,
        again=values.get("again"),
        unwritten=waiting.text if waiting else None,
        unwritten_since=moment(waiting.since) if waiting else None,
        unwritten_runbook=values.get("unwritten_runbook", ""),
        monitoring=values.get("monitoring"),
        not_taken=values.get("not_taken"),
    )


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as a time in UTC, None as None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _remark(values: Figures) -> Remark:
    times = {name: datetime.fromtimestamp(values[name], UTC) for name in ("first", "last")}
    return Remark(**{**values, **times})
