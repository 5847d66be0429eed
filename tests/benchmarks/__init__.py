"""Benchmarks of the product at the size it is meant for, each line against what people use instead.

    __main__        which lines run, where their results go
    measuring       clocks, processes, alternating rounds, targets
    peers           other libraries, in virtual environments of their own, which run peer_scripts
    product         the product's own steps without files and MLflow
    datasets        the rows that are measured
    stores          MLflow stores filled at size
    fitting         lines fitted through the measurements
    report, plots   from results to the table and the plots of exporter/docs/performance.md

The lines: folding (B1), window (B2), decoding (B3), pulling (B4), scraping (B5), memory (B6), late_labels (B7),
starting (B8), fleet (B9), client (B10), estimates (B11), and growth. profile says where the time of a refresh goes.
"""

import sys
from pathlib import Path

# The tests import each other from `tests`, where pytest starts; so do these scripts.
sys.path.insert(0, str(Path(__file__).parent.parent))
