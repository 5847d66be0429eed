"""What holds of every feed: nothing is lost, nothing is new twice, and all of it can be stored and sent."""

import json
import pickle
from dataclasses import asdict, dataclass, field

from driftgauge.feed import Cursor, Feed, Opener, Piece
from feeds.conftest import Place

NOW = 1_767_960_000_000_000


@dataclass
class Reader:
    """Reads a feed as the pipeline does, with the sizes that it has read by the files' keys."""

    feed: Feed
    cursor: Cursor = field(default_factory=Cursor)
    sizes: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def look(self) -> tuple[list[Piece], Cursor]:
        """Return what is new or has grown, and the next cursor."""
        pieces, cursor = self.feed.look(self.cursor, NOW)
        return [piece for piece in pieces if self.sizes.get(piece.key, -1) != piece.size], cursor

    def read(self) -> dict[str, str]:
        """Return what the new files hold, each opened as in another process, and take note of them."""
        pieces, self.cursor = self.look()
        self.sizes |= {piece.key: piece.size for piece in pieces}
        return {f"{piece.role}: {piece.path}": content(self.feed, piece) for piece in pieces}

    def restarted(self, feed: Feed) -> "Reader":
        """Return the reader of a later process, which has what was stored of the cursor."""
        return Reader(feed, Cursor(json.loads(json.dumps(dict(self.cursor.kept)))), self.sizes)


def content(feed: Feed, piece: Piece) -> str:
    """Return what a piece holds."""
    opener: Opener = pickle.loads(pickle.dumps(feed.opener(piece)))  # noqa: S301 - made here
    try:
        with opener() as file:
            return file.read().decode()
    finally:
        opener.release()


def test_files_come_grow_and_go(place: Place) -> None:
    """New files are found in their role, grown ones again, unchanged ones not, and a file that goes is no failure."""
    reader = Reader(place.feed())
    assert reader.read() == {}
    place.put("predictions.jsonl", "1\n")
    place.put("deep/er/more.csv", "2\n")
    place.put("labels-1.csv", "3\n")
    place.put("plot.png", "no rows")
    place.put("rows.txt", "not read")
    assert reader.read() == {
        "predictions: predictions.jsonl": "1\n", "predictions: deep/er/more.csv": "2\n", "labels: labels-1.csv": "3\n",
        "predictions: rows.txt": "not read",
    }  # fmt: skip
    assert reader.read() == {}
    place.put("predictions.jsonl", "1\n2\n")
    assert reader.read() == {"predictions: predictions.jsonl": "1\n2\n"}
    place.delete("deep/er/more.csv")
    place.put("later.csv", "4\n")
    assert reader.read() == {"predictions: later.csv": "4\n"}


def test_a_restart_goes_on_from_the_stored_cursor(place: Place) -> None:
    """A process that knows what was stored finds what came since, and nothing else."""
    place.feed()
    place.put("a.csv", "1\n")
    reader = Reader(place.feed())
    assert reader.read() == {"predictions: a.csv": "1\n"}
    place.put("b.csv", "2\n")
    place.put("a.csv", "1\n2\n")
    later = reader.restarted(place.feed())
    assert later.read() == {"predictions: a.csv": "1\n2\n", "predictions: b.csv": "2\n"}
    assert later.restarted(place.feed()).read() == {}


def test_what_was_not_read_is_found_again(place: Place) -> None:
    """Whoever comes back with the old cursor, in this process or the next, gets the same files."""
    reader = Reader(place.feed())
    reader.read()
    place.put("a.csv", "1\n")
    place.put("labels.csv", "2\n")
    found, _ = reader.look()
    assert {piece.path for piece in found} == {"a.csv", "labels.csv"}
    assert reader.look()[0] == found
    assert sorted(reader.restarted(place.feed()).look()[0], key=str) == sorted(found, key=str)


def test_pieces_and_cursors_are_json(place: Place) -> None:
    """Everything that the store keeps comes back equal."""
    place.feed()
    place.put("a.csv", "1\n")
    feed = place.feed()
    (piece,), cursor = feed.look(Cursor(), NOW)
    assert Piece(**json.loads(json.dumps(asdict(piece)))) == piece
    assert json.loads(json.dumps(dict(cursor.kept))) == cursor.kept
    assert content(feed, Piece(**json.loads(json.dumps(asdict(piece))))) == "1\n"


def test_nothing_new_changes_nothing_that_is_stored(place: Place) -> None:
    """With nothing new there is nothing to write."""
    place.feed()
    place.put("a.csv", "1\n")
    feed = place.feed()
    _, first = feed.look(Cursor(), NOW)
    _, second = feed.look(first, NOW)
    _, third = feed.look(second, NOW)
    assert third.kept is second.kept
