"""The whole product on real data: a model, its predictions and its labels, served in under a minute.

    names       what training, serving and the configuration agree on
    directory   the demo's own folder: made anew at each start, never at the cost of anybody's files
    flights     the flights of 2013 as they were known at departure, and when and how late they landed
    training    a model of late landings, and the held-out rows that become its reference
    registry    the model and its reference in MLflow
    replay      the flights hour by hour, moved in time
    journal     batches as runs and files in MLflow, in every format driftgauge reads
    feeding     the thread that goes on with the next hour every few seconds
    guide       the configuration, and what to open
    running     all of it in order

It plays the part of other people's training and serving code, so it writes to MLflow where driftgauge only reads.
"""

from driftgauge.demo.guide import what_to_open
from driftgauge.demo.running import run_demo

__all__ = ["run_demo", "what_to_open"]
