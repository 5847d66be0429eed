"""The whole product on real data: a model, its predictions and labels, and within minutes drift, alerts and recovery.

    names       names that training, serving and the configuration share
    directory   the demo's own folder: emptied at each start, but only if a demo made it
    flights     the flights of 2013 as they were known at departure, and when and how late they landed
    training    a model of late landings, and the held-out rows that become its reference
    registry    the versions of the model and their references in MLflow
    replay      the flights hour by hour, moved in time
    journal     batches as runs and files in MLflow, in every format driftgauge reads
    feeding     the thread that feeds the next hour at every interval
    pace        the interval, and the windows and waiting times that follow from it
    defects     what goes wrong with features on their way to the model
    story       when it goes wrong, when it is repaired, and when a new version takes over
    programs    Prometheus and Alertmanager as processes that end with the demo
    paging      the phone of the person on call: a webhook that shows alerts in the terminal
    hooking     `driftgauge hook`, which starts the retraining
    retrain     what it starts: a process that registers the next version
    alerting    these three with the demo's own rules, thresholds and runbooks
    guide       the configuration, and what to open
    running     all of it in order

It stands for users' training and serving code, so it writes to MLflow, which the exporter only reads.
"""

from driftgauge.demo.guide import own_data
from driftgauge.demo.programs import find_programs
from driftgauge.demo.running import run_demo

__all__ = ["find_programs", "own_data", "run_demo"]
