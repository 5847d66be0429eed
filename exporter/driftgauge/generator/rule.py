"""One alert as a value: its expression, words and links. `rules` writes it as YAML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from driftgauge.generator.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Alarm:
    """When an alert fires and what it then says.

    summary: a fixed sentence; description: a template. links: annotation → template of an address; without the runbook.
    limit: a template too, the limit as people say it and as the description has it; "" of a mere flag.
    """

    expr: str
    summary: str
    description: str
    links: Mapping[str, str]
    limit: str = ""


# None: with these thresholds there is nothing to watch.
Definition = Callable[[Thresholds], Alarm | None]
