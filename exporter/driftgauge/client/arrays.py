"""The values of a batch: copied when it is logged, because the caller may change them, and made into columns later."""

from collections.abc import Sequence
from typing import Any, overload


class GeneratedIds(Sequence[str]):
    """The request ids generated for a batch, as a sequence that makes each text when it is read."""

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
    """Return a copy of an array, a column or a sequence, which later changes of the original do not affect."""
    if hasattr(values, "copy"):
        return values.copy()
    # Single values never change, and neither do Arrow's arrays, which have a `type`.
    return (
        values if isinstance(values, str) or not hasattr(values, "__len__") or hasattr(values, "type") else list(values)
    )
