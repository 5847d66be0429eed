"""A segment says what a model would say that had only its rows, compared with only its slice of the reference."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from structlog.testing import capture_logs

from driftgauge.collector import render
from driftgauge.config import Config
from driftgauge.families import FAMILIES
from driftgauge.snapshot import model_samples
from pipeline.conftest import LABELS, NOW, PREDICTIONS, SECONDS, Bench, Values, a_model, label

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
Row = Mapping[str, Any]
SEGMENTS: Final = {
    "germany": {"country": "DE"},
    "new": {"tenure": {"below": 1}},
    "new in germany": {"country": ["DE", "AT"], "tenure": {"below": 1}},
}
# A segment is a slice already: it is not sliced again.
OF_ALL_ROWS: Final = ("model_segments_", "model_segment_")
MEMBERS: Final[Mapping[str, Callable[[Row], bool]]] = {
    "germany": lambda row: row.get("country") == "DE",
    "new": lambda row: row.get("tenure") is not None and row["tenure"] < 1,
    "new in germany": lambda row: row.get("country") in ("DE", "AT") and (row.get("tenure") or 9) < 1,
}


def rows(seed: int, count: int, *, first: int = 0, **extra: Any) -> list[dict[str, Any]]:
    """Return predictions of the last five hours, whose features are missing now and then."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(first, first + count):
        features = {
            "country": str(rng.choice(["DE", "FR", "AT"])),
            "tenure": round(float(rng.exponential(1.5)), 3) or 0.001,
            "age": int(rng.integers(18, 80)),
        }
        for name in ("country", "tenure"):
            if rng.random() < 0.1:
                del features[name]
        when = SECONDS - float(rng.uniform(60, 18_000))
        found.append(
            {"request_id": f"r{number}", "timestamp": when, "model_version": str(number % 2), "features": features}
            | {"prediction": float(rng.random()), "latency_ms": float(rng.uniform(1, 90))}
            | {name: value() if callable(value) else value for name, value in extra.items()}
        )
    return found


