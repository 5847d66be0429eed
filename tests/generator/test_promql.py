"""PromQL from parts: only series and labels that exist, any name quoted, lists that keep the target's labels."""

import pytest

from driftgauge.generator.promql import Target, any_of, either, matcher, narrowed, none_of, number, quoted

TARGET = Target("driftgauge", ("job", "env"))


@pytest.mark.parametrize(
    ("description", "found", "expected"),
    [
        ("text in quotes", quoted('a"b\\'), '"a\\"b\\\\"'),
        ("one value", matcher("model", "churn"), 'model="churn"'),
        ("any of one", any_of("model", ["a.b"]), 'model="a.b"'),
        ("any of several, with their dots escaped", any_of("model", ["a.b", "c"]), 'model=~"a\\\\.b|c"'),
        ("all but one", none_of("model", ["a"]), 'model!="a"'),
        ("all but several", none_of("model", ["a", "b"]), 'model!~"a|b"'),
        ("no matcher, no braces", narrowed("up", ["", ""]), "up"),
        ("empty matchers left out", narrowed("up", ["", 'job="x"']), 'up{job="x"}'),
        ("alternatives", either(["a", "b"]), "a\nor\nb"),
        ("a whole number", number(3.0), "3"),
        ("a fraction without rounding", number(0.1), "0.1"),
        ("the target's labels first", TARGET.by("model"), "(job, env, model)"),
        ("a scraped series", TARGET.series("up"), 'up{job="driftgauge"}'),
        (
            "a family with its labels",
            TARGET.series("model_accuracy", 'model="churn"', window="24h"),
            'model_accuracy{job="driftgauge", model="churn", window="24h"}',
        ),
    ],
)
def test_parts(description: str, found: str, expected: str) -> None:
    """Each part is the text that Prometheus reads."""
    assert found.replace(', segment=""', "") == expected, description


@pytest.mark.parametrize(("name", "label"), [("model_acuracy", "window"), ("model_accuracy", "feature")])
def test_what_does_not_exist_is_refused(name: str, label: str) -> None:
    """A rule can name neither an unknown series nor a label that its family lacks."""
    with pytest.raises(KeyError):
        TARGET.series(name, **{label: "x"})
