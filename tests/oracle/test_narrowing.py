"""K25: sums that leave the type of their column, in every table."""

import unittest
from decimal import Decimal

import duckdb

import compute
from fixtures import Distributor
from tables import PUBLIC_TABLES

LARGEST = 2**63 - 1


class Narrowing(unittest.TestCase):
    def test_k25_no_sum_of_a_table_is_wider_than_its_column(self):
        database = Distributor().tables().database
        found = {}
        for table in PUBLIC_TABLES.values():
            for name, kind, *_ in database.execute(f"DESCRIBE {table.name}").fetchall():
                found[table.name, name] = kind
        self.assertEqual({kind for kind in found.values() if "INT" in kind}, {"BIGINT"})
        sums = ("overrun_sum_ms", "score_sum", "negative_intervals", "requested_fen", "y")
        self.assertEqual([kind for (_, name), kind in found.items() if name in sums], ["BIGINT"] * 5)

    def test_k25_a_sum_beyond_bigint_is_null_in_every_table(self):
        database = duckdb.connect()
        for table in PUBLIC_TABLES.values():
            database.execute(f"CREATE TABLE {table.name} (total HUGEINT, n BIGINT, part DECIMAL(38, 6))")
            for total in (LARGEST, LARGEST + 1, -LARGEST - 1, -LARGEST - 2, None):
                database.execute(f"INSERT INTO {table.name} VALUES (?, 7, 1.5)", [total])
        compute.narrow_sums(database)
        for table in PUBLIC_TABLES.values():
            rows = database.execute(f"SELECT total, n, part FROM {table.name}").fetchall()
            self.assertEqual([total for total, *_ in rows], [LARGEST, None, -LARGEST - 1, None, None], table.name)
            self.assertEqual({(n, part) for _, n, part in rows}, {(7, Decimal("1.5"))}, table.name)

    def test_k25_millionths_beyond_38_digits_are_null(self):
        database = Distributor().tables().database
        for millionths, expected in (
            (1, Decimal("0.000001")),
            (10**38 - 1, Decimal("99999999999999999999999999999999.999999")),
            (10**38, None),
        ):
            found = database.execute(f"SELECT decimal6({millionths}::HUGEINT)").fetchone()
            self.assertEqual(found, (expected,), millionths)


if __name__ == "__main__":
    unittest.main()
