"""MLflow's environment variables for a client that asks nobody but its server and must not hang, set before its import.

All are defaults: variables that the user has set stay.
"""

import logging
import os
from math import ceil
from typing import Final

_DEFAULTS: Final = {
    # MLflow refuses file stores since 3.7 unless this is set; we only read them.
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Standard output may be a page of metrics, and the URL has user and password.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # The user sees failures once, as our exceptions.
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    # Seven retries and Retry-After would hold up a refresh for minutes; the next refresh is the better retry.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}


def prepare(*, timeout: float) -> None:
    """Set MLflow's environment variables where unset; `timeout` (s) bounds one HTTP request."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(ceil(timeout)))
    # It warns about each retry, with the URL.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
