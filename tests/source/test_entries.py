"""What stores have in common."""

import pytest

from driftgauge.source.entries import place_of, scheme_of


@pytest.mark.parametrize(
    ("root", "place"),
    [
        ("s3://bucket/1/run/artifacts", "s3://bucket"),
        ("s3://bucket/2/other", "s3://bucket"),
        ("ftp://user@host:21/x", "ftp://user@host:21"),
        ("mlflow-artifacts:/1/run/artifacts", "mlflow-artifacts:/1/run"),
    ],
)
def test_places(root: str, place: str) -> None:
    """What is in one bucket or on one host is in one place."""
    assert place_of(root) == place


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [("S3://bucket/x", "s3"), ("mlflow-artifacts:/1/x", "mlflow-artifacts"), ("/a/b:c", ""), ("a", ""), ("::", "")],
)
def test_schemes(uri: str, scheme: str) -> None:
    """A path has none, whatever its names."""
    assert scheme_of(uri) == scheme
