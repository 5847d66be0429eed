"""A batch is what it was when it was logged."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from driftgauge.client.arrays import GeneratedIds, snapshot


@pytest.mark.parametrize("values", [np.array([1, 2]), pd.Series([1, 2]), [1, 2]], ids=repr)
def test_later_changes_do_not_reach_a_snapshot(values: Any) -> None:
    """Serving code may use its arrays again at once."""
    taken = snapshot(values)
    values[0] = 9
    assert list(taken) == [1, 2]


def test_what_never_changes_is_not_copied() -> None:
    """Arrow's arrays, single values and nothing."""
    array = pa.array([1])
    assert snapshot(array) is array
    assert [snapshot(value) for value in (None, "timeout", 0.5)] == [None, "timeout", 0.5]
    assert snapshot((1, 2)) == [1, 2]


def test_made_up_ids_behave_like_a_list() -> None:
    """They are different, in order, and written out on demand."""
    ids = GeneratedIds("a-7", 3)
    assert list(ids) == ["a-7-0", "a-7-1", "a-7-2"]
    assert (len(ids), ids[-1], ids[1:]) == (3, "a-7-2", ["a-7-1", "a-7-2"])
    with pytest.raises(IndexError):
        ids[3]
