"""Walking artifact folders within bounds."""

from pathlib import Path

from structlog.testing import capture_logs

from driftgauge.source import listing
from driftgauge.source.stores import Entry, LocalStore


def fill(root: Path, *paths: str) -> LocalStore:
    """Return the store of a folder with these files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return LocalStore(root)


def test_depth_is_bounded(tmp_path: Path) -> None:
    """Files down to the tenth level are found; a deeper folder is left out with one warning."""
    at_bound = "/".join(["d"] * (listing.MAX_DEPTH - 1)) + "/a.csv"
    store = fill(tmp_path, at_bound, f"{'d/' * listing.MAX_DEPTH}b.csv")
    with capture_logs() as logs:
        found = listing.files_of(store, run_id="r1")
    assert [entry.path for entry in found] == [at_bound]
    assert [(event["event"], event["run_id"]) for event in logs] == [("artifact_folder_too_deep", "r1")]


def test_number_is_bounded(tmp_path: Path) -> None:
    """What comes after the bound is left out with one warning."""
    store = fill(tmp_path, *(f"{number}.csv" for number in range(5)))
    with capture_logs() as logs:
        found = listing.files_of(store, run_id="r1", max_entries=3)
    assert len(found) == 3
    assert [(event["event"], event["listed"]) for event in logs] == [("run_has_too_many_artifacts", 3)]


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


def test_nasty_names_are_ignored() -> None:
    """Names that lead outside, hide control characters or make folders endless are ignored, good ones are kept."""
    assert [entry.path for entry in listing.files_of(Nasty(), run_id="r1")] == ["good.csv"]
