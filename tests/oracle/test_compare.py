"""What counts as a difference, in each form in which the product's tables may come."""

import contextlib
import io
import tempfile
import unittest
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

import compare
import oracle
from fixtures import Distributor
from tables import PUBLIC_TABLES
from test_oracle import requested

SALES = PUBLIC_TABLES["stock_to_sales"]

ROW = {
    "window_kind": "W1",
    "window_start": datetime(2026, 1, 4, 16, tzinfo=timezone.utc),
    "window_end": datetime(2026, 1, 11, 16, tzinfo=timezone.utc),
    "customer_id": "C1",
    "sku_id": "S",
    "territory_id": "T1",
    "class_id": "A",
    "closing_stock_qty": 25,
    "sell_through_qty": Decimal("45.000000"),
    "ssr_ratio": 25 / 45,
    "days_of_cover": None,
    "band": None,
    "no_sales": False,
    "n": 1,
}

SCHEMA = pa.schema(
    {
        "window_kind": pa.string(), "window_start": pa.timestamp("us", "UTC"), "window_end": pa.timestamp("us", "UTC"),
        "customer_id": pa.string(), "sku_id": pa.string(), "territory_id": pa.string(), "class_id": pa.string(),
        "closing_stock_qty": pa.int64(), "sell_through_qty": pa.decimal128(38, 6), "ssr_ratio": pa.float64(),
        "days_of_cover": pa.float64(), "band": pa.string(), "no_sales": pa.bool_(), "n": pa.int64(),
    }
)  # fmt: skip


def rows(*changes: dict) -> pa.Table:
    return pa.Table.from_pylist([ROW | change for change in changes], schema=SCHEMA)


class Equality(unittest.TestCase):
    def differing(self, expected: pa.Table, actual: pa.Table) -> int:
        return compare.compare(SALES, expected, actual).differing

    def test_ratios_within_their_tolerance_and_parts_exactly(self):
        same = ({}, {"ssr_ratio": 25 / 45 + 9e-10}, {"n": 2})
        other = (
            {"ssr_ratio": 25 / 45 + 2e-9}, {"ssr_ratio": None}, {"days_of_cover": 0.0}, {"closing_stock_qty": 26},
            {"sell_through_qty": Decimal("45.000001")}, {"no_sales": None}, {"band": "LOW"},
        )  # fmt: skip
        for change in same:
            self.assertEqual(self.differing(rows({}), rows(change)), 0, change)
        for change in other:
            self.assertEqual(self.differing(rows({}), rows(change)), 1, change)

    def test_rows_of_one_side_only(self):
        self.assertEqual(self.differing(rows({}), rows()), 1)
        self.assertEqual(self.differing(rows(), rows({})), 1)
        self.assertEqual(self.differing(rows({}), rows({"class_id": "B"})), 2)

    def test_a_repeated_key_is_a_difference(self):
        self.assertEqual(self.differing(rows({}), rows({}, {})), 1)

    def test_the_first_difference_names_key_column_and_values(self):
        result = compare.compare(SALES, rows({}), rows({"closing_stock_qty": 26}))
        self.assertIn("2026-01-04T16:00:00Z", str(result))
        self.assertIn("column=closing_stock_qty expected=25 actual=26", str(result))

    def test_a_missing_column_is_refused(self):
        with self.assertRaisesRegex(ValueError, "band"):
            self.differing(rows({}), rows({}).drop_columns("band"))


class Forms(unittest.TestCase):
    def test_csv_of_either_instant_notation(self):
        header = ",".join(SCHEMA.names)
        for instants in ("2026-01-04T16:00:00Z,2026-01-11T16:00:00Z", "2026-01-04 16:00:00+00,2026-01-11 16:00:00+00"):
            with tempfile.TemporaryDirectory() as name:
                line = f"W1,{instants},C1,S,T1,A,25,45.000000,{25 / 45},,,false,1"
                (Path(name) / "stock_to_sales.csv").write_text(f"{header}\n{line}\n")
                actual = compare.actual_rows_of_files(Path(name), SALES, SCHEMA)
                self.assertEqual(compare.compare(SALES, rows({}), actual).differing, 0)

    def test_delta_shows_latest_revisions_that_still_exist(self):
        revisions = rows({"closing_stock_qty": 1}, {}, {"sku_id": "R"}, {"sku_id": "R", "n": 0})
        revisions = revisions.append_column("revision", pa.array([1, 2, 1, 2], pa.int32()))
        with tempfile.TemporaryDirectory() as name:
            deltalake.write_deltalake(f"{name}/tables/metrics/stock_to_sales", revisions)
            actual = compare.actual_rows_of_delta(name, SALES)
            self.assertEqual(compare.compare(SALES, rows({}), actual).differing, 0)
            self.assertIsNone(compare.actual_rows_of_delta(name, PUBLIC_TABLES["sell_through"]))


class CommandLine(unittest.TestCase):
    def run_oracle(self, *arguments) -> tuple[int, str]:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            code = oracle.main(["--quiet", *map(str, arguments)])
        return code, output.getvalue()

    def test_from_files_to_exit_code(self):
        distributor = Distributor()
        distributor.order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5, 100))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            distributor.write(folder)
            for out in (folder / "out", folder / "kept" / "out.duckdb"):
                code, printed = self.run_oracle("compute", "--events", folder, "--out", out)
                self.assertEqual(code, 0)
                self.assertIn("orders.v1 accepted 1\n", printed)
                self.assertIn("demand_orders rows=2\n", printed)
                code, printed = self.run_oracle("compare", "--expected", out, "--actual", folder / "out")
                self.assertEqual(code, 0, printed)
            self.assertEqual(
                (folder / "kept" / "verdicts.csv").read_text(),
                "topic,partition,offset,verdict,path\norders.v1,0,0,accepted,\n",
            )

            path = folder / "out" / "demand_daily.parquet"
            changed = pq.read_table(path).to_pylist()
            changed[0]["y"] = 6
            pq.write_table(pa.Table.from_pylist(changed), path)
            expected = ("compare", "--expected", folder / "kept" / "out.duckdb", "--actual")
            code, printed = self.run_oracle(*expected, folder / "out")
            self.assertEqual(code, 3)
            self.assertIn("demand_daily: expected=1 actual=1 differing=1\n", printed)
            self.assertIn("key=(S|T1 2026-01-05) column=y expected=5 actual=6", printed)
            self.assertEqual(self.run_oracle(*expected, folder / "out", "--tables", "demand_orders")[0], 0)
            code, printed = self.run_oracle(*expected, folder / "nowhere", "--tables", "demand_orders")
            self.assertEqual((code, printed), (3, "demand_orders: expected=2 actual=missing\n"))

    def test_drain_to_and_durations(self):
        distributor = Distributor()
        distributor.order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5, 100))
        distributor.order("placed", "2026-01-04 09:00", "P", requested(1, "S", 5, 100))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            distributor.write(folder)
            arguments = ("compute", "--events", folder, "--out", folder / "out")
            _, printed = self.run_oracle(*arguments, "--drain-to", "2026-01-05T16:00:00Z")
            self.assertIn("demand_orders rows=3\n", printed)  # two days, and the week of the first
            _, printed = self.run_oracle(*arguments, "--allowed-lateness", "orders=1h")
            self.assertIn("orders.v1 too_late 1\n", printed)


if __name__ == "__main__":
    unittest.main()
