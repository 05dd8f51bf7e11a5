"""M06: the golden value, its sources of weight, price and cost, and its windows."""

import unittest
from decimal import Decimal

import margin_alerts
from fixtures import Distributor, local
from settings import duration_ms
from test_oracle import delivered

MARGIN, BY_SKU = "retailer_margin", "retailer_margin_by_sku"
WEEK_MS = duration_ms("1w")
WEEK = {"window_kind": "W1", "window_start": "2026-01-05"}


class Margin(unittest.TestCase):
    def setUp(self):
        self.distributor = Distributor()

    def sku(self, **where) -> dict:
        return self.distributor.tables().row(BY_SKU, **(WEEK | {"customer_id": "C1", "sku_id": "S"} | where))

    def test_m06_golden(self):
        self.distributor.counts("2026-01-05 00:00", A=20, B=10)
        self.distributor.counts("2026-01-11 09:00", A=20, B=10)
        self.distributor.order(
            "delivered", "2026-01-07 09:00", "O", delivered(1, "A", 20, 8480), delivered(2, "B", 10, 21200)
        )
        self.distributor.sees("2026-01-07 09:00", "A", 9500)
        self.distributor.sees("2026-01-07 09:00", "B", 23000)
        tables = self.distributor.tables()
        for kind, start in (("W1", "2026-01-05"), ("H28", "2025-12-15")):
            row = tables.row(MARGIN, window_kind=kind, window_start=start)
            self.assertEqual((row["sales_fen"], row["cost_fen"], row["skus_n"]), (420000, 381600, 2))
            self.assertEqual((row["observed_sales_fen"], row["observed_skus_n"]), (420000, 2))
            self.assertAlmostEqual(row["gm_ratio"], 0.0914285714, 9)
            self.assertAlmostEqual(row["distance_ratio"], -0.0085714286, 9)
            self.assertEqual(row["band"], "ON_TARGET")

    def test_windows_are_those_whose_28_days_hold_a_count_or_a_delivery(self):
        self.distributor.counts("2026-01-07 09:00", S=1)
        rows = self.distributor.tables().rows(MARGIN)
        found = {kind: [r["window_start"] for r in rows if r["window_kind"] == kind] for kind in ("W1", "H28")}
        self.assertEqual(found["W1"], ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"])
        self.assertEqual(found["H28"], ["2025-12-15", "2025-12-22", "2025-12-29", "2026-01-05"])
        self.assertTrue(all(r["sales_fen"] == 0 and r["gm_ratio"] is None and r["band"] is None for r in rows))

    def test_k16_weights(self):
        self.distributor.counts("2026-01-05 00:00", SOLD=10, STILL=10, COUNTED=1)
        self.distributor.counts("2026-01-10 00:00", SOLD=4, STILL=10)
        self.distributor.order("delivered", "2026-01-03 09:00", "O", delivered(1, "OLD", 7))
        self.distributor.order("delivered", "2026-01-06 09:00", "P", delivered(1, "NEW", 3), delivered(2, "ZERO", 0))
        rows = self.distributor.tables().rows(BY_SKU, **WEEK)
        self.assertEqual(
            {row["sku_id"]: (row["weight_source"], row["weight_qty"]) for row in rows},
            {
                "SOLD": ("SELL_THROUGH", 6),
                "STILL": ("SELL_THROUGH", 0),
                "COUNTED": ("CARRIED", 1),
                "OLD": ("CARRIED", 1),
                "NEW": ("DELIVERED", 3),
            },
        )

    def test_a_week_with_negative_intervals_only_has_no_sell_through(self):
        self.distributor.counts("2026-01-05 00:00", S=1)
        self.distributor.counts("2026-01-10 00:00", S=9)
        self.assertEqual(self.sku()["weight_source"], "CARRIED")

    def test_k16_prices(self):
        self.distributor.customers += [f"C{n},A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z," for n in range(2, 6)]
        self.distributor.counts("2026-01-07 09:00", S=1, R=1, N=1)
        self.distributor.list_price("R", "SUGGESTED_RETAIL", 700)
        for customer, fen in (("C2", 100), ("C3", 300), ("C4", 205), ("C5", 400)):
            self.distributor.sees("2026-01-06 09:00", "S", fen, customer_id=customer)
        row = self.sku()
        self.assertEqual((row["price_source"], row["price_fen"]), ("TERRITORY", Decimal("252.5")))
        row = self.sku(sku_id="R")
        self.assertEqual((row["price_source"], row["price_fen"]), ("SUGGESTED", 700))
        row = self.sku(sku_id="N")
        self.assertEqual((row["price_source"], row["price_fen"], row["sales_fen"]), ("NONE", None, None))
        self.distributor.sees("2026-01-05 09:00", "S", 120)
        self.distributor.sees("2026-01-04 09:00", "S", 999)
        self.distributor.sees("2026-01-08 09:00", "S", 150, price_basis="BUYBACK")
        row = self.sku()
        self.assertEqual((row["price_source"], row["price_fen"]), ("OWN", 120))
        self.distributor.sees("2026-01-08 09:00", "S", 130, customer_id="C2")
        self.assertEqual(self.sku()["price_fen"], 120)

    def test_k16_an_observation_is_looked_at_for_28_days(self):
        self.distributor.counts("2026-01-30 09:00", S=1)
        self.distributor.sees("2026-01-05 00:00", "S", 120)
        self.assertEqual(self.sku(window_start="2026-01-26")["price_source"], "OWN")
        self.assertEqual(self.sku(window_start="2026-02-02")["price_source"], "NONE")

    def test_k14_bounds_of_quarantine_are_inside(self):
        self.distributor.counts("2026-01-07 09:00", S=1)
        self.distributor.list_price("S", "SUGGESTED_RETAIL", 1000)
        sees = self.distributor.sees
        for when, fen, price in (
            ("2026-01-05 09:00", 300, 300), ("2026-01-06 09:00", 299, 300),
            ("2026-01-07 09:00", 3000, 3000), ("2026-01-08 09:00", 3001, 3000),
        ):  # fmt: skip
            sees(when, "S", fen)
            self.assertEqual(self.sku()["price_fen"], price)

    def test_k14_judged_again_when_the_list_price_arrives(self):
        self.distributor.counts("2026-01-07 09:00", S=1)
        self.distributor.sees("2026-01-07 09:00", "S", 9500)
        self.assertEqual(self.sku()["price_source"], "OWN")
        self.distributor.list_price("S", "SUGGESTED_RETAIL", 95)
        self.assertEqual(self.sku()["price_source"], "SUGGESTED")

    def test_k16_costs(self):
        deliver = self.distributor.order
        self.distributor.list_price("S", "WHOLESALE", 80, "2026-01-05 00:00")
        self.distributor.list_price("S", "SUGGESTED_RETAIL", 120)
        deliver("delivered", "2026-01-04 09:00", "N", delivered(1, "S", 7))  # unpriced: before the list price
        deliver("delivered", "2026-01-06 09:00", "O", delivered(1, "S", 1, 100))
        deliver("delivered", "2026-01-07 09:00", "P", delivered(1, "S", 2, 90))
        row = self.sku()
        self.assertEqual((row["cost_source"], row["unit_cost_fen"]), ("DELIVERIES", Decimal("93.333333")))
        self.assertEqual(row["cost_fen"], Decimal("279.999999"))
        self.distributor.counts("2026-01-06 09:00", R=1)
        row = self.sku(sku_id="R")
        self.assertEqual((row["cost_source"], row["unit_cost_fen"], row["cost_fen"]), ("NONE", None, None))
        self.distributor.list_price("R", "WHOLESALE", 60, "2026-01-11 23:59:59.999")
        row = self.sku(sku_id="R")
        self.assertEqual((row["cost_source"], row["unit_cost_fen"]), ("LIST", 60))

    def test_k37_without_price_or_cost_no_value_and_outside_the_sums(self):
        self.distributor.counts("2026-01-07 09:00", S=1, R=1, Q=1)
        for sku in "SR":
            self.distributor.list_price(sku, "SUGGESTED_RETAIL", 100)
        for sku in "SQ":
            self.distributor.list_price(sku, "WHOLESALE", 91)
        for sku, known in (("R", (100, None)), ("Q", (None, 91))):
            row = self.sku(sku_id=sku)
            self.assertEqual((row["price_fen"], row["unit_cost_fen"]), known)
            self.assertEqual((row["sales_fen"], row["cost_fen"], row["gm_ratio"]), (None, None, None))
        row = self.distributor.tables().row(MARGIN, **WEEK)
        self.assertEqual((row["sales_fen"], row["cost_fen"], row["skus_n"]), (100, 91, 1))
        self.assertEqual((row["observed_sales_fen"], row["observed_skus_n"], row["band"]), (0, 0, "ON_TARGET"))

    def test_bands_at_their_edges(self):
        for cost, band in ((9101, "BELOW"), (9100, "ON_TARGET"), (8900, "ON_TARGET"), (8899, "ABOVE")):
            distributor = Distributor()
            distributor.counts("2026-01-07 09:00", S=1)
            distributor.list_price("S", "SUGGESTED_RETAIL", 10_000)
            distributor.list_price("S", "WHOLESALE", cost)
            self.assertEqual(distributor.tables().row(MARGIN, **WEEK)["band"], band, cost)

    def test_k35_unknown_is_no_territory(self):
        self.distributor.customers += [
            f"C{n},A,{territory},AREA1,RETAILER,110000,2025-01-01T00:00:00Z," for n, territory in ((2, ""), (3, "UNKNOWN"))
        ]
        for customer in ("C2", "C3", "STRANGER"):
            self.distributor.event(
                "visits", "visit.info_collected", "2026-01-07 09:00", collection_id="K", customer_id=customer,
                stock=[{"sku_id": "S", "qty": 1, "counted_at": local("2026-01-07 09:00")}],
            )  # fmt: skip
        self.distributor.sees("2026-01-07 09:00", "S", 100, customer_id="C2")
        self.distributor.sees("2026-01-07 09:00", "S", 300, customer_id="SOMEBODY")
        found = {row["customer_id"]: row["price_source"] for row in self.distributor.tables().rows(BY_SKU, **WEEK)}
        self.assertEqual(found, {"C2": "OWN", "C3": "NONE", "STRANGER": "NONE"})

    def test_the_territory_is_that_at_the_end_of_the_window(self):
        moved = "2026-01-11T16:00:00Z"  # Monday 2026-01-12 00:00 local
        self.distributor.customers = [
            f"C1,A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z,{moved}",
            f"C1,A,T2,AREA1,RETAILER,110000,{moved},",
            "C2,A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z,",
        ]
        self.distributor.counts("2026-01-07 09:00", S=1)
        self.distributor.sees("2026-01-07 09:00", "S", 100, customer_id="C2")
        first, second = self.sku(), self.sku(window_start="2026-01-12")
        self.assertEqual((first["territory_id"], first["price_source"]), ("T1", "TERRITORY"))
        self.assertEqual((second["territory_id"], second["price_source"]), ("T2", "NONE"))


class Alerts(unittest.TestCase):
    """Rows as (week, margin in hundredths of a per cent, SKUs)."""

    def folded(self, *rows: tuple[int, int, int]) -> margin_alerts.Alert:
        alert = margin_alerts.Alert()
        for week, margin, skus in rows:
            alert.take(week * WEEK_MS, Decimal(10_000), Decimal(10_000 - margin), skus)
        return alert

    def test_k22_limits(self):
        for margin, severity in ((900, None), (899, "S3"), (700, "S3"), (699, "S2"), (-50, "S2")):
            self.assertEqual(self.folded((1, margin, 5)).severity, severity, margin)

    def test_k22_between_the_limits_an_open_alert_stays(self):
        self.assertEqual(self.folded((1, 899, 5), (2, 949, 5)).severity, "S3")
        self.assertIsNone(self.folded((1, 899, 5), (2, 950, 5), (3, 949, 5)).severity)

    def test_k33_rows_with_too_few_skus_are_skipped(self):
        self.assertIsNone(self.folded((1, 100, 4)).severity)
        self.assertEqual(self.folded((1, 850, 5), (2, 2_000, 4)).severity, "S3")

    def test_k33_eight_weeks_without_a_judgement(self):
        alert = self.folded((1, 850, 5), (5, 850, 4))
        self.assertEqual((alert.at(9 * WEEK_MS - 1), alert.at(9 * WEEK_MS)), ("S3", None))
        self.assertIsNone(self.folded((1, 850, 5), (9, 930, 5)).severity)
        self.assertEqual(self.folded((1, 850, 5), (8, 930, 5)).severity, "S3")

    def test_k33_of_a_distributor(self):
        distributor = Distributor()
        counts = {f"S{n}": 1 for n in range(5)}
        distributor.counts("2026-01-07 09:00", **counts)
        for sku in counts:
            distributor.sees("2026-01-07 09:00", sku, 100)
            distributor.list_price(sku, "WHOLESALE", 92)
        found = margin_alerts.alerts(distributor.tables().database)
        # the last window of 28 days that holds the week ends on 2026-02-02
        self.assertEqual(found, {"C1": margin_alerts.Alert("S3", local("2026-02-02 00:00"))})


if __name__ == "__main__":
    unittest.main()
