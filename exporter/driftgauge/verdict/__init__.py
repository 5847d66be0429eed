"""What the alerts say of a model now, without Prometheus: for the landing page, reports and what goes to MLflow.

A condition has one definition, the PromQL that `generator` renders, and so have an alert's words. Here both are
evaluated on the samples of a snapshot: thresholds of one's own apply by construction, and a new alert needs nothing.

    findings   what holds now
    retraining whether the policy recommends to retrain
    rules      the rules of some thresholds, compiled once
    known      what is known of a model, as series
    promql     the part of PromQL in which the rules are written
    vectors    what PromQL does with series
    templates  the part of Go's templates in which the words are written
    gotext     what Go makes of values
"""

from driftgauge.verdict.findings import Finding, Past, findings
from driftgauge.verdict.retraining import recommendations
from driftgauge.verdict.rules import Rules

__all__ = ["Finding", "Past", "Rules", "findings", "recommendations"]
