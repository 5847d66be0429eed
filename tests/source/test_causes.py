"""What is recognised in the words of exceptions and answers."""

import pytest

from driftgauge.source import causes
from driftgauge.source.causes import REASONS, cause_of

POOL = (
    "MlflowException: API request to https://host/api failed with exception HTTPSConnectionPool(host='host', port=1): "
)

TEXTS = (
    ("HTTP 401", "unauthorized", "MLFLOW_TRACKING_TOKEN"),
    ('FATAL: password authentication failed for user "mlflow"', "unauthorized", "mlflow.tracking_uri"),
    ("PERMISSION_DENIED RestException: no", "forbidden", "ask for read access"),
    ("HTTP 403", "forbidden", "ask for read access"),
    (
        "ClientError: An error occurred (AccessDenied) when calling the PutObject operation",
        "forbidden",
        "access is denied",
    ),
    ("failed with error code 404 != 200.", "not_found", "its MLflow is too old"),
    ("failed with error code 405 != 200.", "redirected", "https://"),
    ("MlflowException: failed with exception Exceeded 30 redirects.", "redirected", "write the address"),
    ("HTTP 407", "proxy", "http_proxy"),
    (f"{POOL}(Caused by ProxyError('Unable to connect to proxy', OSError('Connection refused')))", "proxy", "no_proxy"),
    (f"{POOL}(Caused by ProxyError('Tunnel connection failed: 407 Proxy Auth'))", "proxy", "credentials (407)"),
    ("HTTP 429", "rate_limited", "raise the limit"),
    ("too many 429 error responses", "rate_limited", "more slowly"),
    ("HTTP 502", "server_error", "gets no answer from it (502)"),
    ("HTTP 503", "server_error", "out of service, or limits requests (503)"),
    ("HTTP 504", "server_error", "gets no answer from it (504)"),
    ("HTTP 520", "server_error", "the server fails (520)"),
    (f"{POOL}SSLError(1, 'certificate verify failed: certificate has expired')", "tls", "renew it"),
    (f'{POOL}SSLError(1, "certificate verify failed: Hostname mismatch, certificate is not")', "tls", "another name"),
    (f"{POOL}SSLError(1, 'CERTIFICATE_VERIFY_FAILED: self-signed certificate')", "tls", "SERVER_CERT_PATH"),
    (f"{POOL}SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')", "tls", "write http://"),
    (f"{POOL}SSLError(1, '[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]')", "tls", "CLIENT_CERT_PATH"),
    ("Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere", "tls", "is not there"),
    ("Could not find the TLS certificate file, invalid path: /nowhere", "tls", "is not there"),
    ("NameResolutionError: Failed to resolve 'mlflow.nowhere'", "unreachable", "does not resolve"),
    ("OSError: [Errno 113] No route to host", "unreachable", "no way to it"),
    ("ConnectTimeoutError: connect timeout=4", "timed_out", "correct mlflow.tracking_uri"),
    ("TimeoutError: timed out after 20 s", "timed_out", "in time"),
    ("ProtocolError('Connection aborted.', RemoteDisconnected())", "broken_off", "proxies on the way"),
    ("the response body was not in a valid JSON format", "not_mlflow", "login page"),
)
ANSWERS = (
    ("HTTP 403", "Invalid Host header - possible DNS rebinding attack detected", "forbidden", "--allowed-hosts"),
    ("HTTP 400", "<center>No required SSL certificate was sent</center>", "tls", "MLFLOW_TRACKING_CLIENT_CERT_PATH"),
    ("HTTP 400", "<center>The SSL certificate error</center>", "tls", "does not trust the client certificate"),
    ("HTTP 400", "The plain HTTP request was sent to HTTPS port", "tls", "write https://"),
    ("HTTP 400", "Client sent an HTTP request to an HTTPS server.", "tls", "write https://"),
    ("", '{"message": "Workspace \'nowhere\' not found"}', "not_found", "MLFLOW_WORKSPACE"),
    ("", "Workspace APIs are not available: workspaces are not enabled on this server", "not_found", "unset MLFLOW_W"),
)


@pytest.mark.parametrize(("text", "reason", "words"), TEXTS)
def test_cause_of_a_text(text: str, reason: str, words: str) -> None:
    """Each has its reason, and a remedy."""
    found = cause_of(text)
    assert found is not None
    assert (found.reason, words in found.words) == (reason, True), found.words


@pytest.mark.parametrize(("detail", "answer", "reason", "words"), ANSWERS)
def test_cause_of_an_answer(detail: str, answer: str, reason: str, words: str) -> None:
    """Phrases of servers say more than their status."""
    found = cause_of(detail, answer=answer)
    assert found is not None
    assert (found.reason, words in found.words) == (reason, True), found.words


def test_an_answer_shows_nothing_else() -> None:
    """A page with words that mean something in an exception is judged by its status."""
    page = "<html>Session timed out. Connection refused. HTTP 401</html>"
    assert cause_of("HTTP 418", answer=page) is None
    assert cause_of("HTTP 403", answer=page) == cause_of("HTTP 403")


def test_every_reason_is_one_of_the_closed_set() -> None:
    """The set that is documented has all causes, and nothing else."""
    found = {reason for _, reason, _ in TEXTS} | {reason for _, _, reason, _ in ANSWERS}
    assert found | {causes.OTHER} == set(REASONS)
