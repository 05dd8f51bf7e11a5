//! M01.

use std::sync::Arc;

use schemas::money::Fen;

use super::harness::{Harness, ZONE, rows};
use crate::operator::fixture::instant;
use crate::operator::order_lines::{LineKind, LineKind::*, OrderLineFact};
use crate::reference::{ReferenceData, RetailReference};

fn fact(
    (customer, order): (&str, &str),
    kind: LineKind,
    at: &str,
    qty: i64,
    price_fen: Option<i64>,
) -> OrderLineFact {
    OrderLineFact {
        customer_id: customer.into(),
        order_id: order.into(),
        line_no: 1,
        kind,
        instant: instant(at),
        event_id: "e".into(),
        sku_id: "S1".into(),
        territory_id: "T1".into(),
        class_id: "A".into(),
        order_kind: if order == "O1" {
            "EMERGENCY"
        } else {
            "REGULAR"
        }
        .into(),
        qty,
        value: Fen::from_fen(qty * price_fen.unwrap_or(0)),
        unpriced_qty: if price_fen.is_none() { qty } else { 0 },
        counts_as_order: i64::from(kind == Requested),
        censored: 0,
    }
}

fn harness(facts: &[OrderLineFact]) -> (Harness, RetailReference) {
    let mut harness = Harness::new();
    harness.stream("demand_orders", facts);
    (
        harness,
        RetailReference::new(Arc::new(ReferenceData::empty())),
    )
}

const MONDAY: &str = "2026-11-16T10:00:00+08:00";
const TUESDAY: &str = "2026-11-17T10:00:00+08:00";
const WEEK: (&str, &str) = ("2026-11-16", "2026-11-23");

#[test]
fn quantities_and_values_of_each_kind_are_in_their_columns() {
    let one = ("C1", "O1");
    let (harness, reference) = harness(&[
        fact(one, Requested, MONDAY, 10, Some(7)),
        fact(one, Allocated, TUESDAY, 6, Some(7)),
        fact(one, Unmet, TUESDAY, 4, Some(0)),
        fact(one, Delivered, TUESDAY, 5, None),
        fact(one, Returned, TUESDAY, 2, Some(8)),
        fact(("C1", "O2"), Cancelled, TUESDAY, 3, Some(7)),
        fact(("C1", "O3"), Requested, TUESDAY, 1, Some(7)),
    ]);
    let week = harness.round("demand_orders", &reference, WEEK);
    let columns = [
        "sku_id",
        "territory_id",
        "class_id",
        "requested_qty",
        "requested_fen",
        "allocated_qty",
        "allocated_fen",
        "delivered_qty",
        "delivered_fen",
        "returned_qty",
        "returned_fen",
        "cancelled_qty",
        "cancelled_fen",
        "unmet_qty",
        "unpriced_qty",
        "emergency_requested_qty",
        "orders",
        "customers",
        "n",
    ];
    assert_eq!(
        rows(&week, &columns),
        ["S1 T1 A 11 77 6 42 5 0 2 16 3 21 4 5 10 2 1 7"]
    );
    let monday = harness.round("demand_orders", &reference, ("2026-11-16", "2026-11-17"));
    assert_eq!(
        rows(&monday, &["requested_qty", "allocated_qty", "orders", "n"]),
        ["10 0 1 1"]
    );
    let wednesday = harness.round("demand_orders", &reference, ("2026-11-18", "2026-11-19"));
    assert_eq!(wednesday.num_rows(), 0);
}

#[test]
fn k09_orders_and_customers_are_distinct_with_requested_lines() {
    let (harness, reference) = harness(&[
        // Two lines of one order; the same number at another customer is another order.
        fact(("C1", "O1"), Requested, MONDAY, 1, None),
        fact(("C1", "O1"), Requested, MONDAY, 1, None),
        fact(("C2", "O1"), Requested, MONDAY, 1, None),
        fact(("C2", "O2"), Requested, TUESDAY, 0, None),
        // Delivered and nothing more: no order of this window.
        fact(("C3", "O9"), Delivered, TUESDAY, 1, None),
    ]);
    let week = harness.round("demand_orders", &reference, WEEK);
    assert_eq!(rows(&week, &["orders", "customers", "n"]), ["3 2 5"]);
}

#[test]
fn k27_censored_orders_are_distinct_and_the_feed_says_nothing_where_none_is_counted() {
    let censored = |mut fact: OrderLineFact| {
        fact.censored = 1;
        fact
    };
    let of_sku = |sku: &str, mut fact: OrderLineFact| {
        fact.sku_id = sku.into();
        fact
    };
    let (harness, reference) = harness(&[
        // Two lines of one order, and another order.
        censored(fact(("C1", "O1"), Requested, MONDAY, 1, None)),
        censored(fact(("C1", "O1"), Requested, MONDAY, 2, None)),
        fact(("C1", "O2"), Requested, MONDAY, 4, None),
        // Of another class.
        censored(OrderLineFact {
            class_id: "B".into(),
            ..fact(("C2", "O3"), Requested, MONDAY, 8, None)
        }),
        of_sku("S2", fact(("C1", "O1"), Requested, MONDAY, 1, None)),
        of_sku("S|3", fact(("C1", "O4"), Delivered, MONDAY, 1, None)),
        of_sku("S|3", fact(("C1", "O4"), Unmet, MONDAY, 5, Some(0))),
    ]);
    let monday = harness.round("demand_orders", &reference, ("2026-11-16", "2026-11-17"));
    assert_eq!(
        rows(
            &monday,
            &["sku_id", "class_id", "orders", "censored_orders_n"]
        ),
        ["S1 A 2 1", "S1 B 1 1", "S2 A 1 0", "S|3 A 0 0"]
    );
    let feed = harness.over_rows(
        "demand_orders",
        &monday,
        include_str!("../../../feeds/demand_daily.sql"),
        "2026-11-16",
    );
    assert_eq!(
        rows(
            &feed,
            &["unique_id", "y", "unmet_qty", "censored", "starts"]
        ),
        [
            "S%7C3|T1 0 5  false",
            "S1|T1 15 0 true true",
            "S2|T1 1 0 false true"
        ]
    );
}

#[test]
fn the_week_begins_on_monday_in_the_business_zone() {
    let one = ("C1", "O1");
    let (harness, reference) = harness(&[
        fact(one, Requested, "2026-11-22T15:59:59Z", 1, None),
        fact(one, Requested, "2026-11-22T16:00:00Z", 2, None),
    ]);
    let requested = |window| {
        rows(
            &harness.round("demand_orders", &reference, window),
            &["requested_qty"],
        )
    };
    assert_eq!(requested(WEEK), ["1"]);
    assert_eq!(requested(("2026-11-23", "2026-11-30")), ["2"]);
    assert_eq!(
        ZONE.day_of(instant("2026-11-22T16:00:00Z"))
            .date()
            .to_string(),
        "2026-11-23"
    );
}
