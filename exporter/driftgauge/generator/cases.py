"""Which models share one threshold: the cases of an alert, as matchers of PromQL and as branches of a template.

An alert is one rule for all models. Where models differ, its expression is a chain of `or`, one link per case; each
model is in exactly one case, or in none when the alert is disabled for it. This module does not know the expressions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from driftgauge.generator.alerts import Alert, Alerts
from driftgauge.generator.promql import any_of, none_of, quoted
from driftgauge.generator.thresholds import ModelThresholds, Thresholds, Windows

AlertT = TypeVar("AlertT", bound=Alert)


@dataclass(frozen=True, slots=True)
class Case(Generic[AlertT]):
    """Models for which an alert has the same limits and window.

    matcher: of the label `model`, empty for all models. names: of these models; empty for all that are not named.
    window: the value of the label `window`.
    """

    limits: AlertT
    window: str
    matcher: str
    names: tuple[str, ...]


def cases(
    thresholds: Thresholds,
    limits: Callable[[Alerts], AlertT],
    window: Callable[[Windows], str] = lambda _: "",
) -> list[Case[AlertT]]:
    """Return the cases of an alert: those of named models first, then that of all others."""

    def key(model: ModelThresholds) -> tuple[AlertT, str]:
        return limits(model.alerts), window(model.windows)

    anyone = key(thresholds.for_model(""))
    # Limits may contain mappings, so they are compared rather than hashed.
    groups: list[tuple[tuple[AlertT, str], list[str]]] = []
    for name, model in thresholds.models.items():
        own = key(model)
        names = next((names for of_group, names in groups if of_group == own), None)
        if names is not None:
            names.append(name)
        elif own != anyone:
            groups.append((own, [name]))
    found = [Case(*own, any_of("model", names), tuple(names)) for own, names in groups if own[0].enabled]
    if anyone[0].enabled:
        others = [name for _, names in groups for name in names]
        found.append(Case(*anyone, none_of("model", others) if others else "", ()))
    return found


def by_case(found: Sequence[Case[AlertT]], text: Callable[[Case[AlertT]], str]) -> str:
    """Return a piece of template with the text of the case of the alert's model; empty without cases."""
    texts = [(each.names, text(each)) for each in found]
    if len({said for _, said in texts}) <= 1:
        return "".join(said for _, said in texts[:1])
    branches = [f"if eq $labels.model {' '.join(map(quoted, names))} }}}}{said}" for names, said in texts[:-1]]
    return f"{{{{ {'{{ else '.join(branches)}{{{{ else }}}}{texts[-1][1]}{{{{ end }}}}"
