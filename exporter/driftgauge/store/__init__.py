"""What survives a restart: one DuckDB file in the state directory, written in one transaction per step.

    database   opening, locking, transactions, the schema
    ledger     which files were read how far, and how far feeds have looked
    join       predictions and labels that wait for each other
    panes      panes, totals and the compiled reference

Only this package imports DuckDB.
"""

from driftgauge.store.database import Store, Transaction
from driftgauge.store.join import Joined
from driftgauge.store.ledger import FileRecord

__all__ = ["FileRecord", "Joined", "Store", "Transaction"]