def reference(seed: int, count: int) -> list[dict[str, Any]]:
    """Return labelled rows to compare with."""
    return [
        {**row["features"], "prediction": row["prediction"], "label": number % 3 // 2}
        for number, row in enumerate(rows(seed, count))
    ]


def only(segment: str, found: Sequence[Row]) -> list[Row]:
    """Return the rows that are in a segment, each with its features inside or flat."""
    return [row for row in found if MEMBERS[segment](row.get("features", row))]


def segment_of(key: tuple[str, ...]) -> str | None:
    """Return the segment that a value is about, None for all rows."""
    return next((label.removeprefix("segment ") for label in key if label.startswith("segment ")), None)


class Twins:
    """A model with segments, and for each segment a model that is given only its rows."""

    def __init__(self, bench: Bench, **labels: Any) -> None:
        self.bench = bench
        known = reference(1, 600)
        self.configs: dict[str, Config] = {"": self._config("", known, labels, segments=SEGMENTS)}
        self.configs |= {name: self._config(name, only(name, known), labels) for name in SEGMENTS}

    def _config(self, name: str, known: Sequence[Row], labels: Mapping[str, Any], **settings: Any) -> Config:
        path = self.bench.folder / f"reference {name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in known))
        self.bench.run(LABELS + name)
        section = {"experiment": LABELS + name, **labels}
        model = a_model(labels=section, reference={"uri": str(path)}, **settings)
        return self.bench.config(model | {"predictions": {"experiment": PREDICTIONS + name}}, state=f"state {name}")

    def log(self, found: Sequence[Row]) -> None:
        """Give each model its predictions."""
        for name in self.configs:
            chosen = only(name, found) if name else found
            if chosen:
                self.bench.log(PREDICTIONS + name, "predictions.jsonl", chosen)

    def label(self, labels: Sequence[Row]) -> None:
        """Give all models the same labels; those without a prediction wait in vain."""
        for name in self.configs:
            self.bench.log(LABELS + name, "labels.jsonl", labels)

    def assert_alike(self, now: int = NOW) -> Values:
        """Refresh all, each in a fresh process, and compare; return what the model with segments says."""
        _, values = self.bench.refreshed(self.configs[""], now=now)
        for name in SEGMENTS:
            report, alone = self.bench.refreshed(self.configs[name], now=now)
            assert report.failures == {}
            mine = {
                tuple(label for label in key if label != f"segment {name}"): value
                for key, value in values.items()
                if segment_of(key) == name
            }
            windows = {
                key: value
                for key, value in alone.items()
                if FAMILIES[key[0]].segmented and not key[0].startswith(OF_ALL_ROWS)
            }
            assert len(mine) > 50
            assert mine == pytest.approx(windows, rel=1e-9, abs=1e-12), name
        return values


@pytest.mark.no_cover
@pytest.mark.parametrize("window_by", ["label_time", "prediction_time"])
def test_a_segment_is_the_model_of_its_rows(bench: Bench, window_by: str) -> None:
    """Late, early and corrected labels, restarts, joined panes and a clock that moves on: a segment is as if alone."""
    twins = Twins(bench, window_by=window_by)
    first, second = rows(2, 300), rows(3, 120, first=300)
    outcome = {number: number % 3 == 0 for number in range(420)}
    twins.log(first)
    # Late labels of the first, early ones of the second.
    twins.label([label(number, outcome[number], ago=7000 - 10 * number) for number in range(100, 360)])
    twins.assert_alike()
    twins.log(second)
    twins.assert_alike()
    # Corrected labels, earlier and later than before.
    corrected = [label(number, not outcome[number], ago=6900 - 10 * number) for number in range(100, 360, 7)]
    twins.label([*corrected, *(label(number, 1, ago=20) for number in range(0, 90, 2))])
    values = twins.assert_alike()
    assert values == twins.assert_alike()
    for later in (2 * HOUR, 30 * HOUR):
        twins.assert_alike(NOW + later)


def test_labels_that_come_with_predictions(bench: Bench) -> None:
    """A row with a label of its own counts in its segments, with a key and without, and failed requests do too."""
    twins = Twins(bench)
    rng = np.random.default_rng(9)
    keyed = rows(4, 150, label=lambda: int(rng.random() < 0.4))
    bare = [{**row, "request_id": None} for row in rows(5, 150, label=lambda: int(rng.random() < 0.4))]
    failed = [{**row, "error": "boom"} for row in rows(6, 60, first=700)]
    twins.log([*keyed, *bare, *failed])
    values = twins.assert_alike()
    assert 0 < values["model_error_ratio", "1", "24h", "segment germany"] < 1
    labelled = [row for row in [*keyed, *bare] if row["model_version"] == "1" and MEMBERS["germany"](row["features"])]
    assert values["model_window_labels", "1", "24h", "segment germany"] == len(labelled)


def test_numbers_are_those_of_scipy_and_scikit_learn(bench: Bench) -> None:
    """On the filtered rows, computed from the rows themselves."""
    known, found = reference(1, 600), rows(2, 400)
    path = bench.folder / "reference.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in known))
    bench.log(PREDICTIONS, "predictions.jsonl", found)
    truth = {row["request_id"]: number % 4 == 0 for number, row in enumerate(found)}
    bench.log(LABELS, "labels.jsonl", [label(number, truth[f"r{number}"]) for number in range(400)])
    _, values = bench.refreshed(bench.config(a_model(labels={}, reference={"uri": str(path)}, segments=SEGMENTS)))

    for name in SEGMENTS:
        of_version = [row for row in only(name, found) if row["model_version"] == "0"]
        here = ("0", "24h")
        ages = [np.array([float(age(row)) for row in some]) for age, some in (
            (lambda row: row["age"], only(name, known)), (lambda row: row["features"]["age"], of_version)
        )]  # fmt: skip
        oracle = stats.ks_2samp(*ages)
        assert values["model_feature_ks_statistic", *here, "age", f"segment {name}"] == pytest.approx(oracle.statistic)
        assert values["model_feature_ks_pvalue", *here, "age", f"segment {name}"] == pytest.approx(oracle.pvalue)
        expected = [truth[row["request_id"]] for row in of_version]
        scores = [row["prediction"] for row in of_version]
        classes = [score >= 0.5 for score in scores]
        assert values["model_accuracy", *here, f"segment {name}"] == metrics.accuracy_score(expected, classes)
        auc = metrics.roc_auc_score(expected, scores)
        assert values["model_roc_auc", *here, f"segment {name}"] == pytest.approx(auc, abs=1e-4)
        degraded = metrics.accuracy_score(
            [row["label"] == 1 for row in only(name, known)], [row["prediction"] >= 0.5 for row in only(name, known)]
        ) - metrics.accuracy_score(expected, classes)
        assert values["model_performance_degradation", *here, "accuracy", f"segment {name}"] == pytest.approx(degraded)


def test_without_segments_nothing_is_different(bench: Bench) -> None:
    """Segments add series of their own, and change none about all rows."""
    path = bench.folder / "reference.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in reference(1, 300)))
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 200))
    bench.run(LABELS)
    section = {"labels": {}, "reference": {"uri": str(path)}}
    _, without = bench.refreshed(bench.config(a_model(**section), state="without"))
    _, having = bench.refreshed(bench.config(a_model(**section, segments=SEGMENTS), state="having"))

    assert having.pop(("driftgauge_segments_dropped",)) == 0
    assert {key: value for key, value in having.items() if segment_of(key) is None} == without


