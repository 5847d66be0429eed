"""`check-config --online`: whether what a configuration names is there and fits together."""

from pathlib import Path
from typing import Any

from driftgauge.config import Config
from driftgauge.inspection.online import check_online
from inspection.files import Row, lines

ROWS: list[Row] = [{"id": f"r{at}", "ts": 1_767_607_200, "prediction": at % 2} for at in range(20)]


def checked(folder: Path, **model: Any) -> dict[str, tuple[bool, str]]:
    """Return what is said of each part of a model whose files are in a folder."""
    settings = {"name": "churn", "predictions": {"files": str(folder)}, **model}
    config = Config.model_validate({"models": [settings], "mlflow": {"tracking_uri": "sqlite:///x.db"}})
    return {check.what: (check.right, check.text) for check in check_online(config)}


def test_all_is_right(tmp_path: Path) -> None:
    """Counts and the newest time of files, labels that match, and the size of the reference."""
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "p.jsonl").write_bytes(lines(ROWS))
    (tmp_path / "feed" / "labels.jsonl").write_bytes(lines([{"id": f"r{at}", "label": 1} for at in range(10)]))
    (tmp_path / "r.jsonl").write_bytes(lines([{"features": {"age": at}} for at in range(9)]))
    found = checked(tmp_path / "feed", labels={}, reference={"uri": str(tmp_path / "r.jsonl")})

    assert found["predictions"] == (True, "1 file, 20 usable rows, the newest of 2026-01-05T10:00:00Z")
    assert found["join"] == (True, "10 of 10 labels have the key of a prediction")
    assert found["reference"] == (True, "9 rows, 1 feature")
    assert all(right for right, _ in found.values())


def test_each_thing_that_is_wrong_has_its_remedy(tmp_path: Path) -> None:
    """Labels of other ids, files that nobody logs, rows that are mostly rejected, a reference that is not there."""
    (tmp_path / "p.jsonl").write_bytes(lines(ROWS))
    (tmp_path / "labels.jsonl").write_bytes(lines([{"id": f"x{at}", "label": 1} for at in range(10)]))
    found = checked(tmp_path, labels={}, reference={"uri": str(tmp_path / "gone.jsonl")})

    assert [found[what][0] for what in ("predictions", "labels", "join", "reference")] == [True, True, False, False]
    assert "log the same ids" in found["join"][1]
    assert "correct models[].reference.uri" in found["reference"][1]
    other = {"files": str(tmp_path), "artifacts": "other*"}
    assert "correct predictions.artifacts" in checked(tmp_path, predictions=other)["predictions"][1]
    assert "create it" in checked(tmp_path / "gone")["files"][1]
    (tmp_path / "p.jsonl").write_bytes(lines([{**row, "ts": "never"} for row in ROWS[:15]] + ROWS[15:]))
    assert checked(tmp_path)["predictions"][0] is False


def test_what_a_version_says_is_looked_at_first(tmp_path: Path) -> None:
    """A model is checked as its file has it; one that cannot be used is said, and the rest is looked at."""
    feed, good, bad = (tmp_path / name for name in ("feed", "good.yml", "bad.yml"))
    feed.mkdir()
    (feed / "p.jsonl").write_bytes(lines([{**row, "when": row["ts"], "ts": "never"} for row in ROWS]))
    good.write_text("columns: {timestamp: when}")
    bad.write_text("state_dir: /")
    models = [{"name": said.stem, "predictions": {"files": str(feed)}, "monitoring": str(said)} for said in (good, bad)]
    found = {(check.model, check.what): check for check in check_online(Config.model_validate({"models": models}))}
    assert found["good", "monitoring"].text == f"as {good} says"
    assert [found["good", what].right for what in ("monitoring", "predictions")] == [True, True]
    assert "is not for a version to say" in found["bad", "monitoring"].text
    assert [found["bad", what].right for what in ("monitoring", "predictions")] == [False, False]
