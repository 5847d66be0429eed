"""Which of several exporters takes a model: shards, and the hash of a name that chooses one.

Jump consistent hash (Lamping and Veach, 2014, arXiv:1406.2294) of the first eight bytes of the name's SHA-256. From n
to n + 1 shards one model in n + 1 moves, each of them to the new shard; from n + 1 to n only those of the last one
move. What a name falls to never changes between releases, or every model would be read again. Pure.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from driftgauge.errors import ConfigError

AUTO: Final = "auto"
TOTAL_VARIABLE: Final = "DRIFTGAUGE_TOTAL_SHARDS"
POD_VARIABLE: Final = "POD_NAME"
MOST: Final = 1000
_NUMBER: Final = "(0|[1-9][0-9]{0,5})"
_SHARD: Final = re.compile(f"{_NUMBER}/{_NUMBER}")
_POD: Final = re.compile(f".*-{_NUMBER}")
_KEY_BYTES: Final = 8
_KEYS: Final = 1 << 64


class Shard(NamedTuple):
    """One of `total` exporters that share the models, counted from 0. Alone it is the only one and takes all."""

    ordinal: int = 0
    total: int = 1

    def __str__(self) -> str:
        """Return it as the flag has it."""
        return f"{self.ordinal}/{self.total}"

    @classmethod
    def chosen(cls, text: str, *, environ: Mapping[str, str], hostname: str) -> Self:
        """Return the shard that `--shard` names, of which "" is the only one.

        `auto`: the number that the pod's name ends with, of as many as TOTAL_VARIABLE says; the name is that in
        POD_VARIABLE, or the host's. Raises ConfigError.
        """
        if not text:
            return cls()
        if text == AUTO:
            return cls._of_pod(environ.get(POD_VARIABLE) or hostname, environ.get(TOTAL_VARIABLE, ""))
        found = _SHARD.fullmatch(text)
        if not found:
            raise ConfigError(f"--shard: {text!r} is neither {AUTO} nor a shard such as 0/3, the first of three")
        return cls(int(found[1]), int(found[2])).checked(f"--shard={text}")

    @classmethod
    def _of_pod(cls, name: str, total: str) -> Self:
        # Of a whole domain name the first part.
        pod, number = _POD.fullmatch(name.partition(".")[0]), re.fullmatch(_NUMBER, total)
        if not number:
            raise ConfigError(f"--shard={AUTO}: {TOTAL_VARIABLE} has to be the number of shards, not {total!r}")
        if not pod:
            raise ConfigError(
                f"--shard={AUTO}: {name!r} does not end with a number as the pods of a StatefulSet do: "
                f"set {POD_VARIABLE}, or give the shard as in --shard=0/{total}"
            )
        return cls(int(pod[1]), int(number[1])).checked(f"--shard={AUTO} in {name}")

    def checked(self, given: str) -> Self:
        """Return it, if there is such a shard; raises ConfigError. given: what named it."""
        if not 1 <= self.total <= MOST:
            raise ConfigError(f"{given}: there can be 1 to {MOST} shards, not {self.total}")
        if self.ordinal >= self.total:
            raise ConfigError(
                f"{given}: shards are counted from 0, so the last of {self.total} is {self.total - 1}/{self.total}"
            )
        return self

    def takes(self, model: str) -> bool:
        """Return whether a model of this name is read and served here."""
        return shard_of(model, self.total) == self.ordinal


def shard_of(model: str, total: int) -> int:
    """Return the ordinal of the shard that a model falls to, of `total`."""
    return jump(int.from_bytes(hashlib.sha256(model.encode()).digest()[:_KEY_BYTES], "big"), total)


def jump(key: int, total: int) -> int:
    """Return the bucket of a key of 64 bits, of `total`."""
    bucket, following = 0, 0
    while following < total:
        bucket = following
        key = (key * 2862933555777941757 + 1) % _KEYS
        following = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket
