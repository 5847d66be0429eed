"""pyarrow parses a file and does nothing else: `pyarrow_parse.py FILE`."""

import sys

import pyarrow as pa
import pyarrow.parquet as pq
from clocks import report, start
from pyarrow import json

path = sys.argv[1]
began = start()
table = pq.read_table(path) if path.endswith(".parquet") else json.read_json(path)
report(began, len(table) > 0, pyarrow=pa.__version__)
