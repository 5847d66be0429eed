"""Batches as they are handed over: copied at once, for the caller may change them, and made into columns later."""

from collections.abc import Sequence
from typing import Any, overload


class Ids(Sequence[str]):
    """The request ids that were made up for a batch, written out only when someone asks for them."""

    def __init__(self, prefix: str, rows: int) -> None:
        self._prefix = prefix
        self._rows = range(rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        """Return the id of a row, or of several."""
        found = self._rows[at]
        return f"{self._prefix}-{found}" if isinstance(found, int) else [f"{self._prefix}-{row}" for row in found]


def snapshot(values: Any) -> Any:
    """Return a copy of an array, a column or a sequence that later changes to the original do not reach."""
    if hasattr(values, "copy"):
        return values.copy()
    # Single values never change, and neither do Arrow's arrays, which have a `type`.
    return (
        values if isinstance(values, str) or not hasattr(values, "__len__") or hasattr(values, "type") else list(values)
    )
