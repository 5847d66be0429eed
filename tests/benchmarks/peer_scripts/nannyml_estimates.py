"""NannyML's CBPE and PCA of a classifier, and DLE of a regression: `nannyml_estimates.py FOLDER`.

FOLDER has `NAME.reference.parquet` and `NAME.analysis.parquet` of `car_loan` and `regression`. Windows are chunks of
5,000 rows. What is needed for both, learning from the reference and estimating, is timed.
"""

import sys
from pathlib import Path

import nannyml
import pandas as pd
from clocks import report, start

ROWS = 5_000


def both(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return reference and analysis."""
    reference, analysis = (pd.read_parquet(Path(sys.argv[1]) / f"{name}.{side}.parquet") for side in SIDES)
    return reference, analysis


SIDES = ("reference", "analysis")
began = start()
reference, analysis = both("car_loan")
features = [name for name in analysis if name not in ("id", "timestamp", "y_pred", "y_pred_proba")]
cbpe = nannyml.CBPE(
    metrics=["roc_auc", "accuracy", "precision", "recall", "f1"],
    y_true="repaid",
    y_pred="y_pred",
    y_pred_proba="y_pred_proba",
    problem_type="classification_binary",
    chunk_size=ROWS,
)
estimated = cbpe.fit(reference).estimate(analysis).to_df()
pca = nannyml.DataReconstructionDriftCalculator(column_names=features, chunk_size=ROWS)
reconstructed = pca.fit(reference).calculate(analysis).to_df()
complete = min(map(len, (estimated, reconstructed))) > len(analysis) / ROWS
reference, analysis = both("regression")
features = [name for name in analysis if name not in ("id", "timestamp", "y_pred")]
dle = nannyml.DLE(
    feature_column_names=features, y_true="y_true", y_pred="y_pred", metrics=["mae", "mse", "rmse"], chunk_size=ROWS
)
errors = dle.fit(reference).estimate(analysis).to_df()
complete = complete and len(errors) > len(analysis) / ROWS
report(began, complete, nannyml=nannyml.__version__, pandas=pd.__version__)
