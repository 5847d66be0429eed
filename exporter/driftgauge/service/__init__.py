"""The running exporter: refreshes in the background, serves the last page, reloads its configuration.

health       what the exporter knows of itself, and the families that say so
publication  samples of all models and the health, rendered to one page
landing      what the landing page shows, out of the same samples
running      the refresh thread, one refresh, reload and stop
"""

from driftgauge.service.running import Service, refresh_once

__all__ = ["Service", "refresh_once"]
