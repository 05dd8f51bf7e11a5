#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use pipeline::history::ReferenceState as _;
use schemas::event::Topic;
use serde_json::json;

use super::*;
use crate::operator::fixture::{at, batch, instant};
use crate::reference::fixture::{list_price, one_customer};
use crate::reference::{ReferenceData, RetailReference};

const WHOLESALE: PriceType = PriceType::Wholesale;

/// A wholesale price of SKU `S1` in a region, from an instant on, perhaps to another; both in ms.
fn wholesale(
    reference: &mut RetailReference,
    id: &str,
    region: &str,
    price_fen: i64,
    from_ms: i64,
    to_ms: Option<i64>,
) {
    let scope = ("S1", region, WHOLESALE);
    list_price(reference, id, scope, price_fen, at(from_ms), to_ms.map(at));
}

fn at_region(reference: &RetailReference, region: &str, instant: TimestampMs) -> Option<i64> {
    let price = reference.list_price("S1", region, WHOLESALE, instant);
    price.map(Fen::as_fen)
}

#[test]
fn k19_a_price_of_a_region_overrides_the_general_one_and_the_next_begin_ends_it() {
    let mut reference = one_customer();
    wholesale(&mut reference, "a", "ALL", 100, 10, None);
    wholesale(&mut reference, "b", "R1", 200, 20, None);
    wholesale(&mut reference, "c", "ALL", 300, 30, None);
    assert_eq!(at_region(&reference, "R1", at(9)), None);
    assert_eq!(at_region(&reference, "R1", at(10)), Some(100));
    assert_eq!(at_region(&reference, "R1", at(19)), Some(100));
    assert_eq!(at_region(&reference, "R1", at(20)), Some(200));
    assert_eq!(at_region(&reference, "R1", at(30)), Some(200));
    assert_eq!(at_region(&reference, "R2", at(30)), Some(300));
    let suggested = PriceType::SuggestedRetail;
    assert_eq!(reference.list_price("S1", "R1", suggested, at(30)), None);
    assert_eq!(reference.list_price("S2", "R1", WHOLESALE, at(30)), None);
}

#[test]
fn k19_an_expired_price_does_not_restore_the_one_before_it() {
    let mut reference = one_customer();
    wholesale(&mut reference, "a", "ALL", 100, 0, None);
    wholesale(&mut reference, "b", "R1", 200, 10, None);
    wholesale(&mut reference, "c", "R1", 300, 20, Some(30));
    assert_eq!(at_region(&reference, "R1", at(29)), Some(300));
    // The region has none of its own any more, so the general price holds there.
    assert_eq!(at_region(&reference, "R1", at(30)), Some(100));
}

#[test]
fn k08_of_two_prices_that_begin_at_once_the_later_stamp_decides_in_any_order_of_arrival() {
    for ids in [["a", "b"], ["b", "a"]] {
        let mut reference = one_customer();
        for id in ids {
            let fen = if id == "b" { 2 } else { 1 };
            wholesale(&mut reference, id, "R1", fen, 10, None);
        }
        assert_eq!(at_region(&reference, "R1", at(10)), Some(2));
    }
}

#[test]
fn saved_prices_are_restored_and_the_table_has_those_in_force() {
    let mut reference = one_customer();
    wholesale(&mut reference, "a", "ALL", 100, 0, None);
    wholesale(&mut reference, "b", "R1", 200, 10, Some(20));
    let mut restored = RetailReference::new(ReferenceData::empty().into());
    restored.load(&reference.save().unwrap()).unwrap();
    for (instant, prices) in [
        (at(5), vec![100]),
        (at(10), vec![100, 200]),
        (at(20), vec![100]),
    ] {
        let table = restored.list_prices.as_of(instant).unwrap();
        let found = table["price_fen"].as_primitive::<Int64Type>();
        assert_eq!(found.values().to_vec(), prices, "at {instant}");
    }
}

#[test]
fn k29_a_price_for_a_region_that_nobody_can_name_is_for_none() {
    let morning = "2026-01-07T02:00:00Z";
    let set = |fen: i64, region: &str| {
        json!({"sku_id": "S1", "price_fen": fen, "valid_from": instant(morning), "price_type": "WHOLESALE",
            "region_code": region})
    };
    let events = [
        ("price.list_set", morning, set(100, "昆明市")),
        ("price.list_set", morning, set(200, "530100")),
    ];
    let mut reference = one_customer();
    let events = batch(Topic::Prices, &events);
    reference.apply(Topic::Prices, &events, &[], &[]).unwrap();
    for (region, price) in [("UNKNOWN", None), ("R1", None), ("530100", Some(200))] {
        assert_eq!(
            at_region(&reference, region, instant(morning)),
            price,
            "{region}"
        );
    }
}

#[test]
fn events_are_added_and_removed_again() {
    let morning = "2026-01-07T02:00:00Z";
    let set = |fen: i64, region: Option<&str>, price_type: &str| {
        json!({"sku_id": "S1", "price_fen": fen, "valid_from": instant(morning), "price_type": price_type,
            "region_code": region})
    };
    let events = batch(
        Topic::Prices,
        &[
            ("price.list_set", morning, set(100, None, "WHOLESALE")),
            ("price.list_set", morning, set(200, Some("R1"), "WHOLESALE")),
            (
                "price.list_set",
                morning,
                set(300, Some("R1"), "A_NEW_TYPE"),
            ),
            (
                "price.list_set",
                morning,
                set(400, Some("R1"), "SUGGESTED_RETAIL"),
            ),
        ],
    );
    let mut reference = one_customer();
    let skip = [false, false, false, true];
    let touched = reference.apply(Topic::Prices, &events, &skip, &[]).unwrap();
    assert_eq!(touched, ["S1".into()] as [Arc<str>; 1]);
    assert_eq!(at_region(&reference, "R1", instant(morning)), Some(200));
    assert_eq!(at_region(&reference, "R2", instant(morning)), Some(100));
    let suggested = PriceType::SuggestedRetail;
    assert_eq!(
        reference.list_price("S1", "R1", suggested, instant(morning)),
        None
    );

    let nothing = events.slice(0, 0);
    let gone = |event_id: &str| RemovedEvent {
        event_id: event_id.into(),
        place: EventPlace {
            topic: Topic::Prices,
            partition: 0,
            offset: 1,
        },
    };
    let removed = [gone("e1"), gone("never seen")];
    let touched = reference
        .apply(Topic::Prices, &nothing, &[], &removed)
        .unwrap();
    assert_eq!(touched.len(), 1);
    assert_eq!(at_region(&reference, "R1", instant(morning)), Some(100));
    assert_eq!(
        reference
            .apply(Topic::Orders, &events, &[], &removed)
            .unwrap()
            .len(),
        0
    );
}
