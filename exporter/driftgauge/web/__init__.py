"""The HTTP side of the exporter: what is answered (`app`), to whom (`access`, `webconfig`) and where (`server`).

Nothing here knows MLflow, models or statistics: the pages come through the `Exporter` protocol of `app` as bytes and
plain values.
"""
