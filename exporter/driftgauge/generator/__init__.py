"""From `thresholds.yml` to everything that shows or uses a threshold: rules, Alertmanager, dashboards, runbooks.

`parse` reads the file, `outputs` renders the whole set; nothing else is needed from outside.

    alerts, thresholds    what the file may say, as pydantic classes
    outputs               the table of all that is rendered: relative path → text
    …                     one module or package per kind of output, each a row of that table
    write                 the set on disk

Apart from `write` this package is pure, and it never talks to Prometheus, Grafana or MLflow.
"""
