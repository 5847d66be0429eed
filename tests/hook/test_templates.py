"""Values of alerts stay data."""

import json
from typing import Any

import pytest

from driftgauge.hook.settings import context_of
from driftgauge.hook.templates import TemplateFailed, filled, filled_url

from .samples import alert

HOSTILE = '"}, {{ 7 * 7 }} \n\r\\ </script> ; rm -rf / $(id) ../..?a=b#c'


def context(**labels: str) -> dict[str, Any]:
    """Return what placeholders stand for."""
    return context_of(alert(**labels), "0123456789abcdef0123")


def test_a_hostile_value_stays_within_its_text() -> None:
    """In JSON and among arguments it is one text, and is not filled in itself."""
    body = {
        "inputs": {"model": "{{ model }}", "why": "{{ annotations.summary }}: {{ labels['model'] }}"},
        "n": [1, None],
    }

    found = filled(body, context(model=HOSTILE))

    assert json.loads(json.dumps(found)) == {
        "inputs": {"model": HOSTILE, "why": f"A model performs worse: {HOSTILE}"},
        "n": [1, None],
    }


def test_in_a_url_it_is_one_segment() -> None:
    """Neither path nor query nor host change."""
    found = filled_url(
        "https://ci.example.com/job/{{ model }}/build?reason={{ alertname }}", context(model="a/../b?x#y")
    )

    assert found == "https://ci.example.com/job/a%2F..%2Fb%3Fx%23y/build?reason=ModelPerformanceDegraded"


def test_missing_labels_are_empty() -> None:
    """As in Prometheus' templates."""
    assert filled("[{{ labels.team }}{{ annotations.nothing }}]", context()) == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ model",
        "{{ model.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{{ 'a' * 70000 }}",
        "{{ model.x.y }}",
    ],
)
def test_a_template_that_fails_says_so(text: str) -> None:
    """It is one error, whatever is wrong with it."""
    with pytest.raises(TemplateFailed):
        filled(text, context())
