"""What goes wrong with features: as described, on real flights, and with the effect the story tells of."""

from collections.abc import Callable

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from driftgauge.demo.defects import AIRLINES, Defect, as_repaired, icao_codes, no_departure_delay
from driftgauge.demo.flights import FEATURES, new_york_time
from driftgauge.demo.training import Training


@pytest.fixture(scope="module")
def spring(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights of the last two weeks of March."""
    days = flights["departed"].between(new_york_time(2013, 3, 15), new_york_time(2013, 4, 1), inclusive="left")
    return flights[days]


def test_every_code_has_another(flights: pd.DataFrame) -> None:
    """All airlines and airports of the year have a code that the model never saw; no two share one."""
    recoded = icao_codes(flights)
    assert set(AIRLINES) == set(flights["carrier"])
    for name, letters in (("carrier", 3), ("origin", 4), ("dest", 4)):
        pairs = set(zip(flights[name], recoded[name], strict=True))
        assert len(pairs) == flights[name].nunique() == recoded[name].nunique()
        assert {len(code) for _, code in pairs} == {letters}
        assert not {old for old, _ in pairs} & {new for _, new in pairs}
    airports = dict(zip(flights["dest"], recoded["dest"], strict=True))
    assert (airports["LAX"], airports["SJU"]) == ("KLAX", "TJSJ")


@pytest.mark.parametrize(
    ("defect", "touched"),
    [
        (icao_codes, {"carrier", "origin", "dest"}),
        (no_departure_delay, {"dep_delay"}),
        (as_repaired, {"carrier", "origin", "dest", "dep_delay"}),
    ],
)
def test_nothing_else_changes(spring: pd.DataFrame, defect: Defect, touched: set[str]) -> None:
    """Only the features named are touched, labels and times never; the flights given stay as they are."""
    before = spring.copy()
    after = defect(spring)
    assert {name for name in FEATURES if not after[name].equals(spring[name])} == touched
    rest = [name for name in spring.columns if name not in touched]
    pd.testing.assert_frame_equal(after[rest], spring[rest])
    pd.testing.assert_frame_equal(spring, before)


@pytest.mark.parametrize(
    ("case", "defects", "lowest", "highest"),
    [
        ("as they are", (), 0.90, 0.95),
        ("codes alone hardly matter", (icao_codes,), 0.90, 0.95),
        ("hours taken for minutes", (as_repaired,), 0.50, 0.75),
        ("without the delay it is little better than a coin", (icao_codes, no_departure_delay), 0.45, 0.70),
    ],
)
def test_what_the_model_makes_of_it(
    training: Training,
    spring: pd.DataFrame,
    case: str,
    defects: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...],
    lowest: float,
    highest: float,
) -> None:
    """The area under the ROC curve of the spring's flights, whose labels do not change."""
    asked = spring[spring["late"].notna()]
    for defect in defects:
        asked = defect(asked)
    assert lowest < roc_auc_score(asked["late"], training.model.predict(asked)["score"]) < highest, case
