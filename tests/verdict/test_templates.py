"""The words of alerts: what a template says of an alert."""

import pytest

from driftgauge.verdict.templates import Template
from driftgauge.verdict.vectors import Series, Vector

LABELS = {"model": "m", "metric": "f1"}


def query(text: str) -> Vector:
    """Answer with two features, or nothing."""
    found = [Series({"feature": "age"}, 0.25), Series({"feature": "plan"}, 0.125)]
    return found if text == 'psi{model="m"}' else []


FIRST = "{{ with . | first }}{{ .Labels.feature }} {{ . | value | printf `%.1f` }} of {{ $labels.model }}{{ end }}"
EACH = "{{ if lt $place 1 }}{{ $each.Labels.feature }} {{ $each.Value }}{{ end }}{{ if eq $place 1 }} and more{{ end }}"
PSI = "with printf `psi{model=%q}` $labels.model | query"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{{ $labels.model }} is {{ $value }}", "m is 0.5"),
        ("{{ $labels.nothing }}", ""),
        ("{{ printf `%.2f` $value }} {{ $value | printf `%.2f` }}", "0.50 0.50"),
        ("{{ $value | humanizePercentage }} {{ $value | humanizeDuration }}", "50% 500ms"),
        ('{{ if eq $labels.metric "accuracy" "f1" }}score{{ else }}error{{ end }}', "score"),
        ('{{ if eq $labels.metric "x" }}a{{ else if eq $labels.metric "f1" }}b{{ else }}c{{ end }}', "b"),
        ('{{ if eq $labels.metric "x" }}a{{ else if eq $labels.metric "y" }}b{{ else }}c{{ end }}', "c"),
        ('{{ if eq $labels.metric "x" }}a{{ end }}', ""),
        ('{{ if and (eq $labels.model "m") (eq $labels.metric "f1") }}both{{ end }}', "both"),
        ('{{ if and (eq $labels.model "n") (eq $labels.metric "f1") }}both{{ end }}', ""),
        ("{{ if match `^(f1|mae)$` $labels.metric }}yes{{ end }}", "yes"),
        (f"{{{{ {PSI} }}}}{FIRST}{{{{ else }}}}none{{{{ end }}}}", "age 0.2 of m"),
        ("{{ with printf `nothing` | query }}some{{ else }}none{{ end }}", "none"),
        (f"{{{{ {PSI} }}}}{{{{ range $place, $each := . }}}}{EACH}{{{{ end }}}}{{{{ end }}}}", "age 0.25 and more"),
        ("{{ `a b/ü}}` | urlquery }}", "a+b%2F%C3%BC%7D%7D"),
    ],
)
def test_words(text: str, expected: str) -> None:
    """As Prometheus expands them."""
    assert Template(text).expanded(LABELS, 0.5, query) == expected


@pytest.mark.parametrize(
    "text",
    ["{{ if $value }}", "{{ end }}", "{{ $value", "{{ humanize $value }}", "{{ (eq 1 1 }}", "{{ }}", "{{ eq 1 1) }}",
     "{{ - }}", "{{ := }}"],
)  # fmt: skip
def test_no_templates(text: str) -> None:
    """What is no template, or more than is known here, is refused when it is compiled."""
    with pytest.raises(ValueError, match="template"):
        Template(text)


def test_fields_that_are_not_there() -> None:
    """A figure has no fields."""
    with pytest.raises(ValueError, match="has no field"):
        Template("{{ $value.Labels }}").expanded({}, 1.0, query)
