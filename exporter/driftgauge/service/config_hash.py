"""A hash of the configuration in force, by which replicas and reloads can be compared.

It is of what `/config` shows, so that nothing secret can be guessed from it, without the state folder, which replicas
have their own of; and of what registered versions say of models.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from driftgauge.config import Config, redacted
from driftgauge.pipeline.monitored import Monitored

# A double holds 53.
_BITS: Final = 48


class ConfigHash:
    """The hash of one configuration, with what versions say of its models from time to time."""

    def __init__(self, config: Config) -> None:
        self._text = redacted(config.model_copy(update={"state_dir": "-"}))

    def of(self, monitored: Iterable[Monitored]) -> float:
        """Return the hash with what is in force of each model, in order: a whole number that a double holds."""
        said = [each.found.hash if each.found else "" for each in monitored]
        digest = blake2b(json.dumps([self._text, said]).encode(), digest_size=_BITS // 8).digest()
        return float(int.from_bytes(digest, "big"))
