"""Objects that are written as text."""

import pyarrow as pa

from batch.samples import plain
from driftgauge.batch.objects import unpacked
from driftgauge.batch.reasons import all_fine
from driftgauge.batch.rows import Rows


def test_text_becomes_an_object() -> None:
    """Its members are columns, as those of an object are; what cannot be parsed stays text."""
    texts = ['{"amount": 1.5, "tags": [1, 2], "plan": "A"}', None, "{broken"]
    rows = unpacked(Rows({"features": pa.array(texts), "y": pa.array([1, 2, 3])}, all_fine(3)))
    assert plain(rows.columns["features.amount"]) == [1.5, None, None]
    assert plain(rows.columns["features.plan"]) == ["A", None, None]
    assert rows.lists["features.tags"].to_pylist() == [[1, 2], None, None]
    assert plain(rows.columns["features"])[2] == "{broken"
    assert plain(rows.columns["y"]) == [1, 2, 3]


def test_lists_in_text() -> None:
    """A list of numbers is one as well."""
    rows = unpacked(Rows({"inputs": pa.array(["[1.0, 2.0]", "[3.0, 4.0]"])}, all_fine(2)))
    assert rows.lists["inputs"].to_pylist() == [[1.0, 2.0], [3.0, 4.0]]


def test_other_text_stays() -> None:
    """An output may be a word, and an object is one already."""
    rows = Rows({"outputs": pa.array(["yes"]), "features.a": pa.array(["{}"])}, all_fine(1))
    assert unpacked(rows) is rows
