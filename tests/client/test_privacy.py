"""What is redacted is nowhere, and what is hashed cannot be recognised, but joined."""

import pyarrow as pa

from driftgauge.client.privacy import Privacy
from driftgauge.client.values import column

KEY = b"0123456789abcdef"


def hashed(values: list[object], key: bytes = KEY) -> list[str]:
    """Return the digests of a column `email`."""
    found = Privacy.of((), ["email"], key).kept("email", column(values))
    assert found is not None
    assert found.type == pa.string()
    digests: list[str] = found.to_pylist()
    return digests


def test_a_redacted_column_is_dropped() -> None:
    """Only the named one."""
    rules = Privacy.of(["email"], [], b"")
    assert rules.kept("email", column(["a"])) is None
    assert rules.kept("age", column([3])).to_pylist() == [3]  # type: ignore[union-attr]


def test_equal_values_have_equal_digests_and_missing_stays_missing() -> None:
    """Whatever their type: 1 and 1.0 are one category for the exporter, too."""
    first, second, third, none = hashed(["a", "b", "a", None])
    assert first == third != second
    assert none is None
    assert hashed([1, 1.0, 2.5])[0] == hashed(["1"])[0]


def test_the_digest_depends_on_the_key() -> None:
    """Without the key, trying the likely values leads nowhere; a long key counts in full."""
    long = b"k" * 100
    assert len({hashed(["a"])[0], hashed(["a"], long)[0], hashed(["a"], long + b"x")[0]}) == 3
    assert "a" not in hashed(["a"])


def test_the_key_is_not_shown() -> None:
    """Neither in a log line nor in a traceback."""
    assert "0123456789abcdef" not in repr(Privacy.of([], ["email"], KEY))
