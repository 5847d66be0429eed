"""Which places a tracking server may name."""

import pytest

from driftgauge.errors import BatchError
from driftgauge.source.origins import Borders, Origin, is_forbidden, origin_of

HOME = "http://bob:pw@mlflow.example.com:5000/prefix"
BORDERS = Borders(HOME, ("files.example.com", "files.example.com:8443", "[2001:db8::1]:80"))


def reason(root: str, borders: Borders = BORDERS) -> str:
    """Return why a root is refused, "" when it is not."""
    try:
        borders.refuse(root)
    except BatchError as error:
        found = error
    else:
        return ""
    # What to do about it is never missing.
    assert len(str(found).partition(": ")[2]) > 5
    assert "pw" not in str(found)
    return found.reason


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Host", Origin("http", "host", 80)),
        ("https://host/x", Origin("https", "host", 443)),
        ("http://u:p@host:5000?x#y", Origin("http", "host", 5000)),
        ("http://home@evil/", Origin("http", "evil", 80)),
        ("http://[::1]:80/", Origin("http", "::1", 80)),
        ("http://bücher.example/", Origin("http", "xn--bcher-kva.example", 80)),
        # Readers differ in which of the two is the host.
        ("http://home\\@evil/", None),
        ("http://home\t@evil/", None),
        ("http://ho st/", None),
        ("http://host:port/", None),
        ("http://[::1/", None),
        ("http:///x", None),
        ("ftp://host/", None),
        ("host:5000", None),
    ],
)
def test_origin(url: str, expected: Origin | None) -> None:
    """Scheme, host and port, where there is no doubt about them."""
    assert origin_of(url) == expected


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "0xa9.254.0xa9.254",
        "169.254.43518",
        "169.16689662",
        "169.254.169.254.",
        "\uff11\uff16\uff19.254.169.254",
        "169。254。169。254",
        "fd00:ec2::254",
        "[fd00:ec2::254]",
        "fd20:ce::254",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
    ],
)
def test_forbidden_addresses(host: str) -> None:
    """Link-local and metadata addresses, however they are written."""
    assert is_forbidden(host)
    bracketed = f"[{host}]" if ":" in host and "[" not in host else host
    for borders in (BORDERS, Borders("file:///mlruns"), Borders(HOME, (bracketed,))):
        for scheme in ("http", "https", "sftp", "hdfs"):
            assert reason(f"{scheme}://{bracketed}/x", borders) in {"forbidden_address", "foreign_host"}


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "host", "168.254.169.254", "::1", "fd00::1", "1", ""])
def test_other_addresses(host: str) -> None:
    """Addresses of this machine and of private networks are usual for servers."""
    assert not is_forbidden(host)


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("mlflow-artifacts:/1/r/artifacts", ""),
        ("mlflow-artifacts://mlflow.example.com:5000/1/r/artifacts", ""),
        ("http://mlflow.example.com:5000/api/2.0/mlflow-artifacts/artifacts/1", ""),
        ("HTTP://MLFLOW.example.com:5000/x", ""),
        ("http://files.example.com/x", ""),
        ("https://files.example.com/x", ""),
        ("https://files.example.com:8443/x", ""),
        ("http://[2001:db8::1]/x", ""),
        ("mlflow-artifacts://files.example.com/x", ""),
        ("s3://bucket/x", ""),
        ("gs://bucket/x", ""),
        ("hdfs://namenode/x", ""),
        ("wasbs://c@account.blob.core.windows.net/x", ""),
        ("abfss://c@account.dfs.core.windows.net/x", ""),
        ("r2://bucket@id.r2.cloudflarestorage.com/x", ""),
        # Another host, port or scheme is another server.
        ("mlflow-artifacts://other/x", "foreign_host"),
        ("http://other/x", "foreign_host"),
        ("http://mlflow.example.com/x", "foreign_host"),
        ("http://mlflow.example.com:5001/x", "foreign_host"),
        ("https://mlflow.example.com:5000/x", "foreign_host"),
        ("http://mlflow.example.com.:5000/x", "foreign_host"),
        ("http://files.example.com:8080/x", "foreign_host"),
        ("http://127.0.0.1/x", "foreign_host"),
        ("http://mlflow.example.com:5000@evil/x", "foreign_host"),
        ("http://user@files.example.com/x", "foreign_host"),
        ("mlflow-artifacts://mlflow.example.com@evil:5000/x", "foreign_host"),
        ("http://mlflow.example.com:5000\\@evil/x", "unusable_root"),
        ("http://mlflow.example.com:5000\t@evil/x", "unusable_root"),
        ("wasbs://c@account.blob.core.evil.com/x", "foreign_host"),
        ("abfss://c@account.dfs.core.windows.net.evil.com/x", "foreign_host"),
        ("r2://bucket@evil/x", "foreign_host"),
        ("http://169.254.169.254/latest", "forbidden_address"),
        ("mlflow-artifacts://2852039166:80/latest", "forbidden_address"),
        ("mlflow-artifacts://2852039166/latest", "forbidden_address"),
        ("sftp://169.254.1.1/x", "forbidden_address"),
        ("s3://169.254.1.1/x", ""),
        ("http://[::1/x", "unusable_root"),
        # This machine.
        ("/etc", "local_path"),
        ("etc", "local_path"),
        ("", "local_path"),
        ("../x", "local_path"),
        ("file:///etc", "local_path"),
        ("FILE:/etc", "local_path"),
        ("file://host/etc", "local_path"),
        (" file:///etc", "unusable_root"),
        ("fi\nle:///etc", "unusable_root"),
        ("\x00/etc", "unusable_root"),
    ],
)
def test_what_a_server_may_name(root: str, expected: str) -> None:
    """Its own artifacts, object stores and the hosts of the configuration, and nothing of this machine."""
    assert reason(root) == expected


@pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "postgresql://u:pw@db/mlflow", "/mlruns", "file:///mlruns"])
def test_a_store_of_this_installation_may_name_folders(uri: str) -> None:
    """Runs in a database or folder have their files in folders of this machine."""
    assert reason("/mlruns/1/r/artifacts", Borders(uri)) == ""
    assert reason("http://other/x", Borders(uri)) == "foreign_host"


@pytest.mark.parametrize("uri", ["https://mlflow", "http://mlflow:5000", "databricks", "databricks-uc"])
def test_servers_may_not(uri: str) -> None:
    """Whatever kind of server it is."""
    assert reason("/etc", Borders(uri)) == "local_path"


RUN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("uri", "root", "expected"),
    [
        ("http://127.0.0.1:5000", f"/mlruns/1/{RUN}/artifacts", ""),
        ("http://localhost:5000", f"file:///mlruns/1/{RUN}/artifacts", ""),
        ("http://[::1]:5000", f"/mlruns/1/models/m-{RUN}/artifacts/", ""),
        ("http://mlflow:5000", f"/mlruns/1/{RUN}/artifacts", "local_path"),
        ("http://127.0.0.1.evil.com", f"/mlruns/1/{RUN}/artifacts", "local_path"),
        ("http://127.0.0.1:5000", "/home/me", "local_path"),
        ("http://127.0.0.1:5000", f"/home/me/{RUN}/artifacts/x", "local_path"),
        ("http://127.0.0.1:5000", f"/mlruns/{RUN}/artifacts/../../{RUN}/artifacts", "local_path"),
    ],
)
def test_a_server_on_this_machine_may_name_folders_of_runs(uri: str, root: str, expected: str) -> None:
    """Those that MLflow makes where no artifacts are served, and no other folder."""
    assert reason(root, Borders(uri)) == expected


def test_the_user_of_the_tracking_uri_is_for_its_own_artifacts() -> None:
    """Also where they are named with the host, and never for another host."""
    own = "http://bob:pw@mlflow.example.com:5000"
    assert BORDERS.url_of("mlflow-artifacts:/1/x") == f"{own}/prefix/api/2.0/mlflow-artifacts/artifacts/1/x"
    assert BORDERS.url_of("http://mlflow.example.com:5000/x") == f"{own}/x"
    assert BORDERS.url_of("http://eve@mlflow.example.com:5000/x") == f"{own}/x"
    assert BORDERS.url_of("http://other:5000/x") == "http://other:5000/x"
