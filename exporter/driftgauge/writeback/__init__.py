"""Results back into MLflow, where whoever owns a model looks: what is written, of which version, and when.

    metrics   which numbers become metrics of a run, and their names there
    content   what is written of the versions of a model
    writer    when that is tried, in a thread of its own
    standing  how that stands

How MLflow is asked is in `source.writing`. Nothing is written of a model without `writeback` in its configuration.
"""
