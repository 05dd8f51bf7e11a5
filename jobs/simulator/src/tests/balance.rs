//! Quantities balance: stock is what came in minus what went out.

use std::collections::BTreeMap;

use schemas::time::TimestampMs;

use super::run::{Run, demo, instant, int, text};
use crate::Plan;

type Movements = BTreeMap<(String, String), Vec<(TimestampMs, i64)>>;

/// Deliveries and returns by customer and SKU, from the events alone.
fn movements(run: &Run) -> Movements {
    let mut movements = Movements::new();
    for (event_type, field, sign) in [
        ("order.delivered", "delivered_qty", 1),
        ("order.returned", "returned_qty", -1),
    ] {
        for event in run.standing(event_type) {
            for line in event["lines"].as_array().unwrap() {
                let key = (
                    text(&event["customer_id"]).to_owned(),
                    text(&line["sku_id"]).to_owned(),
                );
                let moved = (instant(&event["occurred_at"]), sign * int(&line[field]));
                movements.entry(key).or_default().push(moved);
            }
        }
    }
    movements
}

/// Counted quantities by customer and SKU, then instant.
fn counts(run: &Run) -> BTreeMap<(String, String), BTreeMap<TimestampMs, i64>> {
    let mut counts: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for event in run.standing("visit.info_collected") {
        for item in event["stock"].as_array().unwrap() {
            let key = (
                text(&event["customer_id"]).to_owned(),
                text(&item["sku_id"]).to_owned(),
            );
            let earlier = counts
                .entry(key)
                .or_default()
                .insert(instant(&item["counted_at"]), int(&item["qty"]));
            assert_eq!(earlier, None, "counted twice at one instant");
        }
    }
    counts
}

#[test]
fn stock_is_previous_stock_plus_deliveries_minus_returns_minus_sales() {
    let run = Run::of(&Plan { days: 35, ..demo() });
    let (movements, counts) = (movements(&run), counts(&run));
    let mut sold_in_all = 0;
    let mut intervals = 0;
    for sold in &run.sold {
        let key = (sold.customer_id.clone(), sold.sku_id.clone());
        let moved: i64 = movements
            .get(&key)
            .into_iter()
            .flatten()
            .filter(|(at, _)| *at > sold.from && *at <= sold.to)
            .map(|(_, qty)| qty)
            .sum();
        assert_eq!(
            sold.previous_stock_qty + moved - sold.sold_qty,
            sold.stock_qty,
            "{sold:?}"
        );
        assert!(sold.sold_qty >= 0 && sold.stock_qty >= 0);
        assert_eq!(counts[&key][&sold.to], sold.stock_qty + sold.miscount_qty);
        sold_in_all += sold.sold_qty;
        intervals += 1;
    }
    let counted_again: usize = counts.values().map(|of_one| of_one.len() - 1).sum();
    assert_eq!(
        intervals, counted_again,
        "every pair of counts has an interval"
    );
    assert!(sold_in_all > 10 * intervals as i64 / 10, "there are sales");
}

#[test]
fn orders_never_deliver_more_than_allocated_nor_allocate_more_than_requested() {
    let run = Run::of(&demo());
    let mut requested: BTreeMap<(String, i64), i64> = BTreeMap::new();
    let mut allocated = BTreeMap::new();
    let lines = |event_type: &str, field: &'static str| -> Vec<((String, i64), i64)> {
        run.standing(event_type)
            .iter()
            .flat_map(|event| {
                let order_id = text(&event["order_id"]).to_owned();
                event["lines"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|line| ((order_id.clone(), int(&line["line_no"])), int(&line[field])))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    for event_type in ["order.placed", "order.amended"] {
        for (line, qty) in lines(event_type, "requested_qty") {
            requested.insert(line, qty);
        }
    }
    let mut unmet = 0;
    for (line, qty) in lines("order.allocated", "allocated_qty") {
        assert!(qty <= requested[&line], "{line:?}");
        unmet += requested[&line] - qty;
        allocated.insert(line, qty);
    }
    assert!(unmet > 0, "supply is short of something");
    let mut delivered = BTreeMap::new();
    for (line, qty) in lines("order.delivered", "delivered_qty") {
        assert!(qty <= allocated[&line], "{line:?}");
        delivered.insert(line, qty);
    }
    for (line, qty) in lines("order.returned", "returned_qty") {
        assert!(qty > 0 && qty <= delivered[&line], "{line:?}");
    }
}
