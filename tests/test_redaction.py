"""What is secret, and texts in which it is not shown."""

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from driftgauge.redaction import Secrets, is_secret_name, secrets_in, secrets_of, without_secrets

NOTHING = Secrets()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MLFLOW_TRACKING_PASSWORD", True),
        ("MLFLOW_TRACKING_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("AWS_SESSION_TOKEN", True),
        ("AZURE_STORAGE_CONNECTION_STRING", True),
        ("AZURE_STORAGE_ACCESS_KEY", True),
        ("AZURE_CLIENT_SECRET", True),
        ("DATABRICKS_TOKEN", True),
        ("GOOGLE_CREDENTIALS", True),
        ("DRIFTGAUGE_HASH_KEY", True),
        ("apikey", True),
        ("DB_PASS", True),
        ("DB_PWD", True),
        ("BASIC_AUTH", True),
        ("SENTRY_DSN", True),
        ("KEYCLOAK_REALM", False),
        ("AUTH_SERVICE_PORT_HTTP", False),
        ("AUTH_PORT_80_TCP_ADDR", False),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", False),
        ("SSH_AUTH_SOCK", False),
        ("MLFLOW_TRACKING_AUTH", False),
        ("MLFLOW_TRACKING_USERNAME", False),
        ("AUTHOR", False),
        ("PWD", False),
        ("COMPASS", False),
        ("HOME", False),
    ],
)
def test_names_of_secrets(name: str, *, expected: bool) -> None:
    """A variable's name says whether its value is secret."""
    assert is_secret_name(name) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pass@host:5000/x", "http://<secret>@host:5000/x"),
        ("GET https://geheim@host/x failed", "GET https://<secret>@host/x failed"),
        ("postgresql://u:p@ss@db/mlflow?password=geheim", "postgresql://<secret>@db/mlflow?<secret>"),
        ("GET https://s3/bucket/key?X-Amz-Signature=abc failed", "GET https://s3/bucket/key?<secret> failed"),
        ("at 'https://h/x?sig=a%2Fb&se=1', twice", "at 'https://h/x?<secret>', twice"),
        (
            "Max retries exceeded with url: /x/a.parquet?sig=abc (Caused by",
            "… with url: /x/a.parquet?<secret> (Caused by",
        ),
        ("https://h/x?abc and more", "https://h/x?<secret> and more"),
        ("https://h/x#access_token=abc", "https://h/x#<secret>"),
        ("https://h/page.md#heading", "https://h/page.md#heading"),
        ("reference bob:geheim@host/ref.parquet", "reference <secret>@host/ref.parquet"),
        ("sftp://bob:geheim@host/x and ftp://bob:geheim@host/x", "sftp://<secret>@host/x and ftp://<secret>@host/x"),
        ("{'Authorization': 'Bearer abcdef'}", "{'Authorization': '<secret>'}"),
        ("authorization: Basic Ym9iOng=, accept: */*", "authorization: <secret>, accept: */*"),
        ("http://mlflow:5000/models/churn@champion", "http://mlflow:5000/models/churn@champion"),
        ("sqlite:////var/lib/mlflow.db", "sqlite:////var/lib/mlflow.db"),
        ("who@example.com asked", "who@example.com asked"),
        ("models:/churn@champion/reference.parquet", "models:/churn@champion/reference.parquet"),
        ("s3://bucket/reference@v2.parquet", "s3://bucket/reference@v2.parquet"),
        ("is that so? a = b, at 12:30", "is that so? a = b, at 12:30"),
    ],
)
def test_uris_in_a_message(text: str, expected: str) -> None:
    """User, query and fragment go, wherever in a message a URI stands; all else stays."""
    assert NOTHING.hide(text).replace("Max retries exceeded", "…") == expected


@pytest.mark.parametrize(
    "text",
    ["bob:geheimes@mlflow:5000", "bob:ge/heimes@mlflow", "http://bob:ge#hei?mes@mlflow:5000/x", "//bob:geheimes@h"],
)
def test_an_address_as_a_whole(text: str) -> None:
    """A value with a user is not shown either where it has no scheme or odd characters."""
    assert "hei" not in without_secrets(text)


