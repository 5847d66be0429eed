"""States of earlier versions, made by taking away what this one added."""

from pathlib import Path

import duckdb
import pytest

from driftgauge.errors import StateError
from driftgauge.store import Store
from driftgauge.store.database import FILE_NAME, SCHEMA_VERSION
from driftgauge.store.join import join
from store.test_join import Label, labels_table, predictions_table


def _older(folder: Path) -> None:
    """Make a state of version 19, with a prediction that waits."""
    store = Store.open(str(folder))
    for task in ("binary", "regression"):
        with store.transaction(f"of {task}", task) as tx:
            join(tx, [predictions_table([("p", "k", 100)], task)], [], horizon=10)
    store.close()
    with duckdb.connect(str(folder / FILE_NAME)) as connection:
        for (number,) in connection.execute("SELECT id FROM models").fetchall():
            connection.execute(f"ALTER TABLE predictions_{number} DROP COLUMN coding")
            connection.execute(f"ALTER TABLE predictions_{number} DROP COLUMN codes")
            connection.execute(f"DROP TABLE evidence_{number}")
        connection.execute("UPDATE meta SET schema_version = 19")


def test_predictions_from_before_codes_have_none(tmp_path: Path) -> None:
    """A state from before codes opens with all it had; its predictions get their labels, and have no codes."""
    _older(tmp_path)

    store = Store.open(str(tmp_path))
    with store.transaction("of regression", "regression") as tx:
        new = predictions_table([("q", "k2", 100)], "regression")
        joined = join(tx, [new], [labels_table([Label("k", 105, 2.0)], "regression")], horizon=10)
    store.close()

    assert joined.fresh.select(["version", "label", "coding", "codes"]).to_pylist() == [
        {"version": "p", "label": 2.0, "coding": None, "codes": None}
    ]
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(SCHEMA_VERSION,)]
        assert (
            connection.execute("FROM evidence_1").fetchall() == connection.execute("FROM evidence_2").fetchall() == []
        )


def test_a_step_that_fails_leaves_the_state(tmp_path: Path) -> None:
    """An upgrade is whole or not at all."""
    _older(tmp_path)
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        connection.execute("INSERT INTO models (id, name, task, again) VALUES (99, 'lost', 'binary', false)")

    with pytest.raises(StateError, match="predictions_99"):
        Store.open(str(tmp_path))

    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(19,)]
        names = connection.execute("SELECT name FROM pragma_table_info('predictions_1')").fetchall()
    assert ("codes",) not in names


def test_older_than_any_step(tmp_path: Path) -> None:
    """From a version without a way to this one, nothing is changed."""
    _older(tmp_path)
    with duckdb.connect(str(tmp_path / FILE_NAME)) as connection:
        connection.execute("UPDATE meta SET schema_version = 18")

    with pytest.raises(StateError, match=r"schema version 18.*set state_dir to an empty directory"):
        Store.open(str(tmp_path))
