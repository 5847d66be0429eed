"""The data sets in NannyML's wheel, which tests install without its dependencies: the package is never imported.

Each has rows of a `reference`, which are labelled, of a later `analysis`, and the `labels` of the latter, in the
order of its rows.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

# Of each data set the files (reference, analysis, labels of the analysis) and the column with the label.
_FILES: Final = {
    "synthetic": ("synthetic_sample", "csv", "gt", "work_home_actual"),
    "car_loan": ("synthetic_car_loan", "csv", "target", "repaid"),
    "employment": ("employment_MA", "pq", "target", "employed"),
    "housing": ("california_housing", "csv", "gt", "clf_target"),
    "multiclass": ("mc", "csv", "gt", "y_true"),
    "regression": ("regression_synthetic", "csv", "targets", "y_true"),
}


class DataSet(NamedTuple):
    """Frames that must not be changed; `label` is the column of `reference` and `labels` with the label."""

    reference: pd.DataFrame
    analysis: pd.DataFrame
    labels: pd.DataFrame
    label: str


@cache
def data_set(name: str) -> DataSet:
    """Return a data set by its short name: synthetic, car_loan, employment, housing, multiclass or regression."""
    prefix, suffix, third, label = _FILES[name]
    reference, analysis, labels = (
        _frame(f"{prefix}_{part}.{suffix}") for part in ("reference", "analysis", f"analysis_{third}")
    )
    assert len(labels) == len(analysis)
    return DataSet(reference, analysis, labels, label)


def _frame(name: str) -> pd.DataFrame:
    found = find_spec("nannyml")
    assert found, "make .venv/.installed"
    assert found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / name
    return pd.read_parquet(path) if path.suffix == ".pq" else pd.read_csv(path)
