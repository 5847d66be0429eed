"""What is computed from rows when they are folded into panes, one row of the table `SIGNALS` for each signal.

    signal        what a row of the table is
    table         the rows
    panes         rows -> panes, and a pane's values as samples of metric families
    rows          numbers and texts of decoded rows, the model's output among them
    latency, moments, distribution, outcomes   the signals that every model has
    reconstruction, multivariate, anomalies   what looks at all features of a row together
    joint         one pass over rows for these
    causes, confidence   the others, one module each or two signals that share one

To add one: CONTRIBUTING, "Add a signal". A signal knows neither windows nor other signals.
"""

from driftgauge.signals.panes import current, fit_all, fold, fold_one, learn_all, pane_samples
from driftgauge.signals.signal import Basis, Fitted, FittedOnCodes, Rows, Signal
from driftgauge.signals.table import AGGREGATES, SIGNALS

__all__ = [
    "AGGREGATES",
    "SIGNALS",
    "Basis",
    "Fitted",
    "FittedOnCodes",
    "Rows",
    "Signal",
    "current",
    "fit_all",
    "fold",
    "fold_one",
    "learn_all",
    "pane_samples",
]
