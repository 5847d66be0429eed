"""What a metric family is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

FamilyType = Literal["gauge", "counter", "histogram", "gaugehistogram", "summary", "info"]
Scope = Literal["model", "exporter"]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. `name` is what PromQL says: counters end in `_total`, info families in `_info`.

    scope: `model` families say something about a model, `exporter` families about driftgauge itself.
    group: the heading under which the documentation lists it.
    """

    name: str
    type: FamilyType
    help: str
    labels: tuple[str, ...]
    scope: Scope
    group: str

    @property
    def segmented(self) -> bool:
        """Whether each segment has series of its own, with a label `segment`; those about all rows have none."""
        return "window" in self.labels


MODEL: Final = ("model",)
VERSION: Final = ("model", "version")
WINDOW: Final = ("model", "version", "window")


def families(
    group: str, labels: tuple[str, ...], helps: Mapping[str, str], *, kind: FamilyType = "gauge"
) -> tuple[Family, ...]:
    """Return families that share group, labels and type, from their names and help texts."""
    return tuple(
        Family(name, kind, text, labels, "exporter" if name.startswith("driftgauge_") else "model", group)
        for name, text in helps.items()
    )
