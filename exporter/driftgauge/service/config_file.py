"""The configuration file as it was read: the text that is validated is the text a refresher gets."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from driftgauge.config import Config, parse, secrets
from driftgauge.hiding import learn
from driftgauge.sharding import Shard


class ConfigFile(NamedTuple):
    """A file's name, for messages, and its text. shard: of which exporter it is, and of how many."""

    name: str
    text: str
    shard: Sequence[int] = Shard()

    def parsed(self) -> Config:
        """Return what it means in the environment of this process, which will not show its secrets.

        Raises ConfigError.
        """
        config = parse(self.text, filename=self.name, environ=os.environ)
        learn(secrets(config))
        return config.of_shard(Shard(*self.shard))
