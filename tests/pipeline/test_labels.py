"""Labels by keys that are not unique, from files to the metrics, against the rows in plain Python."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from driftgauge.config import Config
from driftgauge.pipeline.executor import Inline
from driftgauge.pipeline.feeds import Feeds
from driftgauge.pipeline.refresh import Pipeline
from driftgauge.store import Store
from pipeline.conftest import NOW, SECONDS, Values, published

OF_ONE = 100
Row = Mapping[str, Any]


@dataclass
class Folders:
    """Folders with predictions and labels, and a state that outlives the processes on it."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)
    warnings: list[Mapping[str, Any]] = field(default_factory=list)

    def put(self, name: str, rows: Sequence[Row | str]) -> None:
        """Write a file of JSON lines, in place of what was there; text is a line as it is."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))

    def refreshed(self) -> Values:
        """Refresh in a process of its own, and return the values."""
        labels = {"files": str(self.root / "truth"), **self.settings.get("labels", {})}
        model = {"name": "m", "predictions": {"files": str(self.root / "served")}, **self.settings, "labels": labels}
        config = Config.model_validate({"models": [model], "state_dir": str(self.root / "state")})
        for place in ("served", "truth"):
            (self.root / place).mkdir(exist_ok=True)
        store = Store.open(config.state_dir)
        try:
            pipeline = Pipeline(config, Feeds(config), store, executor=Inline())
            with capture_logs() as logs:
                report = pipeline.refresh(NOW)
            assert report.failures == {}
            self.warnings += [each for each in logs if each["log_level"] == "warning"]
            return published(pipeline, config)
        finally:
            store.close()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Return empty folders."""
    return Folders(tmp_path)


def batch(key: str, classes: Sequence[int], *, ago: float = 60, **more: Any) -> list[Row]:
    """Return the predictions of one request."""
    return [{"request_id": key, "timestamp": SECONDS - ago, "prediction": each, **more} for each in classes]


def truth(key: str, classes: Sequence[int | None], *, ago: float = 30) -> list[dict[str, Any]]:
    """Return the labels of one request."""
    return [{"request_id": key, "timestamp": SECONDS - ago, "label": each} for each in classes]


def accuracy(values: Values) -> float | None:
    """Return the accuracy of the last hour."""
    return values.get(("model_accuracy", "unknown", "1h"))


def ambiguous(values: Values) -> float:
    """Return how many labels were rejected for their key."""
    return values.get(("model_rows_rejected_total", "ambiguous_key"), 0)


def test_one_id_for_each_batch(folders: Folders) -> None:
    """The tutorial: one id for each call of predict, labels in the same order. The accuracy is that of the rows."""
    dice = random.Random(17)  # noqa: S311 - repeatable, not secret
    right = 0
    for number in range(10):
        predicted = [dice.randint(0, 1) for _ in range(OF_ONE)]
        known = [each if dice.random() < 0.69 else 1 - each for each in predicted]
        right += sum(map(int.__eq__, predicted, known))
        folders.put(f"served/{number}.jsonl", batch(f"b{number}", predicted))
        folders.put(f"truth/labels{number}.jsonl", truth(f"b{number}", known))
    values = folders.refreshed()
    assert accuracy(values) == pytest.approx(right / 1000, abs=1e-12)
    assert values["model_labels_total", "unknown"] == 1000
    assert (values["model_label_match_ratio",], ambiguous(values), folders.warnings) == (1, 0, [])


