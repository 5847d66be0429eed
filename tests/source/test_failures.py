"""Failures of MLflow in the words of the exporter."""

import pytest

from driftgauge.errors import BatchError, SourceMissing, SourceUnavailable
from driftgauge.source.failures import status_failure, translated_errors


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused; start the server"),
        (TimeoutError("timed out"), "did not answer in time"),
        (OSError("[Errno -2] Name or service not known"), "host name does not resolve"),
        (RuntimeError("SSLError: CERTIFICATE_VERIFY_FAILED"), "MLFLOW_TRACKING_SERVER_CERT_PATH"),
        (RuntimeError("API request failed with error code 401"), "MLFLOW_TRACKING_PASSWORD"),
        (RuntimeError("too many 503 error responses"), "out of service, or limits requests (503)"),
        (
            ModuleNotFoundError("No module named 'boto3'"),
            "cannot be asked: ModuleNotFoundError: No module named 'boto3'",
        ),
    ],
)
def test_failures_are_translated(raised: Exception, expected: str) -> None:
    """Whatever is raised comes out as a failure that names the server, what happened and a remedy."""
    with pytest.raises(SourceUnavailable) as failure, translated_errors("http://host"):
        raise raised
    assert str(failure.value).startswith("http://host")
    assert expected in str(failure.value)


def test_translation_lets_own_errors_through() -> None:
    """An error that is already in the exporter's words stays as it is."""
    raised = BatchError("too_large", "too big")
    with pytest.raises(BatchError) as failure, translated_errors("http://host"):
        raise raised
    assert failure.value is raised


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, SourceMissing), *((status, SourceUnavailable) for status in (401, 403, 429, 500, 502, 503))],
)
def test_status_failure(status: int, kind: type[Exception]) -> None:
    """Only 404 means that the thing is not there; every other status means that the server cannot be asked."""
    assert isinstance(status_failure(status, server="http://host", wanted="x"), kind)
