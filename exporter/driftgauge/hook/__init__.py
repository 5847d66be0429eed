"""The command `driftgauge hook`: Alertmanager's notifications start actions such as retraining, each once.

    settings    the file of actions, as pydantic classes
    matchers    which alerts an action is for
    incoming    the body of a notification -> alerts
    templates   text with placeholders, filled in from an alert
    journal     what is to be started, was started, and what came of it: one SQLite file, which survives kill -9
    deciding    when a trigger may start: cool-down, budget, concurrency
    plans       what a worker is given to do; planning: from an action and an alert
    secret      secrets in files
    calls       how it is done: an HTTP call, a command, a Kubernetes Job
    worker      the process that does it, and puts the outcome on record even if the receiver is gone
    recording   the run in MLflow that tells of it
    dispatching the thread that starts workers
    receiver    the routes; intake: between them and the journal; metrics: what Prometheus sees
    commands    the command line

A trigger is claimed in the journal by the worker itself, before it does anything: whatever is killed, two workers never
do the same, and what was claimed by one that died is not done again unless that is known to be harmless.
"""
