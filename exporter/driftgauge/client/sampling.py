"""Which requests are logged: the same answer for the same request id, in every process and at any time.

So a label that another program logs days later is kept exactly when its prediction was.
"""

from hashlib import blake2b
from typing import Final

_BYTES: Final = 8
_SPACE: Final = 2 ** (8 * _BYTES)


def threshold(rate: float) -> int | None:
    """Return what `is_chosen` compares with for a share of `rate` in [0, 1]; None when every request is logged."""
    return None if rate >= 1 else int(rate * _SPACE)


def is_chosen(request_id: str, below: int) -> bool:
    """Return whether a request is logged: the first 64 bits of its id's BLAKE2b, big-endian, are under `below`."""
    digest = blake2b(request_id.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "big") < below
