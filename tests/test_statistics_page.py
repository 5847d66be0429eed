"""The page that explains the statistics has everything that can be published."""

import re
from pathlib import Path

import pytest

from driftgauge.config import Drift, Limits
from driftgauge.families import PERFORMANCE_GAUGES, STATISTICS

PAGE = (Path(__file__).parent.parent / "exporter" / "docs" / "statistics.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))


def test_every_statistic_has_its_section() -> None:
    """Statistics and metrics have one section each, and nothing else has."""
    sections = re.findall(r"^### ([a-z0-9_]+)$", PAGE, flags=re.MULTILINE)

    assert sorted(sections) == sorted([*STATISTICS, *PERFORMANCE_GAUGES])


@pytest.mark.parametrize("name", [*STATISTICS, *PERFORMANCE_GAUGES])
def test_sections_say_what_one_needs(name: str) -> None:
    """Each section says what the value agrees with, its limits, and whether to alert on it."""
    for point in ("- **Oracle**: ", "- **Limits**: ", "- **Alert on it**"):
        assert point in SECTIONS[name]


@pytest.mark.parametrize("name", STATISTICS)
def test_drift_sections_tell_the_cost(name: str) -> None:
    """The page says the cost of each statistic that is computed per feature."""
    assert "- **Cost**: " in SECTIONS[name]


def test_defaults_are_those_of_the_configuration() -> None:
    """Numbers quoted for settings are the defaults in use."""
    drift = Drift()
    quoted = dict(re.findall(r"`drift\.(\w+)` \(([\d.,]+)\)", PAGE))

    assert {name: float(text.replace(",", "")) for name, text in quoted.items()} == {
        name: getattr(drift, name) for name in quoted
    }
    assert quoted.keys() == {"grid", "bins", "ks", "tvd", "psi", "significance", "min_samples"}
    assert f"`limits.max_categories` ({Limits().max_categories})" in PAGE
