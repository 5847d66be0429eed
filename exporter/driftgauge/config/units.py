"""Durations and sizes as people write them, and back.

Whatever is formatted here parses to the same number again. Nothing here knows which key a value belongs to.
"""

import re
from decimal import Decimal
from typing import Final

SECOND: Final = 1.0
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_MILLISECONDS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
# Each unit at most once, from large to small, as in Prometheus: "1h30m" but neither "30m1h" nor "1h1h".
_DURATION: Final = re.compile("".join(f"(?:([0-9]{{1,12}}){unit})?" for unit in _MILLISECONDS))
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]+)?")

_BYTES: Final = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_BYTES_FOLDED: Final = {"": 1} | {unit.lower(): size for unit, size in _BYTES.items()}
_SIZE: Final = re.compile(r"([0-9]{1,18}) ?([a-z]*)")


def parse_duration(text: str) -> float:
    """Return the seconds that "30s", "1h30m", "7d", "250ms" or a plain number of seconds stand for.

    Raises ValueError for anything else.
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("must be a duration like 30s, 1h, 7d or 1h30m")
    return (
        sum(int(count or 0) * unit for count, unit in zip(match.groups(), _MILLISECONDS.values(), strict=True)) / 1000
    )


def format_duration(seconds: float) -> str:
    """Return `seconds` (not negative) in days, hours, minutes, seconds and milliseconds: 5400 is "1h30m"."""
    if seconds == 0:
        return "0s"
    rest = round(seconds * 1000)
    if rest == 0 or rest / 1000 != seconds:
        return f"{Decimal(repr(seconds)):f}"  # finer than a millisecond: only the plain number is exact
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _MILLISECONDS[unit])
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts)


def parse_size(text: str) -> int:
    """Return the bytes that "512MiB" (powers of 1024), "1GB" (powers of 1000) or "1048576" stand for.

    Upper and lower case are the same. Raises ValueError for anything else.
    """
    match = _SIZE.fullmatch(text.lower())
    if match is None or match[2] not in _BYTES_FOLDED:
        raise ValueError("must be a size like 512MiB, 1GB or 1048576")
    return int(match[1]) * _BYTES_FOLDED[match[2]]


def format_size(size: int) -> str:
    """Return `size` bytes (not negative) in the unit that gives the shortest exact text: 536870912 is "512MiB"."""
    whole = (f"{size // unit}{name}" for name, unit in _BYTES.items() if size % unit == 0)
    return min(whole, key=len)
