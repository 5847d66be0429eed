"""The chart's memory is the formula of performance.md, and enough for what was measured there."""

import math
import re
from typing import Any, Final

import pytest

from deploy.charts import ROOT, exporter_of, rendered

_MIB: Final = 2**20
# What fleets in performance.md took: models, features of each, memory. Each had 7,000 rows of a week and 1,000 new.
_FLEETS: Final = re.compile(r"^\| B9 \|.*?(\d+) models(?: x (\d+) features)?.*?([\d,]+) MB\)", re.MULTILINE)


def _request(models: int, features: int, rows: int, **values: Any) -> int:
    """Return the MiB that the chart asks for."""
    sizing = {"models": models, "features": features, "rows": rows}
    memory: str = exporter_of(rendered({"sizing": sizing, **values}))["resources"]["requests"]["memory"]
    return int(memory.removesuffix("Mi"))


@pytest.mark.parametrize("rule", ["effect", "budget"])
@pytest.mark.parametrize(("models", "features", "rows"), [(1, 50, 100_000), (12, 120, 2_000_000), (200, 500, 10**9)])
def test_formula(models: int, features: int, rows: int, rule: str) -> None:
    """Reference, panes and sums of each model, with the default grid and three windows, and the processes.

    When flags are judged as panes close, what windows had then is summed up too.
    """
    points, windows = 10_000 + 4_110, 3
    reference, panes = features * (points * 24 + 2_000), 45 * windows
    column = 2 * (2 * points + 1)
    occupied = min(rows, panes * column) + min(rows, windows * column)
    occupied += min(windows * rows, windows * column) if rule == "budget" else 0
    model = reference + panes * (6_000 + features * 400) + 16 * features * occupied

    judged = {"name": "churn", "predictions": {"experiment": "/monitoring/churn"}, "drift": {"rule": rule}}
    found = _request(models, features, rows, config={"models": [judged]})
    assert found == pytest.approx(1_100 + models * model / _MIB, abs=2)


def test_what_was_measured_fits() -> None:
    """Each fleet of performance.md has room in what the chart asks for, and not much more than it needs."""
    page = (ROOT / "exporter" / "docs" / "performance.md").read_text(encoding="utf-8")
    measured = [
        (int(models), int(features or 50), int(mb.replace(",", ""))) for models, features, mb in _FLEETS.findall(page)
    ]

    assert len(measured) >= 4
    for models, features, megabytes in measured:
        needed = megabytes * 10**6 / _MIB
        assert needed < _request(models, features, 8_000) < 1.75 * needed, (models, features)


@pytest.mark.parametrize(("models", "shards", "most"), [(100, 1, 100), (100, 4, 38), (2, 3, 1), (3, 2, 3), (7, 100, 1)])
def test_shards_share_the_models(models: int, shards: int, most: int) -> None:
    """A shard has room for half as many models again as its share, for a hash is not even, and never for none."""
    assert _request(models, 50, 8_000, shards=shards) == _request(most, 50, 8_000)
    assert most == min(models, math.ceil(1.5 * models / shards)) or shards == 1


def test_limit_leaves_room_and_can_be_written() -> None:
    """The limit is a quarter above the request; single numbers of one's own replace single ones."""
    computed = exporter_of(rendered({}))["resources"]
    written = exporter_of(rendered({"resources": {"limits": {"memory": "3Gi"}}}))["resources"]

    assert int(computed["limits"]["memory"].removesuffix("Mi")) == _request(1, 50, 100_000) * 5 // 4
    assert written == {**computed, "limits": {**computed["limits"], "memory": "3Gi"}}
