"""Walking artifact folders within bounds."""

from pathlib import Path

import pytest

from driftgauge.errors import BatchError
from driftgauge.source import listing
from driftgauge.source.entries import Entry
from driftgauge.source.listing import Listing
from driftgauge.source.schedule import Portions
from driftgauge.source.stores import LocalStore


def fill(root: Path, *paths: str) -> LocalStore:
    """Return the store of a folder with these files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return LocalStore(root)


def found(of: Listing) -> tuple[list[str], dict[str, str]]:
    """Return the paths of a listing, and the reasons of what is missing."""
    return sorted(entry.path for entry in of.files), {path: error.reason for path, error in of.missing.items()}


def test_depth_is_bounded(tmp_path: Path) -> None:
    """Files down to the tenth level are found; a deeper folder is missing, and named."""
    at_bound = "/".join(["d"] * (listing.MAX_DEPTH - 1)) + "/a.csv"
    store = fill(tmp_path, at_bound, f"{'d/' * listing.MAX_DEPTH}b.csv")
    deeper = "d/" * listing.MAX_DEPTH
    assert found(listing.files_of(store.entries)) == ([at_bound], {deeper: "too_deep"})


def test_the_last_files_are_kept(tmp_path: Path) -> None:
    """Of more files than may be kept the last by name are, wherever they lie; how many are missing is said."""
    store = fill(tmp_path, *(f"{day}/{number}.csv" for day in ("mon", "tue") for number in range(4)), "a.csv")
    of = listing.files_of(store.entries, bounds=Portions(files=5))
    last = ["mon/3.csv", *(f"tue/{number}.csv" for number in range(4))]
    assert found(of) == (last, {"/": "too_many_files"})
    assert str(of.missing["/"]).startswith("4 files before the last 5 by name are not listed")


def test_the_last_folders_are_asked_for(tmp_path: Path) -> None:
    """The number of requests is bounded; the folders that are left out are those that come first."""
    store = fill(tmp_path, *(f"{day}/a.csv" for day in range(5)))
    asked: list[str] = []

    def list_folder(folder: str) -> list[Entry]:
        asked.append(folder)
        return store.entries(folder)

    of = listing.files_of(list_folder, bounds=Portions(folders=3))
    assert found(of) == (["3/a.csv", "4/a.csv"], {"2/": "too_many_files"})
    assert asked == ["", "4", "3"]


def test_a_folder_that_cannot_be_listed_costs_itself(tmp_path: Path) -> None:
    """The other files are found; a root that cannot be listed has none."""
    store = fill(tmp_path, "a.csv", "bad/b.csv", "good/c.csv")

    def list_folder(folder: str) -> list[Entry]:
        if folder == "bad":
            raise BatchError("not_listed", "no")
        return store.entries(folder)

    assert found(listing.files_of(list_folder)) == (["a.csv", "good/c.csv"], {"bad/": "not_listed"})
    with pytest.raises(BatchError, match="no"):
        listing.files_of(list_folder, folder="bad")


class Nasty:
    """A store that answers with names no honest store has."""

    def entries(self, folder: str) -> list[Entry]:
        """Return the same bad names everywhere, the folder itself among them."""
        names = ("../../etc/passwd.csv", "/etc/passwd.csv", "a\x1b[2J.csv", "x/../../y.csv", "good.csv")
        folders = (".", folder or "loop")
        return [
            *(Entry(name, is_folder=False, size=1) for name in names),
            *(Entry(name, is_folder=True, size=None) for name in folders),
        ]


def test_nasty_names_are_left_out() -> None:
    """Names that lead outside or hide control characters are left out and named, good ones are kept."""
    of = listing.files_of(Nasty().entries)
    assert [entry.path for entry in of.files] == ["good.csv"]
    assert {error.reason for error in of.missing.values()} == {"unsafe_name"}
    assert r"'a\x1b[2J.csv'" in of.missing


def test_few_are_named() -> None:
    """A folder full of names that cannot be used does not fill the log."""
    entries = [Entry(f"a\t{number}.csv", is_folder=False, size=1) for number in range(1_000)]
    assert len(listing.files_of(lambda _: entries).missing) == 8
