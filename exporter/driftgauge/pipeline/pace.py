"""How much of a refresh goes together. More takes fewer steps, and more memory."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How much goes together.

    step_files, step_rows: a commit takes this many files or rows: few enough to hold in memory, enough to be quick.
    together, together_bytes: this many small files, or bytes of them, go to a worker together.
    few_cells: parts of a pane that have together no more cells than these wait for each other, in memory of about 1 MB.
    """

    step_files: int = 64
    step_rows: int = 500_000
    together: int = 32
    together_bytes: int = 2**20
    few_cells: int = 65_536


USUAL: Final = Pace()
