"""Retraining is recommended from what is stored: over days, across restarts, and with rows that come late."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.samples import Sample
from driftgauge.service.refreshing import refresh_models, shown_of
from driftgauge.store import Store
from driftgauge.windows import MICROSECONDS

NOON: Final = datetime(2026, 1, 9, 12, tzinfo=UTC)
ROWS: Final = 40


def rows(hour: datetime, *, wrong: int) -> Iterator[Mapping[str, Any]]:
    """Yield the labelled rows of an hour, of which so many are wrong."""
    for number in range(ROWS):
        label = number % 2
        time = (hour + timedelta(minutes=number)).isoformat()
        yield {"ts": time, "model_version": "3", "prediction": 1 - label if number < wrong else label, "label": label}


def write(folder: Path, name: str, *, bad: int, days: int = 4) -> None:
    """Write a model's rows of some days up to noon; those of the last `bad` hours are often wrong."""
    (folder / name).mkdir()
    for ago in range(24 * days, 0, -1):
        text = "".join(json.dumps(row) + "\n" for row in rows(NOON - timedelta(hours=ago), wrong=12 * (ago <= bad)))
        with (folder / name / "rows.jsonl").open("a", encoding="utf-8") as file:
            file.write(text)


def recommended(config: Config) -> tuple[dict[str, float], list[str]]:
    """Refresh as a fresh process does; return by model whether to retrain for performance, and what is said of one."""
    store, now = Store.open(config.state_dir), int(NOON.timestamp()) * MICROSECONDS
    try:
        pipeline = Pipeline(config, Feeds(config), store, executor=Inline())
        report, models = refresh_models(config, pipeline, {}, now=now)
        assert report.failures == {}
        found = [each for samples in models.values() for each in samples.get("model_retraining_recommended", ())]
        shown = shown_of(pipeline.memory("lasting"), config, models["lasting"], now=now)
    finally:
        store.close()
    assert {each.labels[1:] for each in found} == {("3", "performance")}
    said = [each["text"] for each in shown["verdicts"] if each["alert"] == "ModelRetrainingRecommended"]
    return {each.labels[0]: each.value for each in found if isinstance(each, Sample)}, said


def test_what_lasts_is_recommended(tmp_path: Path) -> None:
    """A model that is wrong for days; not one that had a bad day, nor one that is known for too short a time."""
    write(tmp_path, "lasting", bad=24 * 4)
    write(tmp_path, "one-bad-day", bad=24)
    write(tmp_path, "young", bad=24, days=1)
    models = [
        {"name": name, "predictions": {"files": str(tmp_path / name)}, "baseline": {"accuracy": 0.95}}
        for name in ("lasting", "one-bad-day", "young")
    ]
    config = Config.model_validate({"state_dir": str(tmp_path / "state"), "models": models})

    first, said = recommended(config)
    assert first == {"lasting": 1.0, "one-bad-day": 0.0, "young": 0.0}
    assert [text.partition(", for ")[2] for text in said] == [
        "performance is beyond its limit now and was on the last 2 days, on 300 labels and more each."
    ]
    # Panes are joined and read back; nothing was remembered, and nothing is forgotten.
    assert recommended(config) == (first, said)

    late = "".join(
        json.dumps(row) + "\n"
        for hour in range(24)
        for _ in range(9)
        for row in rows(datetime(2026, 1, 7, hour, tzinfo=UTC), wrong=0)
    )
    (tmp_path / "lasting" / "late.jsonl").write_text(late, encoding="utf-8")
    assert recommended(config) == ({"lasting": 0.0, "one-bad-day": 0.0, "young": 0.0}, [])
