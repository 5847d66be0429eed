"""The configuration to paste."""

from driftgauge.config import parse
from driftgauge.inspection.drafting import features_to_include, hints, mapped, quoted, section
from inspection.files import facts


def test_a_section_is_read_back_as_it_was_meant() -> None:
    """Names with spaces, colons, dollars and long lists survive; comments stay comments."""
    settings = {
        "name": "churn",
        "task": "binary",
        "predictions": {"files": "/data/a b: ${HOME} #1", "artifacts": "p[*].jsonl"},
        "labels": {"key": ["order id"], "columns": {"label": "yes"}},
        "features": {"include": [f"feature {at}" for at in range(20)]},
    }
    text = section(settings, ["positive_class: churn  # which?"], tracking_uri="http://mlflow:5000")
    (model,) = parse(text, filename="x.yml", environ={}).models

    assert model.predictions.files == "/data/a b: ${HOME} #1"
    assert model.labels is not None
    assert (model.labels.key, model.labels.columns) == (("order id",), {"label": "yes"})
    assert model.features.include == tuple(settings["features"]["include"])
    assert text.endswith("    # positive_class: churn  # which?\n")
    assert max(map(len, text.splitlines())) <= 100
    assert [quoted(word) for word in ("age", "no", "1", "a.b")] == ["age", '"no"', '"1"', '"a.b"']


def test_a_tracking_uri_may_be_a_variable() -> None:
    """Where the server's address has a password it stays in the environment."""
    text = section({"name": "m", "predictions": {"experiment": "e"}}, [], tracking_uri="${MLFLOW_TRACKING_URI}")
    config = parse(text, filename="x.yml", environ={"MLFLOW_TRACKING_URI": "http://u:p@mlflow:5000"})

    assert config.mlflow.tracking_uri == "http://u:p@mlflow:5000"


def test_features_of_a_flat_table() -> None:
    """Without any feature all numbers and texts of few values are proposed, no ids; nothing without predictions."""
    rows = [{"age": at, "plan": "A", "customer": f"c{at}", "prediction": 1} for at in range(40)]

    assert features_to_include(facts(rows)) == ["age", "plan"]
    assert features_to_include(facts([{**row, "feature_x": 1} for row in rows])) == []
    assert features_to_include(facts([{"age": 1}])) == []


def test_what_only_the_owner_can_say_is_a_comment() -> None:
    """Scores beyond 1, classes of which none is positive, and columns with nearly a known name."""
    percent = facts([{"probability": 97.0}, {"probability": 3.0}])
    words = facts([{"prediction": "stay", "score": 0.1}, {"prediction": "churn", "score": 0.9}])
    names = facts([{"Predictions": 1, "modelVersion": "3", "specversion": "1"}])

    assert hints(percent, None) == ["score: {scale: percent}  # scores are from 3 to 97"]
    assert hints(words, None) == ["positive_class: stay  # the class whose probability the score is"]
    assert hints(names, None) == [
        "columns: {prediction: Predictions}  # is this the prediction?",
        "columns: {version: modelVersion}  # is this the version?",
    ]


def test_label_files_are_mapped_by_equal_values() -> None:
    """Keys of one name become labels.key, of two names columns on both sides; the label is what holds classes."""
    rows = [{"order": f"o{at}", "prediction": at % 2} for at in range(30)]
    same = [{"order": f"o{at}", "label": at % 2} for at in range(30)]
    other = [{"ticket": f"o{at}", "result": at % 2, "note": f"n{at}"} for at in range(30)]

    assert mapped(facts(rows), facts(same, role="labels")) == {"labels": {"key": ["order"]}}
    assert mapped(facts(rows), facts(other, role="labels")) == {
        "columns": {"request_id": "order"},
        "labels": {"columns": {"request_id": "ticket", "label": "result"}},
    }
    known = [{"id": row["order"], **row} for row in rows]
    assert mapped(facts(known), facts([{"id": "o1", "label": 1}], role="labels")) == {}
