"""The running exporter: refreshes in the background, serves the last page, reloads its configuration.

health       what the exporter knows of itself, and the families that say so
publication  samples of all models and the health, rendered to one page
landing      what the landing page shows, out of the same samples
running      the refresh thread, reload and stop
interpreter  how Python runs a process that answers scrapes while it refreshes
refreshing   one refresh: all that needs the pipeline, and so is imported late
"""

from driftgauge.service.running import Service

__all__ = ["Service"]
