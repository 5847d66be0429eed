"""What survives a restart: one DuckDB file in the state directory, written in one transaction per step.

    database   opening, locking, transactions, the schema
    ledger     which files were read how far, and how far feeds have looked
    join, matching, nearest, expiry   predictions and labels that wait for each other
    evidence   what bets on rows have come to, by version
    panes      panes, totals and the compiled reference
    readings   the reading that is served, and the one that is built to take its place

Only this package imports DuckDB.
"""

from driftgauge.store.database import Reading, Store, Transaction
from driftgauge.store.evidence import reset_evidence
from driftgauge.store.join import Joined
from driftgauge.store.ledger import FileRecord
from driftgauge.store.readings import forget

__all__ = ["FileRecord", "Joined", "Reading", "Store", "Transaction", "forget", "reset_evidence"]
