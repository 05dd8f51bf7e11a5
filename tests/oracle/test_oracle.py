"""Orders, stock and margin: the golden values of the domain reference 9, and the readings that rule them."""

import unittest
from decimal import Decimal

from fixtures import Distributor, local
from settings import Settings

W1 = {"window_kind": "W1"}


def requested(line_no: int, sku: str, qty: int, price: int | None = None) -> dict:
    return _line(line_no, sku, "requested_qty", qty, price)


def allocated(line_no: int, sku: str, qty: int, price: int | None = None) -> dict:
    return _line(line_no, sku, "allocated_qty", qty, price)


def delivered(line_no: int, sku: str, qty: int, price: int | None = None) -> dict:
    return _line(line_no, sku, "delivered_qty", qty, price)


def returned(line_no: int, sku: str, qty: int) -> dict:
    return _line(line_no, sku, "returned_qty", qty, None)


def _line(line_no: int, sku: str, step: str, qty: int, price: int | None) -> dict:
    line = {"line_no": line_no, "sku_id": sku, step: qty}
    return line if price is None else line | {"wholesale_price_fen": price}


class Demand(unittest.TestCase):
    def setUp(self):
        self.distributor = Distributor()

    def week(self, sku: str, monday: str = "2026-01-05") -> dict:
        return self.distributor.tables().row("demand_orders", **W1, window_start=monday, sku_id=sku)

    def test_k9_the_last_version_before_the_first_allocation_counts_at_the_placing(self):
        order = self.distributor.order
        order("placed", "2026-01-05 23:59", "O", requested(1, "S", 10, 100))
        order("amended", "2026-01-06 10:00", "O", requested(1, "S", 12, 110), requested(2, "R", 1, 50))
        order("allocated", "2026-01-06 11:00", "O", allocated(1, "S", 8))
        order("amended", "2026-01-06 12:00", "O", requested(1, "S", 99, 100))
        tables = self.distributor.tables()
        day = tables.row("demand_orders", window_kind="D1", window_start="2026-01-05", sku_id="S")
        self.assertEqual((day["requested_qty"], day["requested_fen"], day["allocated_qty"]), (12, 1320, 0))
        self.assertEqual((day["orders"], day["customers"]), (1, 1))
        day = tables.row("demand_orders", window_kind="D1", window_start="2026-01-06", sku_id="S")
        self.assertEqual((day["allocated_qty"], day["allocated_fen"], day["unmet_qty"]), (8, 880, 4))
        self.assertEqual((day["requested_qty"], day["orders"]), (0, 0))
        short = tables.row("demand_orders", window_kind="D1", window_start="2026-01-06", sku_id="R")
        self.assertEqual((short["unmet_qty"], short["allocated_qty"]), (1, 0))

    def test_k9_without_an_allocation_the_last_version_of_all(self):
        self.distributor.order("placed", "2026-01-05 09:00", "O", requested(1, "S", 10))
        self.distributor.order("amended", "2026-01-09 09:00", "O", requested(1, "S", 7))
        row = self.week("S")
        self.assertEqual((row["requested_qty"], row["unmet_qty"]), (7, 0))

    def test_k9_a_cancelled_order_leaves_and_what_was_allocated_stays(self):
        order = self.distributor.order
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 10, 100), order_kind="EMERGENCY")
        order("allocated", "2026-01-05 10:00", "O", allocated(1, "S", 6))
        order("cancelled", "2026-01-13 09:00", "O")
        first, second = self.week("S"), self.week("S", "2026-01-12")
        self.assertEqual((first["requested_qty"], first["orders"], first["emergency_requested_qty"]), (0, 0, 0))
        self.assertEqual((first["allocated_qty"], first["unmet_qty"]), (6, 4))
        self.assertEqual((second["cancelled_qty"], second["cancelled_fen"]), (10, 1000))

    def test_k26_what_supply_could_not_meet_stays_demand(self):
        order = self.distributor.order
        for first, second, left in (("SUPPLY_LIMIT", "OTHER", 10), ("OTHER", "SUPPLY_LIMIT", 0), (..., "OTHER", 0)):
            with self.subTest(first=first):
                self.distributor.lines.clear()
                order("placed", "2026-01-05 09:00", "O", requested(1, "S", 10, 100))
                order("cancelled", "2026-01-06 09:00", "O", cancel_reason=first)
                order("cancelled", "2026-01-07 09:00", "O", cancel_reason=second)
                row = self.week("S")
                self.assertEqual((row["requested_qty"], row["orders"], row["customers"]), (left, left // 10, left // 10))
                self.assertEqual(row["cancelled_qty"], 10)

    def test_k26_an_amendment_for_lack_of_supply_is_no_version(self):
        order = self.distributor.order
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 10, 100))
        order("amended", "2026-01-05 10:00", "O", requested(1, "S", 4, 100), amend_reason="SUPPLY_LIMIT")
        order("allocated", "2026-01-05 11:00", "O", allocated(1, "S", 4))
        row = self.week("S")
        self.assertEqual((row["requested_qty"], row["unmet_qty"]), (10, 6))

    def test_k37_of_several_lines_of_one_number_the_last_with_a_price_gives_it(self):
        lines = (requested(1, "S", 1, 500), requested(1, "S", 1, 700), requested(1, "S", 1))
        self.distributor.order("placed", "2026-01-05 09:00", "O", *lines)
        self.distributor.order("delivered", "2026-01-06 09:00", "O", delivered(1, "S", 3))
        row = self.week("S")
        self.assertEqual((row["delivered_fen"], row["requested_fen"]), (2100, 1900))

    def test_k9_a_rejected_order_stays(self):
        self.distributor.order("placed", "2026-01-05 09:00", "O", requested(1, "S", 10), order_kind="EMERGENCY")
        self.distributor.order("rejected", "2026-01-05 10:00", "O")
        row = self.week("S")
        self.assertEqual((row["requested_qty"], row["emergency_requested_qty"], row["orders"]), (10, 10, 1))

    def test_k9_steps_of_an_order_that_was_never_placed(self):
        order = self.distributor.order
        order("amended", "2026-01-05 09:00", "O", requested(1, "S", 10, 100))
        order("allocated", "2026-01-05 10:00", "O", allocated(1, "S", 6))
        order("delivered", "2026-01-06 10:00", "O", delivered(1, "S", 5))
        order("returned", "2026-01-07 10:00", "O", returned(1, "S", 2))
        order("exchanged", "2026-01-07 11:00", "O", returned(1, "S", 1))
        row = self.week("S")
        self.assertEqual((row["requested_qty"], row["orders"], row["unmet_qty"]), (0, 0, 4))
        self.assertEqual((row["allocated_fen"], row["delivered_fen"], row["returned_fen"]), (600, 500, 200))
        self.assertEqual(row["returned_qty"], 2)

    def test_k10_value_of_a_line_and_k19_list_prices(self):
        distributor = self.distributor
        distributor.customers.append("C2,A,T1,AREA1,RETAILER,220000,2025-01-01T00:00:00Z,")
        distributor.list_price("S", "WHOLESALE", 100, region_code="ALL")
        distributor.list_price("S", "WHOLESALE", 120, "2026-01-06 00:00", region_code="ALL")
        distributor.list_price("S", "WHOLESALE", 90, region_code="220000")
        distributor.list_price("S", "SUGGESTED_RETAIL", 500, region_code="220000")
        distributor.list_price("E", "WHOLESALE", 70, valid_to=local("2026-01-07 00:00"))
        for sku, when, customer, fen, unpriced in (
            ("S", "2026-01-05 23:59:59.999", "C1", 100, 0),
            ("S", "2026-01-06 00:00", "C1", 120, 0),
            ("S", "2026-01-06 00:00", "C2", 90, 0),
            ("E", "2026-01-06 23:59:59.999", "C1", 70, 0),
            ("E", "2026-01-07 00:00", "C1", 0, 1),
            ("N", "2026-01-07 00:00", "C1", 0, 1),
        ):
            with self.subTest(sku=sku, when=when, customer=customer):
                distributor.lines.pop(("orders", 0), None)
                distributor.order("placed", when, "O", requested(1, sku, 1), customer_id=customer)
                row = self.week(sku)
                self.assertEqual((row["requested_fen"], row["unpriced_qty"]), (fen, unpriced))

    def test_k8_class_and_territory_as_of_each_fact(self):
        self.distributor.customers = [
            "C1,A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z,2026-01-05T16:00:00Z",
            "C1,B,,AREA1,RETAILER,110000,2026-01-05T16:00:00Z,",
        ]
        self.distributor.order("placed", "2026-01-05 23:59:59.999", "O", requested(1, "S", 2))
        self.distributor.order("delivered", "2026-01-06 00:00", "O", delivered(1, "S", 2))
        self.distributor.order("placed", "2026-01-06 00:00", "P", requested(1, "S", 1), customer_id="STRANGER")
        rows = self.distributor.tables().rows("demand_orders", **W1)
        found = {(r["class_id"], r["territory_id"]): (r["requested_qty"], r["delivered_qty"]) for r in rows}
        self.assertEqual(found, {("A", "T1"): (2, 0), ("B", "UNKNOWN"): (0, 2), ("UNKNOWN", "UNKNOWN"): (1, 0)})

    def test_week_edge(self):
        for when, monday in (("2026-11-22 23:59:59", "2026-11-16"), ("2026-11-23 00:00:00", "2026-11-23")):
            distributor = Distributor()
            distributor.order("placed", when, "O", requested(1, "S", 1))
            self.assertEqual(distributor.tables().row("demand_orders", **W1)["window_start"], monday)

    def test_days_and_weeks_of_another_zone_keep_its_summer_time(self):
        self.distributor.order("placed", "2026-03-30 05:59", "O", requested(1, "S", 1))  # Sunday 23:59 in Berlin
        database = self.distributor.tables(settings=Settings(zone="Europe/Berlin")).database
        edges = "SELECT window_kind, epoch_ms(window_start), epoch_ms(window_end) FROM demand_orders ORDER BY 1"
        day, week = database.execute(edges).fetchall()
        self.assertEqual(day, ("D1", local("2026-03-29 07:00"), local("2026-03-30 06:00")))
        self.assertEqual(week, ("W1", local("2026-03-23 07:00"), local("2026-03-30 06:00")))

    def test_the_feed_has_no_gaps(self):
        order = self.distributor.order
        order("delivered", "2026-01-04 09:00", "X", delivered(1, "S", 1))
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5))
        order("allocated", "2026-01-06 09:00", "O", allocated(1, "S", 3))
        order("placed", "2026-01-08 09:00", "P", requested(1, "R", 1))
        rows = self.distributor.tables().rows("demand_daily", unique_id="S|T1")
        found = [(str(r["ds"]), r["y"], r["y_allocated"], r["unmet_qty"], r["is_zero_filled"]) for r in rows]
        self.assertEqual(
            found,
            [
                ("2026-01-05", 5, 0, 0, False),
                ("2026-01-06", 0, 3, 2, False),
                ("2026-01-07", 0, 0, 0, True),
                ("2026-01-08", 0, 0, 0, True),
            ],
        )

    def censored(self, unique_id: str = "S|T1") -> list[bool]:
        return [row["censored"] for row in self.distributor.tables().rows("demand_daily", unique_id=unique_id)]

    def test_k27_an_order_that_asks_for_its_cap_censors_its_day(self):
        order = self.distributor.order
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 6), requested(2, "S", 3), requested(3, "R", 99))
        order("placed", "2026-01-06 09:00", "P", requested(1, "S", 6), requested(2, "S", 4))
        order("placed", "2026-01-07 09:00", "Q", requested(1, "S", 99))
        order("cancelled", "2026-01-08 09:00", "Q")
        order("placed", "2026-01-08 09:00", "U", requested(1, "S", 12))
        order("amended", "2026-01-08 10:00", "U", requested(1, "S", 8))
        order("allocated", "2026-01-09 09:00", "U", allocated(1, "S", 2))
        order("placed", "2026-01-10 09:00", "V", requested(1, "S", 1))
        # unmet is no sign of it, and a plan without a cap is never reached
        self.distributor.plans = ["S,A,AREA1,10,,", "R,A,AREA1,,,"]
        self.assertEqual(self.censored(), [False, True, False, False, False, False])
        self.assertFalse(any(self.censored("R|T1")))
        rows = self.distributor.tables().rows("demand_orders", window_kind="W1", sku_id="S")
        self.assertEqual([(row["orders"], row["censored_orders_n"]) for row in rows], [(4, 1)])

    def test_k27_the_most_specific_plan_as_of_the_placing_counts(self):
        distributor = self.distributor
        distributor.customers = [
            "C1,A,T1,AREA9,RETAILER,110000,,2026-01-07T00:00:00+08:00",
            "C1,B,T1,AREA9,RETAILER,110000,2026-01-07T00:00:00+08:00,",
            "C2,A,T2,AREA2,RETAILER,110000,,",
            "C3,,,,RETAILER,110000,,",
        ]
        distributor.territories = ["T1,AREA1,,", "T2,,,"]
        for cap, when, customer in (
            (10, "2026-01-05 23:59:59", "C1"),
            (15, "2026-01-06 00:00", "C1"),
            (30, "2026-01-07 00:00", "C1"),
            (20, "2026-01-05 09:00", "C2"),
            (40, "2026-01-05 09:00", "C3"),
        ):
            for asked, censored in ((cap - 1, 0), (cap, 1)):
                with self.subTest(cap=cap, asked=asked):
                    distributor.plans = [
                        "S,ALL,ALL,40,,", "S,ALL,AREA1,30,,", "S,A,ALL,20,,",
                        "S,A,AREA1,10,,2026-01-06T00:00:00+08:00", "S,A,AREA1,15,2026-01-06T00:00:00+08:00,",
                    ]  # fmt: skip
                    distributor.lines.clear()
                    distributor.order("placed", when, "O", requested(1, "S", asked), customer_id=customer)
                    row = distributor.tables().row("demand_orders", **W1)
                    self.assertEqual(row["censored_orders_n"], censored)

    def test_k27_a_constrained_sku_without_a_plan_is_censored_with_and_without_orders(self):
        distributor = self.distributor
        distributor.customers.append("C2,B,T1,AREA1,RETAILER,110000,,")
        distributor.territories = ["T1,AREA1,,"]
        # from the evening of the sixth to the evening of the ninth
        distributor.skus = [
            "S,NORMAL,,2026-01-06T20:00:00+08:00",
            "S,CONSTRAINED,2026-01-06T20:00:00+08:00,2026-01-09T20:00:00+08:00",
            "S,NORMAL,2026-01-09T20:00:00+08:00,",
        ]
        for day, customer in ((5, "C1"), (6, "C1"), (9, "C1")):
            distributor.order("placed", f"2026-01-0{day} 09:00", f"O{day}", requested(1, "S", 1), customer_id=customer)
        distributor.order("delivered", "2026-01-08 09:00", "O6", delivered(1, "S", 1))
        distributor.order("placed", "2026-01-08 09:00", "P", requested(1, "S", 1), customer_id="C2")
        distributor.order("delivered", "2026-01-07 09:00", "O6", delivered(1, "S", 1))
        self.assertEqual(self.censored(), [False, True, True, True, False])
        for plan, censored in (
            ("S,ALL,ALL,9,,", [False, False, False, False, False]),
            ("S,A,ALL,9,,", [False, False, False, True, False]),
            ("S,B,AREA1,9,,", [False, True, False, False, False]),
            ("S,ALL,AREA2,9,,", [False, True, True, True, False]),
            ("R,ALL,ALL,9,,", [False, True, True, True, False]),
            ("S,ALL,ALL,9,2026-01-08T00:00:00+08:00,", [False, True, True, False, False]),
        ):
            with self.subTest(plan=plan):
                distributor.plans = [plan]
                self.assertEqual(self.censored(), censored)

    def test_k41_a_window_too_far_ahead_of_all_others_is_not_closed(self):
        order = self.distributor.order
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5))
        order("placed", "2026-01-06 09:00", "P", requested(1, "S", 1))
        order("placed", "2099-01-05 09:00", "far", requested(1, "S", 1))
        tables = self.distributor.tables()
        starts = {row["window_start"] for row in tables.rows("demand_orders", window_kind="D1")}
        self.assertEqual(starts, {"2026-01-05", "2026-01-06"})
        self.assertEqual([str(row["ds"]) for row in tables.rows("demand_daily")], ["2026-01-05", "2026-01-06"])

    def test_k41_facts_are_believed_up_to_max_jump_beyond_the_highest_of_any_partition(self):
        # C4 lives in another partition than C1, and orders once more after half a year.
        def order(when, customer, partition):
            self.distributor.order(
                "placed", f"{when} 09:00", when, requested(1, "S", 1), partition=partition, customer_id=customer
            )

        order("2026-01-05", "C4", 0)
        order("2026-07-14", "C4", 0)
        for month in range(1, 7):
            order(f"2026-{month:02}-15", "C1", 1)
        tables = self.distributor.tables()
        starts = {row["window_start"] for row in tables.rows("demand_orders", window_kind="D1")}
        self.assertIn("2026-07-14", starts)
        starts = {row["window_start"] for row in tables.rows("demand_orders", window_kind="W1")}
        self.assertIn("2026-07-13", starts)
        self.assertEqual(str(tables.rows("demand_daily")[-1]["ds"]), "2026-07-14")

    def test_k41_what_ends_before_the_end_of_a_drain_is_closed_and_the_feed_passes_over_it(self):
        def delivery(when):
            self.distributor.order("delivered", f"{when} 09:00", when, delivered(1, "S", 1))
            self.distributor.order("placed", f"{when} 10:00", when, requested(1, "S", 1))

        delivery("2026-01-05")
        # 33 days ahead: the drain goes as far as the windows of 28 days that hold the first, final 21 days later: 2026-02-23
        delivery("2026-02-07")
        tables = self.distributor.tables()
        starts = {row["window_start"] for row in tables.rows("demand_orders", window_kind="D1")}
        self.assertEqual(starts, {"2026-01-05", "2026-02-07"})
        self.assertEqual(str(tables.rows("demand_daily")[-1]["ds"]), "2026-01-05")
        ends = {row["window_end"] for row in tables.rows("retailer_margin", window_kind="H28")}
        self.assertEqual(max(ends), "2026-02-23")

    def test_k43_zeros_of_the_feed_end_with_the_largest_gap(self):
        order = self.distributor.order
        order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5))
        order("allocated", "2026-01-09 09:00", "O", allocated(1, "S", 3))
        order("placed", "2026-02-05 09:00", "P", requested(1, "S", 1))
        order("placed", "2026-02-06 09:00", "Q", requested(1, "R", 1))
        rows = self.distributor.tables(settings=Settings(max_gap_days=2)).rows("demand_daily", unique_id="S|T1")
        found = [(str(r["ds"]), r["y"]) for r in rows]
        expected = [("2026-01-05", 5), ("2026-01-06", 0), ("2026-01-07", 0), ("2026-02-05", 1), ("2026-02-06", 0)]
        self.assertEqual(found, expected)

    def test_k25_a_sum_that_leaves_bigint_is_null_and_its_neighbours_are_not(self):
        lines = [requested(n, "S", 10**8, 10**9) for n in range(1, 101)]
        self.distributor.order("placed", "2026-01-05 09:00", "O", *lines)
        self.distributor.order("placed", "2026-01-06 09:00", "P", *lines[:92])
        tables = self.distributor.tables()
        found = {
            (r["window_start"], r["requested_qty"], r["requested_fen"])
            for r in tables.rows("demand_orders", window_kind="D1")
        }
        self.assertEqual(found, {("2026-01-05", 10**10, None), ("2026-01-06", 92 * 10**8, 92 * 10**17)})
        week = tables.row("demand_orders", **W1)
        self.assertEqual((week["requested_qty"], week["requested_fen"], week["orders"]), (192 * 10**8, None, 2))

    def test_only_closed_windows_have_rows(self):
        self.distributor.order("placed", "2026-01-05 09:00", "O", requested(1, "S", 5))
        for clock, kinds in (
            ("2026-01-05 23:59:59.999", []),
            ("2026-01-06 00:00", ["D1"]),
            ("2026-01-12 00:00", ["D1", "W1"]),
        ):
            rows = self.distributor.tables(clock).rows("demand_orders")
            self.assertEqual([row["window_kind"] for row in rows], kinds, clock)


