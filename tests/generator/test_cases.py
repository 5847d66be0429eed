"""Models that share limits share a link of the expression, and a branch of the words."""

from driftgauge.generator.alerts import PredictionShifted
from driftgauge.generator.cases import Case, by_case, cases
from driftgauge.generator.thresholds import parse

OWN = """
alerts: {ModelPredictionShifted: {psi: 0.25}}
models:
  a.b: {alerts: {ModelPredictionShifted: {psi: 0.4}}}
  c: {alerts: {ModelPredictionShifted: {psi: 0.4}}}
  d: {windows: {drift: 7d}}
  e: {alerts: {ModelPredictionShifted: {enabled: false}}}
  f: {alerts: {ModelPredictionShifted: {psi: 0.25}}}
"""


def shifted(text: str) -> list[Case[PredictionShifted]]:
    """Return the cases of one alert."""
    thresholds = parse(text, filename="own.yml")
    return cases(thresholds, lambda alerts: alerts.ModelPredictionShifted, lambda windows: windows.drift.name)


def test_without_models_there_is_one_case() -> None:
    """It has no matcher, and its words no branches."""
    (only,) = shifted("{}")

    assert (only.matcher, only.names, only.limits.psi, only.window) == ("", (), 0.2, "24h")
    assert by_case([only], lambda case: f"{case.limits.psi}") == "0.2"


def test_each_model_is_in_one_case() -> None:
    """Equal limits and windows go together, what is disabled is in none, and the rest is everybody else."""
    found = [(case.matcher, case.limits.psi, case.window) for case in shifted(OWN)]

    assert found == [
        (r'model=~"a\\.b|c"', 0.4, "24h"),
        ('model="d"', 0.25, "7d"),
        (r'model!~"a\\.b|c|d|e"', 0.25, "24h"),
    ]


def test_words_follow_the_model() -> None:
    """The template takes the branch of the case that the alert's model is in."""
    words = by_case(shifted(OWN), lambda case: f"{case.limits.psi}/{case.window}")

    assert words == (
        '{{ if eq $labels.model "a.b" "c" }}0.4/24h{{ else if eq $labels.model "d" }}0.25/7d{{ else }}0.25/24h{{ end }}'
    )


def test_disabled_for_all_but_one() -> None:
    """An alert that is off can be on for a model."""
    off = "alerts: {ModelPredictionShifted: {enabled: false}}"
    on_for_one = "models: {a: {alerts: {ModelPredictionShifted: {enabled: true}}}}"

    assert [case.matcher for case in shifted(f"{off}\n{on_for_one}")] == ['model="a"']
    assert shifted(off) == []
    assert by_case([], lambda _: "anything") == ""
