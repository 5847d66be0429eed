"""Features and their kinds."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from batch.samples import a_model, plain
from driftgauge.batch.features import FeatureReader, Found
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.roles import resolve
from driftgauge.batch.rows import Rows


def rows_of(*, untyped: bool = False, numeric_text: frozenset[str] = frozenset(), **columns: Any) -> Rows:
    """Return rows of columns given as lists; two underscores in a name stand for a dot."""
    arrays = {name.replace("__", "."): pa.array(values) for name, values in columns.items()}
    return Rows(arrays, all_fine(len(next(iter(arrays.values())))), untyped=untyped, numeric_text=numeric_text)


def read(reader: FeatureReader, rows: Rows) -> dict[str, list[Any]]:
    """Return all features, the kind being visible from the type of the values."""
    found = notes_of(reader, rows)
    assert not found.numbers.keys() & found.categories.keys()
    return {name: plain(values) for name, values in {**found.numbers, **found.categories}.items()}


def notes_of(reader: FeatureReader, rows: Rows, **options: Any) -> Found:
    """Read one block in full."""
    rows = reader.spread(rows)
    return reader.read(rows, resolve(rows, a_model(**options)), np.full(len(rows), 0.0))


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
    """A table without feature objects or prefixes consists of features, those with a role last."""
    rows = rows_of(age=[1], plan=["A"], label=[1])
    assert features_of(rows, plain_table=True) == {"age": [1.0], "plan": ["A"], "label": [1.0]}
    assert features_of(rows, plain_table=True, exclude=["age", "label"]) == {"plan": ["A"]}
    prefixed = rows_of(age=[1], feature_x=[2])
    assert features_of(prefixed, plain_table=True) == {"x": [2.0]}


@pytest.mark.parametrize(
    ("description", "values", "options", "expected"),
    [
        ("numbers", [1, None], {}, [1.0, None]),
        ("booleans are categories", [True, False], {}, ["true", "false"]),
        ("text is a category", ["1", "2"], {}, ["1", "2"]),
        ("text of a CSV file may be numbers", ["1", "", "NA", "2.5"], {"untyped": True}, [1.0, None, None, 2.5]),
        ("or not", ["1", "x", "y"], {"untyped": True}, ["1", "x", "y"]),
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
    """A survey counts what values look like, and sees nothing where they are missing."""
    reader = FeatureReader(a_model(), None, plain_table=True)
    rows = rows_of(a=[1], b=["x"], c=[None])
    readings = {name: shown.reading() for name, shown in reader.survey(rows, resolve(rows, a_model()))}
    assert readings == {"a": "flag", "b": "categorical", "c": None}
    split = rows_of(feature_a=[1], inputs__a=["x"])
    ((name, shown),) = reader.survey(split, resolve(split, a_model()))
    assert (name, shown.present) == ("a", 2)


@pytest.mark.parametrize(
    ("description", "rows", "kinds", "expected"),
    [
        (
            "numbered names are whole",
            rows_of(feature_0=[1], feature_1=[2]),
            None,
            {"feature_0": [1.0], "feature_1": [2.0]},
        ),
        ("below an object as well", rows_of(features__feature_0=[1]), None, {"feature_0": [1.0]}),
        ("the reference has the prefix", rows_of(features__0=[1]), {"feature_0": "numeric"}, {"feature_0": [1.0]}),
        ("the rows have it", rows_of(features__feature_age=[1]), {"age": "numeric"}, {"age": [1.0]}),
        ("and flat", rows_of(feature_age=[1]), {"feature_age": "numeric"}, {"feature_age": [1.0]}),
    ],
)
def test_names_are_the_references(description: str, rows: Rows, kinds: Any, expected: dict[str, list[Any]]) -> None:
    """One feature has one name, with the prefix `feature_` or without."""
    assert features_of(rows, kinds) == expected, description
    assert features_of(rows_of(**{name: [1] for name in expected}), dict.fromkeys(expected, "numeric")).keys() == (
        expected.keys()
    )


def test_a_column_named_like_a_role_is_a_feature_if_included() -> None:
    """What `features.include` names is a feature and has no role."""
    rows = rows_of(age=[1], score=[700], time=[3.5], id=[9])
    model = a_model(features={"include": ["age", "score", "time", "id"]})
    reader = FeatureReader(model, None, plain_table=False)
    roles = resolve(rows, model)
    assert reader.read(rows, roles, np.zeros(1)).numbers == {"age": [1.0], "score": [700.0], "time": [3.5], "id": [9.0]}
    assert not roles.claimed()


def test_roles_of_a_plain_table() -> None:
    """Live rows may have a reference's columns with a role as features, unless the configuration maps them."""
    rows = rows_of(age=[1], score=[700], target=[1], note=["x"])
    model = a_model(columns={"label": "target"})
    reader = FeatureReader(model, None, plain_table=True)
    assert reader.in_roles(rows, resolve(rows, model)) == {"score": "score"}
    assert FeatureReader(model, None, plain_table=False).in_roles(rows, resolve(rows, model)) == {}


