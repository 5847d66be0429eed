"""What the server that workers are forked from imports first, so that neither it nor they ever import pandas.

pyarrow does, if pandas is installed, as soon as it is given a list, to see whether that is one of pandas' own. This
would take as long as importing all that a worker needs.
"""

import sys


class _WithoutPandas:
    """Finds that pandas is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("workers do without pandas", name=name)


sys.meta_path.insert(0, _WithoutPandas())