def test_segments_beyond_the_limit(bench: Bench) -> None:
    """They have no series, and are named once in the log and counted."""
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 50))
    with capture_logs() as logs:
        _, values = bench.refreshed(bench.config(a_model(segments=SEGMENTS), limits={"max_segments": 1}))

    said = [line for line in logs if "max_segments" in line["event"]]
    assert [line["segments"] for line in said] == [["new", "new in germany"]]
    assert values[("driftgauge_segments_dropped",)] == 2
    assert {segment_of(key) for key in values} == {None, "germany"}


def test_changed_segments(bench: Bench) -> None:
    """Segments that are new or mean something else now hold the rows that were there before, late labels too."""
    bench.log(PREDICTIONS, "predictions.jsonl", first := rows(2, 100))
    bench.run(LABELS)
    labels = {"labels": {}}
    before = bench.config(a_model(**labels, segments={"a": {"country": "DE"}, "b": {"country": "FR"}, "c": {"age": 1}}))
    bench.refreshed(before)
    changed = {"b": {"country": "FR"}, "a": {"country": "AT"}, "d": {"country": "DE"}}
    after = bench.config(a_model(**labels, segments=changed))

    def there(country: str, read: list[dict[str, Any]]) -> int:
        return sum(row["model_version"] == "1" and row["features"].get("country") == country for row in read)

    _, second = bench.refreshed(after)
    found = [second["model_window_predictions", "1", "24h", f"segment {name}"] for name in "bad"]
    assert found == [there(country, first) for country in ("FR", "AT", "DE")]
    assert {segment_of(key) for key in second} == {None, "a", "b", "d"}

    bench.log(LABELS, "labels.jsonl", [label(number, 1) for number in range(100)])
    bench.log(PREDICTIONS, "predictions.jsonl", more := rows(3, 100, first=100))
    _, third = bench.refreshed(after)
    assert third["model_window_labels", "1", "24h"] == 50
    found = [third["model_window_labels", "1", "24h", f"segment {name}"] for name in "bad"]
    assert found == [there(country, first) for country in ("FR", "AT", "DE")]
    assert third["model_window_predictions", "1", "24h", "segment a"] == there("AT", first + more)


def test_a_segment_that_the_reference_lacks(bench: Bench) -> None:
    """It has no drift, said once; quality and traffic are counted, and when the reference has it, drift begins."""
    path = bench.folder / "reference.jsonl"
    config = bench.config(a_model(reference={"uri": str(path)}, segments={"france": {"country": "FR"}}))
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 200))
    events = []
    for known in ([row for row in reference(1, 300) if row.get("country") != "FR"], reference(1, 300)):
        path.write_text("".join(json.dumps(row) + "\n" for row in known))
        for _ in range(2):
            with capture_logs() as logs:
                report, values = bench.refreshed(config)
            assert report.failures == {}
            events.append([line["segments"] for line in logs if line["event"].startswith("segments without drift")])
        bench.log(PREDICTIONS, "predictions.jsonl", rows(3, 100, first=900))
        here = ("1", "24h", "age", "segment france")
        assert values["model_feature_mean", *here] > 0
        assert (("model_feature_psi", *here) in values) == (len(events) > 2)
        assert ("model_feature_psi", "1", "24h", "age") in values
    assert events == [[["france"]], [], [], []]


