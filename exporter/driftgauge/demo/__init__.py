"""The whole product on real data: a model, its predictions and labels, and within minutes drift, alerts and recovery.

    names       what training, serving and the configuration agree on
    directory   the demo's own folder: made anew at each start, never at the cost of anybody's files
    flights     the flights of 2013 as they were known at departure, and when and how late they landed
    training    a model of late landings, and the held-out rows that become its reference
    registry    the model and its reference in MLflow
    replay      the flights hour by hour, moved in time
    journal     batches as runs and files in MLflow, in every format driftgauge reads
    feeding     the thread that goes on with the next hour every moment
    pace        how fast that is, and how long windows and waiting times are in consequence
    defects     what goes wrong with features on their way to the model
    story       when it goes wrong, and when it is repaired
    programs    Prometheus and Alertmanager as processes that end with the demo
    paging      the phone of whoever is on call: a webhook that shows alerts in the terminal
    alerting    these two with rules, thresholds and runbooks of the demo's own
    guide       the configuration, and what to open
    running     all of it in order

It plays the part of other people's training and serving code, so it writes to MLflow where driftgauge only reads.
"""

from driftgauge.demo.programs import find_programs
from driftgauge.demo.running import run_demo

__all__ = ["find_programs", "run_demo"]
