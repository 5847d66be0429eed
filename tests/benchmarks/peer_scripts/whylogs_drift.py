"""whylogs' profile of a parquet file and its drift from a profiled reference: `whylogs_drift.py REFERENCE CURRENT`."""

import sys

import pandas as pd
import whylogs as why
from clocks import report, start
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

reference, current = (pd.read_parquet(path) for path in sys.argv[1:])
# The reference is profiled before, as ours is compiled before.
known = why.log(reference).view()
began = start()
scores = calculate_drift_scores(target_view=why.log(current).view(), reference_view=known, with_thresholds=True)
report(began, len(scores) == reference.shape[1], whylogs=why.__version__, pandas=pd.__version__)
