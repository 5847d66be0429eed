"""NannyML's univariate drift of two parquet files: `nannyml_drift.py REFERENCE CURRENT`."""

import sys

import nannyml
import pandas as pd
from clocks import report, start

reference, current = (pd.read_parquet(path) for path in sys.argv[1:])
calculator = nannyml.UnivariateDriftCalculator(
    column_names=list(reference),
    continuous_methods=["kolmogorov_smirnov", "jensen_shannon", "wasserstein"],
    chunk_number=1,
)
# Fitted before, as our reference is compiled before.
calculator.fit(reference)
began = start()
found = calculator.calculate(current).to_df()
report(began, len(found) > 0, nannyml=nannyml.__version__, pandas=pd.__version__)
