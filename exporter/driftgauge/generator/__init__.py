"""From `thresholds.yml` to everything that shows or uses a threshold: rules, Alertmanager, dashboards, runbooks.

`parse` reads the file and `outputs` renders all files; other packages need nothing else.

    alerts, thresholds    the keys of the file, as pydantic classes
    outputs               the table of all rendered files: relative path → text
    write                 writes them to disk

    promql, cases         parts of expressions; which models share a threshold
    recording             recording rules
    definitions/, rule    one function per alert; annotations has their words and links
    rules                 all of these as rule files
    …                     one module or package per other kind of output, each a row of `outputs`

Except for `write` and its own texts this package reads and writes no files, and it never contacts Prometheus, Grafana
or MLflow.
"""
