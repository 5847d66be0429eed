"""polars parses a file and does nothing else: `polars_parse.py FILE`. Runs in a venv of its own."""

import sys

import polars as pl
from clocks import report, start

path = sys.argv[1]
began = start()
frame = pl.read_parquet(path) if path.endswith(".parquet") else pl.read_ndjson(path)
report(began, len(frame) > 0, polars=pl.__version__)
