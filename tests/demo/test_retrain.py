"""What the hook starts: the next version, trained on what is known by then, and better on what comes."""

import io
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from driftgauge.demo import retrain
from driftgauge.demo.defects import as_repaired
from driftgauge.demo.directory import claimed
from driftgauge.demo.flights import new_york_time
from driftgauge.demo.journal import ENCODERS
from driftgauge.demo.names import ALIAS, LABELS, MODEL, REFERENCE, artifacts_of, tracking_uri
from driftgauge.demo.registry import newer, register
from driftgauge.demo.training import TRAINING_END, Training
from driftgauge.scratch import Scratch
from driftgauge.source import Source

CHANGED = new_york_time(2013, 3, 25)
NOW = new_york_time(2013, 3, 28)


@pytest.fixture
def directory(flights: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a demo's directory in which labels of some days of March have come, in each format."""
    landed = flights[flights["landed"].between(CHANGED, NOW)]
    for number, (suffix, encode) in enumerate(ENCODERS.items()):
        file = artifacts_of(tmp_path / "demo", LABELS) / "a run" / "labels" / f"{number:02}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = landed.iloc[number :: len(ENCODERS)]
        file.write_bytes(encode(rows[["request_id"]].assign(label=rows["late"])))
    (tmp_path / "demo" / ".driftgauge-demo").touch()
    monkeypatch.setattr(retrain, "load_flights", lambda: flights)
    monkeypatch.setattr("sys.argv", ["retrain", str(tmp_path / "demo")])
    return tmp_path / "demo"


def test_trained_on_what_is_known(flights: pd.DataFrame, directory: Path) -> None:
    """These are the flights of the first training and those whose label came, and no other."""
    found = retrain.labelled(flights, directory)
    since = found[found["departed"] >= TRAINING_END]
    assert set(since["request_id"]) == set(flights.loc[flights["landed"].between(CHANGED, NOW), "request_id"])
    assert len(found) - len(since) == (flights["late"].notna() & (flights["departed"] < TRAINING_END)).sum()


def test_next_version(
    flights: pd.DataFrame,
    training: Training,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is the champion, with a reference as the feed sends it now, and much better on the days that follow.

    The run of its training names the trigger.
    """
    client, first = register(training, directory)
    assert newer(client, first, training.model) is None
    monkeypatch.setenv("DRIFTGAUGE_TRIGGER", "00ff")
    monkeypatch.setattr(retrain, "in_use", lambda _: True)

    retrain.main()

    assert capsys.readouterr().out.startswith("version 2: ")
    found = newer(client, first, training.model)
    assert found is not None
    version, model = found
    run = client.get_run(client.get_model_version(MODEL, version).run_id)
    assert (first, version, run.data.tags["driftgauge.trigger"]) == ("1", "2", "00ff")
    source = Source(tracking_uri(directory), max_artifact_bytes=10**8, spool=Scratch(directory / "spool"))
    with source.reference(f"models:/{MODEL}@{ALIAS}/{REFERENCE}").opener() as file:
        reference = pd.read_parquet(io.BytesIO(file.read()))
    assert {"UAL", "JBU"} <= set(reference["feature_carrier"])
    assert reference["feature_dep_delay"].median() == pytest.approx(-2 / 60, abs=0.02)
    coming = flights[flights["departed"].between(NOW, NOW + 7 * 86_400) & flights["late"].notna()]
    seen = as_repaired(coming)
    before, after = (
        accuracy_score(coming["late"] == 1, each.predict(seen)["prediction"] == 1) for each in (training.model, model)
    )
    assert after > before + 0.05


def test_nothing_is_registered_when_the_demo_has_ended(
    training: Training, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next demo may begin in the directory; this training is not its."""
    monkeypatch.setattr(retrain, "fit", lambda _: training)
    with pytest.raises(SystemExit, match="the demo has ended"):
        retrain.main()
    with claimed(directory):
        assert retrain.in_use(directory)