def test_many_cells_in_another_notation_leave_no_biased_remainder() -> None:
    """If those above 999 cannot be read, the rest would look like drift: the feature is missing to the file's end."""
    reader = FeatureReader(a_model(), {"price": "numeric"}, plain_table=False)
    found = notes_of(reader, rows_of(feature_price=["1,100.00", "2,000.00", *["900.00"] * 38]))
    assert np.isnan(found.numbers["price"]).all()
    (note,) = found.notes
    assert (note.reason, note.example) == ("unreadable_cells", "1,100.00")
    assert "2 of 40 cells" in note.text
    assert "all are missing" in note.text
    assert np.isnan(notes_of(reader, rows_of(feature_price=["900.00"])).numbers["price"]).all()


def test_unreadable_cells_are_missing_and_said() -> None:
    """In a column of numbers some cells may be none; what they are is said with an example and the remedy."""
    cells = ["1.5", "#N/A", "?", "1,234.56", "inf", "", "2", "3", "4", "5"]
    found = notes_of(FeatureReader(a_model(), None, plain_table=False), rows_of(untyped=True, feature_f=cells))
    assert plain(found.numbers["f"]) == [1.5, None, None, None, None, None, 2.0, 3.0, 4.0, 5.0]
    (note,) = found.notes
    assert (note.reason, note.column, note.example) == ("unreadable_cells", "feature_f", "#N/A")
    assert "categorical: [f]" in note.text


@pytest.mark.parametrize(
    ("description", "values", "part"),
    [
        ("moments", pa.array([0], pa.timestamp("us")), "age_days"),
        ("dates in text", ["2025-01-31", "2025-02-28"], "age_days"),
        (
            "identifiers",
            ["0b7e41b4-5a3c-4d5f-9c64-1f0c7b6c9d10", "1b7e41b4-5a3c-4d5f-9c64-1f0c7b6c9d10"],
            "identifiers",
        ),
        ("JSON text", ['{"a": 1}', '{"b": 2}'], "JSON"),
    ],
)
def test_what_is_left_out_is_said(description: str, values: Any, part: str) -> None:
    """Of some values every new one is another: they are no feature, and that is said with the remedy."""
    found = notes_of(
        FeatureReader(a_model(), None, plain_table=False), rows_of(feature_f=values, feature_x=[1] * len(values))
    )
    assert found.numbers.keys() | found.categories.keys() == {"x"}, description
    (note,) = found.notes
    assert (note.reason, note.column) == ("feature_left_out", "feature_f")
    assert part in note.text
    assert "exclude: [f]" in note.text


def test_dates_that_a_feature_is_derived_from() -> None:
    """They are not left out with a word, for they are used."""
    features = {"include": [{"column": "signup", "as": "age_days"}, {"column": "signup", "as": "weekday"}]}
    reader = FeatureReader(a_model(features=features), None, plain_table=False)
    rows = rows_of(features__signup=["1969-12-31", "1969-12-30T12:00:00", "x"], features__age=[3, 4, 5])
    found = notes_of(reader, rows)
    assert {name: plain(values) for name, values in found.numbers.items()} == {
        "age": [3.0, 4.0, 5.0],
        "signup.age_days": [1.0, 1.5, None],
        "signup.weekday": [2.0, 1.0, None],
    }
    assert [note.example for note in found.notes] == ["x", "x"]


def test_lists_are_a_feature_for_each_place() -> None:
    """Short lists of one length are read; others are named."""
    lists = {"features.e": pa.array([[1.0, 2.0], [3.0, None], None]), "features.v": pa.array([[1], [1, 2], [1, 2, 3]])}
    columns = {path: pa.array([b"", b"", None if path.endswith("e") else b""], pa.binary()) for path in lists}
    found = notes_of(FeatureReader(a_model(), None, plain_table=False), Rows(columns, all_fine(3), lists=lists))
    assert {name: plain(values) for name, values in found.numbers.items()} == {
        "e.0": [1.0, 3.0, None],
        "e.1": [2.0, None, None],
    }
    assert [(note.reason, note.column) for note in found.notes] == [("feature_not_read", "features.v")]


def test_precision_is_known_by_feature() -> None:
    """Numbers keep the bits that they were written with, those of lists and maps as well."""
    rows = Rows(
        {"features.s": pa.array([0.5]), "features.m.k": pa.array([0.5]), "features.d": pa.array([0.5])},
        all_fine(1),
        precision={"features.s": 32, "features.m": 16},
    )
    assert notes_of(FeatureReader(a_model(), None, plain_table=False), rows).precision == {"s": 32, "m.k": 16}
