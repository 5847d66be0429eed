"""What a process does not show, and its guarded output."""

import io
import subprocess
import sys

import pytest

from driftgauge import hiding
from driftgauge.hiding import Guarded, guard_output, hidden, hidden_known, hidden_values, key, learn

SECRET = "geheimnis-42"  # noqa: S105


@pytest.fixture
def _variable(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing that other tests have configured.
    monkeypatch.setattr(hiding, "_configured", set())
    monkeypatch.setenv("SOME_TOKEN", SECRET)


@pytest.fixture
def _learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiding, "_configured", set())
    learn([SECRET])


@pytest.mark.usefixtures("_variable")
def test_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable counts from the moment it is set until it is not."""
    assert hidden(f"http://h/{SECRET}?x=y") == "http://h/<secret>?<secret>"
    assert hidden_known(f"http://h/{SECRET}?x=y") == "http://h/<secret>?x=y"
    monkeypatch.delenv("SOME_TOKEN")
    assert hidden(SECRET) == SECRET


@pytest.mark.usefixtures("_learnt")
def test_what_a_configuration_has() -> None:
    """Is hidden as well, once it is learnt."""
    assert hidden(f"a {SECRET}") == "a <secret>"


@pytest.mark.usefixtures("_learnt")
def test_keys_of_the_state() -> None:
    """A place with a secret is stored as a digest that tells it from others; any other is stored as it is."""
    assert key("/monitoring/churn") == "/monitoring/churn"
    one, other = key(f"s3://b/{SECRET}/a"), key(f"s3://b/{SECRET}/b")
    assert SECRET not in one + other
    assert one != other
    assert one == key(f"s3://b/{SECRET}/a")


@pytest.mark.usefixtures("_variable")
def test_values() -> None:
    """Texts at any depth, keys included."""
    values = {"a": [SECRET, 1, None, {SECRET: 2.0}], "link": "http://h/?x=y"}
    assert hidden_values(values) == {"a": ["<secret>", 1, None, {"<secret>": 2.0}], "link": "http://h/?x=y"}


def test_a_guarded_stream() -> None:
    """What is written in pieces is seen as a line; a flush writes what there is."""
    stream = io.StringIO()
    guarded = Guarded(stream, lambda text: text.replace(SECRET, "*"))
    guarded.write(SECRET[:4])
    guarded.writelines([SECRET[4:], "\nand "])
    assert stream.getvalue() == "*\n"
    guarded.write(SECRET)
    guarded.flush()
    assert stream.getvalue() == "*\nand *"
    with pytest.raises(TypeError):
        guarded.write(b"bytes")  # type: ignore[arg-type]
    assert guarded.encoding == stream.encoding


@pytest.mark.usefixtures("_variable")
def test_whatever_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams, once."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    guard_output()
    guard_output()
    print(f"{SECRET} http://h/?x=y")  # noqa: T201
    print(f"{SECRET} http://h/?x=y", file=sys.stderr)  # noqa: T201
    assert out.getvalue() == "<secret> http://h/?x=y\n"
    assert err.getvalue() == "<secret> http://h/?<secret>\n"


WRITERS = """
import click, logging, threading, warnings
from driftgauge.hiding import guard_output
guard_output()
secret = "geheimnis" + "-42"
click.echo("echo " + secret)
click.echo("echo " + secret, err=True)
logging.getLogger("urllib3").warning("library %s", secret)
warnings.warn("warning " + secret)
def fail():
    raise ValueError("of a thread: " + secret)
thread = threading.Thread(target=fail)
thread.start()
thread.join()
try:
    fail()
except ValueError as error:
    raise RuntimeError("uncaught " + secret) from error
"""


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_everything_that_writes(language: str) -> None:
    """Click, logging, warnings, threads and the interpreter itself."""
    environ = {"SOME_TOKEN": SECRET, "LC_ALL": language}
    found = subprocess.run([sys.executable, "-c", WRITERS], env=environ, capture_output=True, text=True, check=False)
    written = found.stdout + found.stderr
    assert SECRET not in written
    assert written.count("<secret>") >= 7, written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pass@host:5000/x", "http://<secret>@host:5000/x"),
        ("postgresql://u:p@ss@db/mlflow?password=geheim", "postgresql://<secret>@db/mlflow?<secret>"),
        ("GET https://s3/bucket/key?X-Amz-Signature=abc failed", "GET https://s3/bucket/key?<secret> failed"),
        ("sqlite:////var/lib/mlflow.db", "sqlite:////var/lib/mlflow.db"),
        ("who@example.com asked", "who@example.com asked"),
        ("Bearer s3cr3t-token", "Bearer <secret>"),
        ("login of me with geheimes-wort failed", "login of me with <secret> failed"),
    ],
)
def test_messages(text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """User info, queries and MLflow's own secrets are hidden in a message, the rest stays."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cr3t-token")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "geheimes-wort")
    assert hidden(text) == expected