class Stock(unittest.TestCase):
    def setUp(self):
        self.distributor = Distributor()

    def weekly(self, table: str = "sell_through") -> dict:
        rows = self.distributor.tables().rows(table)
        return {row["window_start"]: row for row in rows}

    def test_m02_golden(self):
        self.distributor.counts("2026-01-05 00:00", S=40)
        self.distributor.order("delivered", "2026-01-07 09:00", "O", delivered(1, "S", 30))
        self.distributor.counts("2026-01-12 00:00", S=25)
        weeks = self.weekly()
        self.assertEqual(list(weeks), ["2026-01-05"])
        self.assertEqual(weeks["2026-01-05"]["sell_through_qty"], Decimal(45))

    def test_m02_split_golden(self):
        self.distributor.counts("2026-01-09 00:00", S=45)
        self.distributor.counts("2026-01-16 00:00", S=0)
        weeks = self.weekly()
        self.assertEqual(weeks["2026-01-05"]["sell_through_qty"], Decimal("19.285714"))
        self.assertEqual(weeks["2026-01-12"]["sell_through_qty"], Decimal("25.714286"))

    def test_k11_days_add_up(self):
        self.distributor.counts("2026-01-05 07:11:13", S=100)
        self.distributor.counts("2026-01-14 19:23:29", S=0)
        self.assertEqual(sum(w["sell_through_qty"] for w in self.weekly().values()), Decimal(100))

    def test_k12_deliveries_after_the_first_count_up_to_the_second(self):
        self.distributor.order("delivered", "2026-01-05 09:00", "O", delivered(1, "S", 1))
        self.distributor.counts("2026-01-05 09:00", S=40)
        self.distributor.order("returned", "2026-01-06 09:00", "O", returned(1, "S", 4))
        self.distributor.order("exchanged", "2026-01-06 09:00", "O", returned(1, "S", 8))
        self.distributor.order("delivered", "2026-01-09 09:00", "O", delivered(1, "S", 16))
        self.distributor.counts("2026-01-09 09:00", S=20)
        self.assertEqual(self.weekly()["2026-01-05"]["sell_through_qty"], Decimal(40 - 4 + 16 - 20))

    def test_k12_fourteen_days_are_used_and_no_more(self):
        for end, weeks in (("2026-01-19 09:00", 3), ("2026-01-19 09:00:00.001", 0)):
            distributor = Distributor()
            distributor.counts("2026-01-05 09:00", S=40)
            distributor.counts(end, S=0)
            self.assertEqual(len(distributor.tables().rows("sell_through")), weeks)

    def test_k12_a_negative_interval_counts_where_it_ends(self):
        self.distributor.counts("2026-01-07 09:00", S=4)
        self.distributor.counts("2026-01-12 00:00", S=5)
        weeks = self.weekly()
        self.assertEqual(list(weeks), ["2026-01-12"])
        row = weeks["2026-01-12"]
        self.assertEqual(row["negative_intervals"], 1)

    def test_k32_where_all_intervals_are_negative_nothing_is_known_of_sales(self):
        self.distributor.counts("2026-01-12 00:00", S=4)
        self.distributor.counts("2026-01-13 00:00", S=5)
        self.assertIsNone(self.weekly()["2026-01-12"]["sell_through_qty"])
        row = self.weekly("stock_to_sales")["2026-01-12"]
        self.assertEqual(row["closing_stock_qty"], 5)
        unknown = ("sell_through_qty", "ssr_ratio", "days_of_cover", "band", "no_sales")
        self.assertEqual([row[name] for name in unknown], [None] * 5)
        self.distributor.counts("2026-01-14 00:00", S=5)
        row = self.weekly()["2026-01-12"]
        self.assertEqual((row["sell_through_qty"], row["negative_intervals"]), (Decimal(0), 1))
        self.assertTrue(self.weekly("stock_to_sales")["2026-01-12"]["no_sales"])

    def test_k12_dimensions_as_of_the_second_count(self):
        self.distributor.customers = [
            "C1,A,T1,AREA1,RETAILER,110000,2025-01-01T00:00:00Z,2026-01-08T00:00:00Z",
            "C1,B,T2,AREA1,RETAILER,110000,2026-01-08T00:00:00Z,",
        ]
        self.distributor.counts("2026-01-05 09:00", S=4)
        self.distributor.counts("2026-01-09 09:00", S=0)
        row = self.distributor.tables().row("sell_through")
        self.assertEqual((row["class_id"], row["territory_id"]), ("B", "T2"))

    def test_k8_of_two_counts_at_one_instant_the_later_event_holds(self):
        self.distributor.counts("2026-01-05 09:00", S=40)
        at = local("2026-01-09 09:00")
        for later, qty in ((2, 10), (1, 30)):
            self.distributor.event(
                "visits", "visit.info_collected", at + later, stock=[
                    {"sku_id": "S", "qty": 99, "counted_at": at}, {"sku_id": "S", "qty": qty, "counted_at": at},
                ], collection_id="K",
            )  # fmt: skip
        self.assertEqual(self.weekly()["2026-01-05"]["sell_through_qty"], Decimal(30))

    def test_m03_golden(self):
        self.distributor.counts("2026-01-05 00:00", S=70)
        self.distributor.counts("2026-01-11 23:59:59.999", S=25)
        self.distributor.counts("2026-01-12 00:00", S=25)
        row = self.weekly("stock_to_sales")["2026-01-05"]
        self.assertEqual((row["closing_stock_qty"], row["sell_through_qty"]), (25, Decimal(45)))
        self.assertAlmostEqual(row["ssr_ratio"], 25 / 45, 12)
        self.assertAlmostEqual(row["days_of_cover"], 3.888888888889, 9)
        self.assertEqual((row["band"], row["no_sales"]), ("LOW", False))

    def test_k13_bands(self):
        for closing, sold, band in ((5, 7, "NORMAL"), (21, 7, "NORMAL"), (22, 7, "HIGH"), (4, 7, "LOW")):
            distributor = Distributor()
            distributor.counts("2026-01-05 00:00", S=closing + sold)
            distributor.counts("2026-01-11 00:00", S=closing)
            self.assertEqual(distributor.tables().row("stock_to_sales")["band"], band, closing)

    def test_k13_no_sales(self):
        for stock, no_sales in ((3, True), (0, False)):
            distributor = Distributor()
            distributor.counts("2026-01-05 09:00", S=stock)
            distributor.counts("2026-01-09 09:00", S=stock)
            row = distributor.tables().row("stock_to_sales")
            self.assertEqual((row["ssr_ratio"], row["days_of_cover"], row["band"]), (None, None, None))
            self.assertEqual(row["no_sales"], no_sales)

    def test_k13_without_a_count_in_the_week_no_row(self):
        self.distributor.counts("2026-01-04 09:00", S=10)
        self.distributor.counts("2026-01-12 09:00", S=2)
        self.assertEqual(list(self.weekly("stock_to_sales")), ["2025-12-29", "2026-01-12"])


if __name__ == "__main__":
    unittest.main()
