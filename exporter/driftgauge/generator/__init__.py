"""From `thresholds.yml` to everything that shows or uses a threshold: rules, Alertmanager, dashboards, runbooks.

`parse` reads the file, `outputs` renders the whole set; nothing else is needed from outside.

    alerts, thresholds    what the file may say, as pydantic classes
    outputs               the table of all that is rendered: relative path → text
    write                 the set on disk

    promql, cases         parts of expressions; which models share a threshold
    recording             recording rules
    definitions/, rule    one function per alert; annotations has their words and links
    rules                 all of these as rule files
    …                     one module or package per other kind of output, each a row of `outputs`

Apart from `write` this package is pure, and it never talks to Prometheus, Grafana or MLflow.
"""
