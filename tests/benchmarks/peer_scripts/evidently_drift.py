"""Evidently's data drift preset on two parquet files: `evidently_drift.py REFERENCE CURRENT`."""

import sys

import evidently
import pandas as pd
from clocks import report, start
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

reference, current = (pd.read_parquet(path) for path in sys.argv[1:])
definition = DataDefinition(numerical_columns=list(reference))
sides = [Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference)]
began = start()
found = Report([DataDriftPreset()]).run(*sides).dict()
report(began, len(found["metrics"]) > reference.shape[1], evidently=evidently.__version__, pandas=pd.__version__)
