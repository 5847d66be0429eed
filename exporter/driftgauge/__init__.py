"""driftgauge: a Prometheus exporter for the health of models in MLflow.

Importing the package starts nothing and reads nothing; the command line is in `driftgauge.cli`.
"""

__version__ = "0.1.0"
