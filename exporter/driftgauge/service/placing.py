"""Whose state a state folder has: of which shard, and which models came and went when the number of shards changed.

A small file next to the state file says so, which the front can read. Each shard has a state folder of its own, since
what was counted of a model is on one shard only. When the number of shards changes, models move: the shard that has one
no more forgets it, and the one that has it now reads it from the start, as far as MLflow still has its files. Another
ordinal is a mistake: then nothing fits, and what is there would be lost.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from driftgauge.config import Config
from driftgauge.errors import ConfigError, StateError
from driftgauge.sharding import Shard, shard_of

FILE: Final = "shard.json"
_PRIVATE_FOLDER: Final = 0o700
# As in `store`, which the front does not import.
_STATE_FILE: Final = "driftgauge.duckdb"


@dataclass(frozen=True, slots=True)
class Placement:
    """Of which shard the state is. before: how many there were before the last change, which was `at` (s), 0 if none.

    came: models that were on another shard then. left: those that are on another now, and on which.
    """

    ordinal: int = 0
    total: int = 1
    before: int = 0
    at: float = 0.0
    came: tuple[str, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def shard(self) -> Shard:
        """The shard."""
        return Shard(self.ordinal, self.total)


def placement(state_dir: str) -> Placement | None:
    """Return whose state is in a folder, None when there is none; raises StateError when that cannot be read.

    A state without the file is from when there was one shard.
    """
    folder = Path(state_dir)
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Placement(**{**values, "came": tuple(values["came"])})
    except FileNotFoundError:
        return Placement() if (folder / _STATE_FILE).exists() else None
    except NotADirectoryError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{folder / FILE} does not say which shard the state is of ({error}): delete it") from error


def refuse_unusable(config: Config) -> None:
    """Raise ConfigError when the state directory cannot be written, or holds the state of another shard."""
    _refuse_unwritable(Path(config.state_dir).absolute())
    _refuse_others(config)


def _refuse_unwritable(folder: Path) -> None:
    # It is made with the folders above it that are missing.
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(
            f"state_dir: user {os.getuid()} cannot write to {nearest}: give it to that user, mount it writable, or "
            "name another folder"
        )


def _refuse_others(config: Config) -> None:
    """Raise ConfigError when the state is that of another shard, whatever the number of shards was; see `placement`."""
    known, shard = placement(config.state_dir), config.shard
    if known and known.ordinal != shard.ordinal:
        wanted = f"--shard={shard}:" if shard != Shard() else "no --shard is given, and"
        raise ConfigError(
            f"{wanted} {config.state_dir} has the state of shard {known.shard}: give each shard a state_dir of its "
            f"own, or say --shard={known.shard}"
        )


def prepare(config: Config) -> Placement | None:
    """Return whose state it is, before the state file is opened; one that begins is this shard's from now on.

    Nothing is written where there is one shard and always was. Raises StateError.
    """
    known = placement(config.state_dir)
    if known is None and config.shard != Shard():
        known = Placement(*config.shard)
        write(config.state_dir, known)
    return known


def settle(config: Config, known: Placement | None, *, forget: Callable[[str], None], now: float) -> None:
    """Forget models that other shards have now, and remember (at `now`, s) how many shards there are.

    Raises StateError.
    """
    for model in config.elsewhere:
        forget(model)
    if known is None or known.total == config.shard.total:
        return
    placed = moved(config, known, at=now)
    write(config.state_dir, placed)
    structlog.get_logger("driftgauge.service").info(
        "number of shards changed",
        shard=str(placed.shard),
        before=placed.before,
        came=list(placed.came),
        left=dict(placed.left),
    )


def moved(config: Config, known: Placement, *, at: float) -> Placement:
    """Return whose the state is from `at` (s) on, given whose it was when there was another number of shards."""
    shard = config.shard
    return Placement(
        shard.ordinal,
        shard.total,
        before=known.total,
        at=at,
        came=tuple(each.name for each in config.models if not known.shard.takes(each.name)),
        left={name: to for name, to in config.elsewhere.items() if shard_of(name, known.total) == shard.ordinal},
    )


def write(state_dir: str, placed: Placement) -> None:
    """Write it as a whole; raises StateError."""
    file = Path(state_dir) / FILE
    partial = file.with_name(f".{FILE}")
    try:
        file.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(placed)), encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise StateError(f"cannot write {file}: {error.strerror}") from error


def said(placed: Placement | None, *, models: int, elsewhere: int) -> tuple[str, ...]:
    """Return what the landing page says of the shard, in sentences: nothing where there is and was one only."""
    if placed is None or (placed.total == 1 and not placed.before):
        return ()
    every = models + elsewhere
    lines = [f"{models} of {every} models are on this shard, the others are on shards of their own."]
    if placed.before:
        when = datetime.fromtimestamp(placed.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        lines.append(f"The number of shards changed from {placed.before} to {placed.total} on {when}.")
    if placed.came:
        lines.append(f"Read again from MLflow since they came here: {_listed(placed.came)}.")
    if placed.left:
        lines.append(f"Went elsewhere: {_listed([f'{name} (shard {to})' for name, to in placed.left.items()])}.")
    return tuple(lines)


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
