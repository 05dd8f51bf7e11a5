"""A01 (K22, K33): the alert of each retailer as the fold over the rows of its windows of four weeks, in their order."""

from dataclasses import dataclass
from decimal import Decimal

import duckdb

from settings import duration_ms

LEAST_SKUS = 5
WITHOUT_DATA_MS = duration_ms("8w")


@dataclass
class Alert:
    """`severity` is None where nothing is open; `judged_at` is the end of the last window that said something."""

    severity: str | None = None
    judged_at: int | None = None

    def take(self, window_end: int, sales: Decimal, cost: Decimal, skus: int) -> None:
        """One more row. Too few SKUs, or no sales, say nothing."""
        if skus < LEAST_SKUS or sales <= 0:
            return
        self.severity = self.at(window_end)
        margin = sales - cost
        if 100 * margin < 7 * sales:
            self.severity = "S2"
        elif 100 * margin < 9 * sales:
            self.severity = "S3"
        elif 1000 * margin >= 95 * sales:
            self.severity = None
        self.judged_at = window_end

    def at(self, clock_ms: int) -> str | None:
        """What is open then: eight weeks without a judgement end an alert."""
        if self.judged_at is not None and clock_ms - self.judged_at >= WITHOUT_DATA_MS:
            return None
        return self.severity


def alerts(database: duckdb.DuckDBPyConnection) -> dict[str, Alert]:
    """By customer, after the last of its rows."""
    rows = database.execute(
        """SELECT customer_id, epoch_ms(window_end), observed_sales_fen, observed_cost_fen, observed_skus_n
        FROM retailer_margin WHERE window_kind = 'H28' ORDER BY customer_id, window_end"""
    ).fetchall()
    found: dict[str, Alert] = {}
    for customer, *row in rows:
        found.setdefault(customer, Alert()).take(*row)
    return found