PREDICTED, KNOWN = [1, 0, 1, 0], [1, 1, 1, 0]
SERVED = batch("a", PREDICTED)
CASES: dict[str, tuple[dict[str, list[Any]], float | None]] = {
    "as many": ({"truth/labels.jsonl": truth("a", KNOWN)}, 0.75),
    "fewer": ({"truth/labels.jsonl": truth("a", KNOWN[1:])}, None),
    "one more": ({"truth/labels.jsonl": truth("a", [*KNOWN, 1])}, None),
    "in two files": (
        {"truth/labels1.jsonl": truth("a", KNOWN[:2]), "truth/labels2.jsonl": truth("a", KNOWN[2:])}, None
    ),
    "corrected": (
        {"truth/labels1.jsonl": truth("a", KNOWN), "truth/labels2.jsonl": truth("a", PREDICTED, ago=20)}, 1.0
    ),
    "some not known yet": ({"truth/labels.jsonl": truth("a", [1, None, 1, 1])}, 2 / 3),
    "a rejected row on each side": (
        {
            "served/p.jsonl": [*SERVED[:1], {**SERVED[1], "prediction": None}, *SERVED[2:]],
            "truth/labels.jsonl": [*truth("a", KNOWN[:3]), {**truth("a", [0])[0], "label": 0.5}],
        },
        1.0,
    ),
    "a failed request among them": (
        {"served/p.jsonl": [*SERVED[:1], {**SERVED[1], "error": "boom"}, *SERVED[2:]],
         "truth/labels.jsonl": truth("a", KNOWN)}, 1.0
    ),
    "lines that cannot be read": (
        {"served/p.jsonl": [*SERVED[:1], "{", *SERVED[2:]], "truth/labels.jsonl": [*truth("a", KNOWN[:3]), "{"]}, None
    ),
    "in another file as well": (
        {"served/q.jsonl": batch("a", PREDICTED, ago=50), "truth/labels.jsonl": truth("a", KNOWN)}, None
    ),
    "logged twice": ({"served/q.jsonl": SERVED, "truth/labels.jsonl": truth("a", KNOWN)}, 0.75),
    "by two versions": (
        {"served/q.jsonl": batch("a", PREDICTED, model_version="shadow"), "truth/labels.jsonl": truth("a", KNOWN)}, 0.75
    ),
    "numbered in another order": (
        {
            "served/p.jsonl": [{**row, "row": at} for at, row in enumerate(SERVED)],
            "truth/labels.jsonl": [{**row, "row": at} for at, row in enumerate(truth("a", KNOWN))][::-1],
        },
        0.75,
    ),
    "numbered, and some only": (
        {
            "served/p.jsonl": [{**row, "row": at} for at, row in enumerate(SERVED)],
            "truth/labels.jsonl": [{**row, "row": at} for at, row in enumerate(truth("a", KNOWN))][:2],
        },
        0.5,
    ),
    "with the predictions": (
        {"served/p.jsonl": [{**row, "label": known} for row, known in zip(SERVED, KNOWN, strict=True)]}, 0.75
    ),
    "one prediction, two labels of one time": (
        {"served/p.jsonl": SERVED[:1], "truth/labels.jsonl": truth("a", [1, 0])}, None
    ),
    "one prediction, corrected in the file": (
        {"served/p.jsonl": SERVED[:1], "truth/labels.jsonl": [*truth("a", [0]), *truth("a", [1], ago=10)]}, 1.0
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES)
def test_rows_of_one_key(folders: Folders, files: dict[str, list[Any]], expected: float | None) -> None:
    """Rows of one key have their own labels, or the key is ambiguous: none of its rows counts, and that is said."""
    for name, rows in ({"served/p.jsonl": SERVED} | files).items():
        folders.put(name, rows)
    values = folders.refreshed()
    assert accuracy(values) == (None if expected is None else pytest.approx(expected))
    said = [each["reason"] for each in folders.warnings if each.get("reason") == "ambiguous_key"]
    assert said == (["ambiguous_key"] if expected is None else [])
    assert (ambiguous(values) > 0) == (expected is None)


def test_a_key_that_becomes_ambiguous(folders: Folders) -> None:
    """A key that was clear leaves the scores when rows come that put it in doubt, and comes back when it is clear."""
    folders.put("served/p.jsonl", [*SERVED[:2], *batch("b", [1, 1])])
    folders.put("truth/labels.jsonl", [*truth("a", KNOWN[:2]), *truth("b", [1, 1])])
    assert accuracy(folders.refreshed()) == 0.75
    folders.put("served/p.jsonl", [*SERVED[:2], *batch("b", [1, 1]), *SERVED[2:]])
    values = folders.refreshed()
    assert (accuracy(values), values["model_window_labels", "unknown", "1h"], ambiguous(values)) == (1, 2, 2)
    assert values["model_label_match_ratio",] == 0.5
    folders.put("truth/labels.jsonl", [*truth("a", KNOWN[:2]), *truth("b", [1, 1]), *truth("a", KNOWN[2:])])
    values = folders.refreshed()
    assert (accuracy(values), values["model_window_labels", "unknown", "1h"]) == (pytest.approx(5 / 6), 6)
    # No prediction has its first label twice.
    assert values["model_labels_total", "unknown"] == 6
    assert values["model_label_match_ratio",] == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_batches(tmp_path: Path, seed: int) -> None:
    """Batches in files that grow, in any order and with restarts between, give what one pass gives."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    files: dict[str, list[Row]] = {}
    for number in range(6):
        key, size = f"b{number % 5}", dice.randint(1, 4)
        file = dice.choice("xy")
        files.setdefault(f"served/{file}.jsonl", []).extend(
            batch(key, [dice.randint(0, 1) for _ in range(size)], ago=number)
        )
        known = [dice.choice([0, 1, None]) for _ in range(size if dice.random() < 0.7 else size + 1)]
        files.setdefault(f"truth/labels{dice.choice('12')}.jsonl", []).extend(truth(key, known))
    stepwise, whole = Folders(tmp_path / "stepwise"), Folders(tmp_path / "whole")
    events = [(name, part) for name, rows in files.items() for part in (len(rows) // 2, len(rows)) if part]
    dice.shuffle(events)
    longest: dict[str, int] = {}
    for name, part in events:
        longest[name] = max(part, longest.get(name, 0))
        stepwise.put(name, files[name][: longest[name]])
        found = stepwise.refreshed()
    for name, rows in files.items():
        whole.put(name, rows)
    expected = whole.refreshed()
    compared = [key for key in expected if key[0].startswith(("model_window_labels", "model_accuracy", "model_f1"))]
    compared += [("model_predictions_total", "unknown"), ("model_label_match_ratio",)]
    assert {key: found.get(key) for key in compared} == pytest.approx({key: expected[key] for key in compared})
    assert ("model_accuracy", "unknown", "1h") in expected
    assert ambiguous(found) >= ambiguous(expected)


def _times(
    predictions: Sequence[tuple[float, int]], labels: Sequence[tuple[float, int]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return records with times in seconds after the start of the hour."""
    start = SECONDS - 3600
    served = [{"timestamp": start + at, "device": "a", "prediction": value} for at, value in predictions]
    return served, [{"timestamp": start + at, "device": "a", "label": value} for at, value in labels]


NEAR: dict[str, tuple[list[tuple[float, int]], list[tuple[float, int]], float | None]] = {
    "the nearest": ([(0, 0), (8, 1)], [(5, 1)], 1.0),
    "too far": ([(0, 0)], [(6, 0)], None),
    "just within": ([(0, 0)], [(5, 0)], 1.0),
    "the earlier of two": ([(0, 1), (4, 0)], [(2, 1)], 1.0),
    "each once": ([(0, 1), (4, 0)], [(3, 0), (3.5, 1)], 0.0),
    "what is left": ([(0, 1), (4, 0)], [(3, 1), (3.5, 0)], 1.0),
}


@pytest.mark.parametrize("order", ["predictions first", "labels first", "one by one"])
@pytest.mark.parametrize(("predictions", "labels", "expected"), NEAR.values(), ids=NEAR)
def test_nearest_times(
    folders: Folders,
    predictions: list[tuple[float, int]],
    labels: list[tuple[float, int]],
    expected: float | None,
    order: str,
) -> None:
    """With a tolerance, labels belong to the nearest predictions, each once, in whatever order they come."""
    served, known = _times(predictions, labels)
    folders.settings = {"labels": {"key": ["timestamp", "device"], "tolerance": "5s"}}
    parts = [("served/p.jsonl", served), ("truth/labels.jsonl", known)]
    if order == "one by one":
        parts = [(f"served/{at}.jsonl", [row]) for at, row in enumerate(served)][::-1]
        parts += [(f"truth/labels{at}.jsonl", [row]) for at, row in enumerate(known)]
    for name, rows in parts[::-1] if order == "labels first" else parts:
        folders.put(name, rows)
        values = folders.refreshed()
    assert accuracy(values) == (None if expected is None else pytest.approx(expected))
    assert values["model_label_match_ratio",] == (0 if expected is None else 1)


def test_nearest_of_each_device(folders: Folders) -> None:
    """Other parts of the key are compared exactly, a later label of the same instant is a correction."""
    served, known = _times([(0, 1), (10, 1)], [(1, 0), (11, 1)])
    folders.settings = {"labels": {"key": ["timestamp", "device"], "tolerance": "5s"}}
    folders.put("served/p.jsonl", served)
    folders.put("truth/labels1.jsonl", [known[0], {**known[1], "device": "b"}])
    assert accuracy(folders.refreshed()) == 0
    folders.put("truth/labels2.jsonl", [{**known[0], "label": 1}])
    values = folders.refreshed()
    assert (accuracy(values), values["model_labels_total", "unknown"]) == (1, 1)
    assert values["model_label_match_ratio",] == pytest.approx(2 / 3)


def test_labels_that_match_nothing(folders: Folders) -> None:
    """Said once, with a key of each side and the remedy; they wait, and the ratio says so. Labels alone say nothing."""
    folders.put("truth/labels.jsonl", truth("7", [1]))
    assert folders.refreshed()["model_label_match_ratio",] == 0
    assert folders.warnings == []
    folders.put("served/p.jsonl", batch("order-7", [1]))
    folders.put("truth/labels2.jsonl", truth("8", [1]))
    assert folders.refreshed()["model_label_match_ratio",] == 0
    (said,) = folders.warnings
    assert (said["reason"], said["column"], said["example"] in "78") == ("no_label_matches", "request_id", True)
    assert "order-7" in said["hint"]
    folders.put("served/q.jsonl", batch("7", [1]))
    assert folders.refreshed()["model_label_match_ratio",] == 0.5


def test_predictions_without_a_key(folders: Folders) -> None:
    """When no prediction has the key at all, that is said."""
    folders.put("served/p.jsonl", [{"timestamp": SECONDS - 60, "prediction": 1}])
    folders.put("truth/labels.jsonl", truth("7", [1]))
    folders.refreshed()
    (said,) = folders.warnings
    assert "no prediction so far has a key (request_id)" in said["hint"]
