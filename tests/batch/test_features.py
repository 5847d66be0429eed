"""Features and their kinds."""

from typing import Any

import pyarrow as pa
import pytest

from batch.samples import a_model, plain
from driftgauge.batch.features import FeatureReader
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import resolve
from driftgauge.batch.rows import Rows


def rows_of(*, untyped: bool = False, numeric_text: frozenset[str] = frozenset(), **columns: Any) -> Rows:
    """Return rows of columns given as lists; two underscores in a name stand for a dot."""
    arrays = {name.replace("__", "."): pa.array(values) for name, values in columns.items()}
    return Rows(arrays, all_fine(len(next(iter(arrays.values())))), untyped=untyped, numeric_text=numeric_text)


def read(reader: FeatureReader, rows: Rows) -> dict[str, list[Any]]:
    """Return all features, the kind being visible from the type of the values."""
    found, categories = reader.read(rows, resolve(rows, a_model()))
    assert not found.keys() & categories.keys()
    return {name: plain(values) for name, values in {**found, **categories}.items()}


def features_of(rows: Rows, kinds: Any = None, *, plain_table: bool = False, **features: Any) -> dict[str, list[Any]]:
    """Read the features of one block."""
    return read(FeatureReader(a_model(features=features), kinds, plain_table=plain_table), rows)


@pytest.mark.parametrize(
    ("description", "rows", "expected"),
    [
        ("an object", rows_of(features__a=[1], features__n__b=["x"], features=[b""]), {"a": [1.0], "n.b": ["x"]}),
        ("another object", rows_of(inputs__a=[1], inputs=[b""]), {"a": [1.0]}),
        ("a prefix", rows_of(feature_a=[1], feature_=[2]), {"a": [1.0]}),
        ("lists are none", rows_of(features__a=[b""], features__b=[1]), {"b": [1.0]}),
        ("flat columns are none without being named", rows_of(age=[1]), {}),
        ("two spellings of one", rows_of(feature_a=[1, None], inputs__a=[None, 2]), {"a": [1.0, 2.0]}),
    ],
)
def test_where_features_are(description: str, rows: Rows, expected: dict[str, list[Any]]) -> None:
    """Objects and prefixes hold features."""
    assert features_of(rows) == expected, description


def test_flat_columns_that_are_known() -> None:
    """A flat column is a feature when the configuration or the reference names it."""
    rows = rows_of(age=[1], plan=["A"], id=[7], feature_x=[2])
    assert features_of(rows, {"age": "numeric", "id": "numeric"}) == {"age": [1.0], "x": [2.0]}
    assert features_of(rows, include=["plan", "x"]) == {"plan": ["A"], "x": [2.0]}
    assert features_of(rows, exclude=["x"]) == {}


def test_plain_tables() -> None:
    """A table without feature objects or prefixes consists of features, except for its roles."""
    rows = rows_of(age=[1], plan=["A"], label=[1])
    assert features_of(rows, plain_table=True) == {"age": [1.0], "plan": ["A"]}
    assert features_of(rows, plain_table=True, exclude=["age"]) == {"plan": ["A"]}
    prefixed = rows_of(age=[1], feature_x=[2])
    assert features_of(prefixed, plain_table=True) == {"x": [2.0]}


@pytest.mark.parametrize(
    ("description", "values", "options", "expected"),
    [
        ("numbers", [1, None], {}, [1.0, None]),
        ("booleans are categories", [True, False], {}, ["true", "false"]),
        ("text is a category", ["1", "2"], {}, ["1", "2"]),
        ("text of a CSV file may be numbers", ["1", "", "NA", "2.5"], {"untyped": True}, [1.0, None, None, 2.5]),
        ("or not", ["1", "x"], {"untyped": True}, ["1", "x"]),
        ("numbers with a stray text", ["1", "x"], {"numeric_text": frozenset({"feature_f"})}, [1.0, None]),
        ("missing everywhere", [None, None], {}, [None, None]),
        ("empty everywhere", ["", "NA"], {"untyped": True}, [None, None]),
    ],
)
def test_kinds_from_values(description: str, values: list[Any], options: dict[str, Any], expected: list[Any]) -> None:
    """Without a reference the first values decide."""
    assert features_of(rows_of(feature_f=values, **options)) == {"f": expected}, description


def test_kinds_that_are_known() -> None:
    """The reference decides before the configuration, and that before the values."""
    rows = rows_of(feature_a=[1.0, 2.5], feature_b=["7", "x"])
    assert features_of(rows, categorical=["a"]) == {"a": ["1", "2.5"], "b": ["7", "x"]}
    assert features_of(rows, {"a": "numeric", "b": "numeric"}, categorical=["a"]) == {"a": [1.0, 2.5], "b": [7.0, None]}


def test_kinds_stay_within_a_file() -> None:
    """What the first block with values showed holds for the later ones."""
    reader = FeatureReader(a_model(), None, plain_table=False)
    blocks = [[None, None], ["x", None], ["1", "2"]]
    results = [read(reader, rows_of(untyped=True, feature_f=pa.array(block, pa.string()))) for block in blocks]
    assert results == [{"f": [None, None]}, {"f": ["x", None]}, {"f": ["1", "2"]}]
    reader = FeatureReader(a_model(), None, plain_table=False)
    assert read(reader, rows_of(feature_f=[1])) == {"f": [1.0]}
    assert read(reader, rows_of(feature_f=["x"])) == {"f": [None]}


def test_survey() -> None:
    """A survey names the kinds that values show, and is silent about what is missing."""
    reader = FeatureReader(a_model(), None, plain_table=True)
    rows = rows_of(a=[1], b=["x"], c=[None], id=[1])
    assert dict(reader.survey(rows, resolve(rows, a_model()))) == {"a": "numeric", "b": "categorical"}
    split = rows_of(feature_a=[1], inputs__a=["x"])
    assert dict(reader.survey(split, resolve(split, a_model()))) == {"a": "categorical"}
