"""`/metrics?name[]=…`: which families a client wants, as Prometheus' client library for Go reads it."""

from typing import Final

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

# Far more than there are families.
MOST_NAMES: Final = 1000


def wanted(query: QueryParams) -> frozenset[str] | None:
    """Return the names of the families that are asked for, None when all are; one that does not exist is no mistake.

    Raises HTTPException when there are more names than families.
    """
    names = frozenset(query.getlist("name[]"))
    if len(names) > MOST_NAMES:
        raise HTTPException(400, f"More than {MOST_NAMES} names: leave name[] out for the whole page.\n")
    return names if "name[]" in query else None
