"""Reports on a model: one document, and its renderings. Pure: what is known of the model comes in as values.

subject      what a report is made of, and the part of it that was asked for
document     all of it as plain values, by these:
performance  metrics with intervals, baselines and estimates
columns      features, output and labels; their `shapes` are what pictures are drawn of
rows         slices that became worse, unusual rows
history      days, PSI of feature by day, alerts
versions     side by side
quality      labels, data, what was said of files
words        the verdict in one sentence
playbook     what runbooks say is to be done
links        dashboards and MLflow
"""

from driftgauge.report.document import Document, document
from driftgauge.report.history import Days
from driftgauge.report.subject import Chosen, NotPublished, Said, Subject

__all__ = ["Chosen", "Days", "Document", "NotPublished", "Said", "Subject", "document"]
