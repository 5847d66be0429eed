"""The crash harness: an exporter is killed again and again while it reads, and must neither lose nor double a row.

    writer     logs predictions and labels to a real MLflow server, without pause, and keeps the books
    exporter   one `driftgauge serve` after another on the same state, each killed with SIGKILL
    harness    the run as a whole, and the comparison with one clean pass

`python -m tests.soak --kills 100` is the long run; `test_crashes` is a short one.
"""