def test_hostile_names(bench: Bench) -> None:
    """Any name is written so that it can be read, and none is taken for another."""
    names = ['a"b', "a\\b", "new 😀 élan", "segment=x", "a,b", "{}", "-"]
    segments = {name: {"country": "DE"} for name in names}
    bench.log(PREDICTIONS, "predictions.jsonl", rows(2, 60))
    config = bench.config(a_model(segments=segments))
    with bench.opened(config) as pipeline:
        pipeline.refresh(NOW)
        (state,) = pipeline.states
        found = model_samples(state, windows=config.windows, limits=config.limits, now=NOW)
    page = render(found).text.plain.decode()
    for name in names:
        written = name.replace("\\", "\\\\").replace('"', '\\"')
        lines = [line for line in page.splitlines() if f'segment="{written}"' in line and "window_predictions{" in line]
        assert len(lines) == 2 * len(config.windows)
    _, values = bench.refreshed(config)
    of_name = [values["model_window_predictions", "1", "24h", f"segment {name}"] for name in names]
    assert of_name == [of_name[0]] * len(names)
    assert of_name[0] > 0


def sold(seed: int, count: int, plans: Sequence[str]) -> list[dict[str, Any]]:
    """Return predictions of the last five hours, each with a plan and a region."""
    rng = np.random.default_rng(seed)
    return [
        {
            "request_id": f"{seed}-{number}",
            "timestamp": SECONDS - float(rng.uniform(60, 18_000)),
            "model_version": "1",
            "prediction": float(rng.random()),
            "features": {"plan": str(rng.choice(list(plans))), "region": str(rng.choice(["EU", "US"]))},
        }
        for number in range(count)
    ]


def test_segments_of_the_reference(bench: Bench) -> None:
    """They are those of its values, as if written out; with another reference they are others, with all their rows."""
    path = bench.folder / "reference.jsonl"

    def write(found: Sequence[Row]) -> None:
        lines = ({**row["features"], "prediction": row["prediction"], "label": n % 2} for n, row in enumerate(found))
        path.write_text("".join(json.dumps(row) + "\n" for row in lines))

    write(sold(1, 600, "AAB"))
    bench.log(PREDICTIONS, "predictions.jsonl", first := sold(2, 300, "ABC"))
    common = {"reference": {"uri": str(path)}}
    short = bench.config(a_model(**common, segments=["plan", ["plan", "region"]]), state="short")
    pair = {"plan": {"each": ["A", "B"]}, "region": {"each": ["EU", "US"]}}
    written = {"plan": {"plan": {"each": ["A", "B"]}}, "plan, region": pair}
    _, expected = bench.refreshed(bench.config(a_model(**common, segments=written), state="long"))

    for _ in range(2):
        _, found = bench.refreshed(short)
        assert found == expected
    assert {segment_of(key) for key in found} == {
        *(None, "plan: A", "plan: B"),
        *(f"plan, region: {plan}, {region}" for plan in "AB" for region in ("EU", "US")),
    }

    write(sold(3, 600, "AC"))
    bench.log(PREDICTIONS, "predictions.jsonl", more := sold(4, 100, "ABC"))
    with capture_logs() as logs:
        _, found = bench.refreshed(short)
    assert [line["because"] for line in logs if "because" in line] == ["its reference changed"]
    counted = sum(row["features"]["plan"] == "C" for row in [*first, *more])
    assert found["model_window_predictions", "1", "24h", "segment plan: C"] == counted
    assert not any(segment_of(key) == "plan: B" for key in found)
    _, again = bench.refreshed(short)
    assert again == found


def test_segments_that_the_reference_asks_too_many_of(bench: Bench) -> None:
    """The limit counts them; what is left out is logged once it is known, and so is a column without any value."""
    path = bench.folder / "reference.jsonl"
    rows_of = [{"plan": plan, "prediction": 0.5, "code": f"c{number}"} for number, plan in enumerate("ABCD" * 60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of))
    bench.log(PREDICTIONS, "predictions.jsonl", sold(2, 50, "AB"))
    model = a_model(reference={"uri": str(path)}, segments=["plan", "code"])
    with capture_logs() as logs:
        _, values = bench.refreshed(bench.config(model, limits={"max_segments": 3}))

    said = {line["event"]: line["segments"] for line in logs if "segments" in line}
    assert said == {
        "segments beyond limits.max_segments are left out": ["plan: D"],
        "segments without a value in the reference": ["code"],
    }
    assert values[("driftgauge_segments_dropped",)] == 1
