"""Columns that must not be stored in the clear: they are left out, or stored as a keyed digest.

A digest without a key can be reversed by trying the likely values; with a secret key it cannot. Under one key equal
values have equal digests, so that a hashed feature still has categories and a hashed request id still joins its label.
This module knows neither files nor MLflow.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import pyarrow as pa

from driftgauge.client.values import Array, texts

_DIGEST_BYTES: Final = 16
_LONGEST_KEY: Final = blake2b.MAX_KEY_SIZE


@dataclass(frozen=True, slots=True)
class Privacy:
    """Columns by name: those that are dropped, and those that are hashed under `key`."""

    redact: frozenset[str] = frozenset()
    hash: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, redact: Collection[str], hashed: Collection[str], key: bytes) -> "Privacy":
        """Return the rules; a key longer than BLAKE2b allows is replaced by its BLAKE2b digest."""
        short = key if len(key) <= _LONGEST_KEY else blake2b(key).digest()
        return cls(frozenset(redact), frozenset(hashed), short)

    def kept(self, name: str, values: Array) -> Array | None:
        """Return the column as it is to be stored, None if it is left out."""
        if name in self.redact:
            return None
        return self._digests(values) if name in self.hash else values

    def _digests(self, values: Array) -> Array:
        encoded = texts(values).dictionary_encode()
        digests = [self._digest(text) for text in encoded.dictionary.to_pylist()]
        return pa.array(digests, pa.string()).take(encoded.indices)

    def _digest(self, text: str) -> str:
        return blake2b(text.encode(), key=self.key, digest_size=_DIGEST_BYTES).hexdigest()
