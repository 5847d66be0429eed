"""States that an older driftgauge wrote, brought to the tables of this one.

A step adds what its version of the schema has more than the one before, so that a state is never begun anew for it. All
steps are one transaction: a process that dies in it leaves the state as it was.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import duckdb


def _with_codes(connection: duckdb.DuckDBPyConnection) -> None:
    """Let predictions keep codes of their features; those that wait already have none."""
    for (number,) in connection.execute("SELECT id FROM models").fetchall():
        connection.execute(f"ALTER TABLE predictions_{number} ADD COLUMN coding VARCHAR")
        connection.execute(f"ALTER TABLE predictions_{number} ADD COLUMN codes BLOB")


def _with_evidence(connection: duckdb.DuckDBPyConnection) -> None:
    """Let versions have evidence; it begins with the rows that come now."""
    for (number,) in connection.execute("SELECT id FROM models").fetchall():
        connection.execute(f"CREATE TABLE evidence_{number} (version VARCHAR, data BLOB)")


# By the version that a state has, the step to the next one.
_STEPS: Final[Mapping[int, Callable[[duckdb.DuckDBPyConnection], None]]] = MappingProxyType(
    {19: _with_codes, 20: _with_evidence}
)


def upgrade(connection: duckdb.DuckDBPyConnection, found: int, wanted: int) -> bool:
    """Bring a state of version `found` to version `wanted`; return False if there is no way, and change nothing."""
    if not all(version in _STEPS for version in range(found, wanted)) or found > wanted:
        return False
    if found == wanted:
        return True
    connection.execute("BEGIN TRANSACTION")
    for version in range(found, wanted):
        _STEPS[version](connection)
    connection.execute("UPDATE meta SET schema_version = ?", [wanted])
    connection.execute("COMMIT")
    return True