def test_an_environment() -> None:
    """Values under secret names, what URIs in other values carry, and the header made of user and password."""
    found = set(
        secrets_in(
            {
                "MLFLOW_TRACKING_USERNAME": "bob",
                "MLFLOW_TRACKING_PASSWORD": "geheim-1",
                "MLFLOW_TRACKING_URI": "https://eve:geheim%2F2@mlflow/x?sig=geheim-3#t=geheim-4",
                "HTTPS_PROXY": "http://geheim-5@proxy:3128",
                "STORE": "Endpoint=https://x;SharedAccessSignature=geheim-6;AccountKey=geheim-7;AccountName=name",
                "TLS_KEY": "-----BEGIN-----\ngeheim-8\n-----END-----",
                "JSON_CREDENTIALS": '{"private_key": "-----BEGIN-----\\ngeheim-9\\n"}',
                "HOME": "/root",
            }
        )
    )
    assert {f"geheim-{n}" for n in (1, 3, 4, 5, 6, 7, 8, 9)} <= found
    assert {"geheim/2", "geheim%2F2", base64.b64encode(b"bob:geheim-1").decode()} <= found
    assert found.isdisjoint({"bob", "eve", "name", "/root"})


def test_a_secret_is_found_however_it_is_written() -> None:
    """In URLs, HTML, JSON and Python's notation."""
    secret = 'gé "he/im" & <more>\\'  # noqa: S105
    hidden = Secrets([secret])
    for text in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret),
        repr(secret),
    ):
        assert "im" not in hidden.hide_known(f"x{text}y"), text
    assert hidden.hide_known("another") == "another"


@pytest.mark.parametrize("value", ["", "ab", "true", "12345", "password", "mlflow", "MLflow", "changeme"])
def test_short_and_common_values_hide_nothing(value: str) -> None:
    """They would hide half of every text; within a URI they are hidden by their place."""
    hidden = Secrets([value])
    assert not hidden
    assert hidden.hide("the password of mlflow is true: changeme, ab, 12345") == (
        "the password of mlflow is true: changeme, ab, 12345"
    )
    assert hidden.hide(f"http://bob:{value}@host") == "http://<secret>@host"


def test_the_longest_secret_counts() -> None:
    """One that another begins with leaves nothing of the other."""
    assert Secrets(["geheim", "geheimnis"]).hide("geheimnis, geheim") == "<secret>, <secret>"


def test_the_user_of_a_known_password_is_hidden_too() -> None:
    """Whichever is found first."""
    assert Secrets(["geheimnis"]).hide("at http://me:geheimnis@host/x") == "at http://<secret>@host/x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://b.s3.x/k?Credential=geheimnis%2F2026&Signature=f00d failed", "https://b.s3.x/k?<secret> failed"),
        ("https://b.s3.x/k?Credential=geheimnis failed", "https://b.s3.x/k?<secret> failed"),
        ("https://b.s3.x/geheimnis/k?f00d failed", "https://b.s3.x/<secret>/k?<secret> failed"),
        ("https://b.s3.x/geheimnis/k#t=f00d failed", "https://b.s3.x/<secret>/k#<secret> failed"),
        ("https://b.s3.x/k#geheimnis=f00d failed", "https://b.s3.x/k#<secret> failed"),
        ("GET /k?a=geheimnis&b=f00d", "GET /k?<secret>"),
        ("https://b.s3.x/k?geheimnis<a>", "https://b.s3.x/k?<secret><a>"),
        ("is it there? geheimnis", "is it there? <secret>"),
        ("https://b.s3.x/k? yes", "https://b.s3.x/k? yes"),
    ],
)
def test_a_known_secret_in_a_query_hides_the_rest_too(text: str, shown: str) -> None:
    """A signed URL has a key that is known and a signature that is not; what is hidden once stays as it is."""
    secrets = Secrets(["geheimnis"])
    assert secrets.hide(text) == shown
    assert secrets.hide(shown) == shown


@pytest.mark.parametrize(
    "part",
    ["<secret>", "://<secret>", "?<secret>", "://", ":/", "a:", "?", "a+", "a@", "://a:", "#=", "http://a", "?="],
)
def test_a_hostile_message_takes_no_time(part: str) -> None:
    """Servers write messages; what is looked for is bounded."""
    started = time.process_time()
    NOTHING.hide(part * (60_000 // len(part)))
    assert time.process_time() - started < 2


def test_labels_stay_apart() -> None:
    """Two series whose labels have two secrets stay two."""
    hidden = Secrets(["geheimnis-1", "geheimnis-2", "geheimnis-1"])
    assert [hidden.label(f"a {text}") for text in ("geheimnis-1", "geheimnis-2")] == ["a <secret 1>", "a <secret 2>"]
    assert hidden.label("https://host/x?a=b") == "https://host/x?a=b"


def test_a_value_that_is_no_uri() -> None:
    """Has nothing secret."""
    assert list(secrets_of("/monitoring/churn@2; x = 1")) == []
    assert list(secrets_of("http://[broken")) == []
