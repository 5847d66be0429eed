"""Whether a file holds predictions or labels at all, by its columns: reports, alerts and metrics may be next to them.

A file of another shape is refused as a whole, so that none of its rows counts as a rejected prediction. One row with a
column of the role is enough for the file to be one of them.
"""

from typing import Final, Literal

from driftgauge.batch.reasons import CODES, FINE
from driftgauge.batch.roles import REQUEST_ID, Roles
from driftgauge.batch.rows import Rows
from driftgauge.errors import BatchError
from driftgauge.schema import FEATURE_OBJECTS, FEATURE_PREFIXES, OUTPUT_OBJECT

Role = Literal["predictions", "labels", "reference"]

_PREDICTION_ROLES: Final = ("prediction", "score", "error")
_NEEDED: Final = {"predictions": "a prediction, a score or an error", "labels": "a label"}
_ROLES_TO_MAP: Final = {"predictions": "prediction or score", "labels": "label"}
_KNOWN_OBJECTS: Final = (*FEATURE_OBJECTS, OUTPUT_OBJECT)
_DOCUMENT: Final = (".json", ".json.gz")
# A row that is not an object has no columns to judge by.
_TELLING: Final = (FINE, CODES["not_an_object"])
# After so many rows without a column of the role the rest is not looked at: a few bytes can unpack to a billion rows.
_ENOUGH_ROWS: Final = 250_000
_NAMED_COLUMNS: Final = 8
_NAME_SHOWN: Final = 40


class Shape:
    """Watches the blocks of one file until one of them shows that the file has the columns of its role."""

    def __init__(self, name: str, role: Role, *, known: bool) -> None:
        """`known`: rows of the file were read before."""
        self.fits = known or role == "reference"
        self.role: Final = role
        self._document = name.lower().endswith(_DOCUMENT)
        self._columns: dict[str, None] = {}
        self._rows = 0
        self._told = False
        self._report = False

    def watch(self, rows: Rows, roles: Roles) -> None:
        """Take in a block; `fits` says whether the file is known to be what it should be.

        Raises BatchError as `check` does, and another_shape also of unreadable rows, once there are too many of them.
        """
        if self.fits:
            return
        self._rows += len(rows)
        self._told = self._told or any((rows.reasons == code).any() for code in _TELLING)
        has_role = self._has_role(roles)
        # One object may be a report; a second row shows that it is a record.
        self._report = self._report or (has_role and self._document and _is_report(rows, roles, self.role))
        self.fits = (has_role or self._report) and not (self._report and self._rows == 1)
        for path in rows.columns:
            if len(self._columns) < _NAMED_COLUMNS:
                self._columns[path.partition(".")[0][:_NAME_SHOWN]] = None
        if not self.fits and self._rows >= _ENOUGH_ROWS:
            self.check()
            raise BatchError(
                "another_shape", f"Not one of its first {self._rows} rows can be read; narrow {self.role}.artifacts."
            )

    def check(self) -> None:
        """Raise BatchError another_shape when the whole file was watched and is something else.

        A file of which not one row could be read is damaged, and its rows are counted as that.
        """
        if self.fits or not self._told:
            return
        columns = ", ".join(self._columns) or "none"
        what = (
            f"It is one object with other things than a record ({columns})"
            if self._report
            else f"Not one of its {self._rows} rows has {_NEEDED[self.role]} (columns: {columns})"
        )
        raise BatchError(
            "another_shape",
            f"{what}; name the column of the {_ROLES_TO_MAP[self.role]} under columns:, "
            f"or narrow {self.role}.artifacts to leave the file out.",
        )

    def _has_role(self, roles: Roles) -> bool:
        if self.role == "labels":
            return bool(roles.paths["label"])
        return bool(roles.class_scores) or any(roles.paths[role] for role in _PREDICTION_ROLES)


def _is_report(rows: Rows, roles: Roles, role: Role) -> bool:
    """Tell whether a row that is a document of its own lacks what makes a record: an id, features, a plain shape."""
    if len(rows) != 1 or role != "predictions" or roles.paths[REQUEST_ID]:
        return False
    if any(path.startswith(FEATURE_PREFIXES) for path in rows.columns):
        return False
    dated = bool(roles.paths["timestamp"] or roles.paths["prediction"])
    return not dated or any(_is_deep(path) for path in rows.columns)


def _is_deep(path: str) -> bool:
    """Tell whether a value lies in an object within an object that is no part of a record."""
    return path.count(".") >= 2 and path.partition(".")[0] not in _KNOWN_OBJECTS
