"""The configuration file as it was read: the text that is validated is the text a refresher gets."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from driftgauge.config import Config, parse, secrets
from driftgauge.generator.thresholds import SHIPPED
from driftgauge.generator.thresholds import parse as parse_thresholds
from driftgauge.hiding import learn
from driftgauge.sharding import Shard


class ConfigFile(NamedTuple):
    """A file's name, for messages, and its text. shard: of which exporter it is, and of how many.

    thresholds: the text of the file of thresholds that it names; None when it names none.
    """

    name: str
    text: str
    shard: Sequence[int] = Shard()
    thresholds: str | None = None

    def parsed(self) -> Config:
        """Return what it means in the environment of this process, which will not show its secrets.

        Raises ConfigError, also for what is wrong with the thresholds.
        """
        config = parse(self.text, filename=self.name, environ=os.environ)
        learn(secrets(config))
        if self.thresholds is not None:
            parse_thresholds(self.thresholds, filename=config.thresholds or SHIPPED)
        config.judge_by(self.thresholds)
        return config.of_shard(Shard(*self.shard))
