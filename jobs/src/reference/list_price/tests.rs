#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use pipeline::history::ReferenceState as _;
use schemas::event::Topic;
use serde_json::json;

use super::*;
use crate::operator::fixture::{batch, ms};
use crate::reference::fixture::{list_price, one_customer};
use crate::reference::{ReferenceData, RetailReference};

const WHOLESALE: PriceType = PriceType::Wholesale;

fn at_region(reference: &RetailReference, region: &str, at_ms: i64) -> Option<i64> {
    let price = reference.list_price("S1", region, WHOLESALE, at_ms);
    price.map(Fen::as_fen)
}

#[test]
fn k19_a_price_of_a_region_overrides_the_general_one_and_the_next_begin_ends_it() {
    let mut reference = one_customer();
    list_price(&mut reference, "a", ("S1", "ALL", WHOLESALE), 100, 10, None);
    list_price(&mut reference, "b", ("S1", "R1", WHOLESALE), 200, 20, None);
    list_price(&mut reference, "c", ("S1", "ALL", WHOLESALE), 300, 30, None);
    assert_eq!(at_region(&reference, "R1", 9), None);
    assert_eq!(at_region(&reference, "R1", 10), Some(100));
    assert_eq!(at_region(&reference, "R1", 19), Some(100));
    assert_eq!(at_region(&reference, "R1", 20), Some(200));
    assert_eq!(at_region(&reference, "R1", 30), Some(200));
    assert_eq!(at_region(&reference, "R2", 30), Some(300));
    let suggested = PriceType::SuggestedRetail;
    assert_eq!(reference.list_price("S1", "R1", suggested, 30), None);
    assert_eq!(reference.list_price("S2", "R1", WHOLESALE, 30), None);
}

#[test]
fn k19_an_expired_price_does_not_restore_the_one_before_it() {
    let mut reference = one_customer();
    list_price(&mut reference, "a", ("S1", "ALL", WHOLESALE), 100, 0, None);
    list_price(&mut reference, "b", ("S1", "R1", WHOLESALE), 200, 10, None);
    list_price(
        &mut reference,
        "c",
        ("S1", "R1", WHOLESALE),
        300,
        20,
        Some(30),
    );
    assert_eq!(at_region(&reference, "R1", 29), Some(300));
    // The region has none of its own any more, so the general price holds there.
    assert_eq!(at_region(&reference, "R1", 30), Some(100));
}

#[test]
fn k08_of_two_prices_that_begin_at_once_the_later_stamp_decides_in_any_order_of_arrival() {
    for ids in [["a", "b"], ["b", "a"]] {
        let mut reference = one_customer();
        for id in ids {
            let fen = if id == "b" { 2 } else { 1 };
            list_price(&mut reference, id, ("S1", "R1", WHOLESALE), fen, 10, None);
        }
        assert_eq!(at_region(&reference, "R1", 10), Some(2));
    }
}

#[test]
fn saved_prices_are_restored_and_the_table_has_those_in_force() {
    let mut reference = one_customer();
    list_price(&mut reference, "a", ("S1", "ALL", WHOLESALE), 100, 0, None);
    list_price(
        &mut reference,
        "b",
        ("S1", "R1", WHOLESALE),
        200,
        10,
        Some(20),
    );
    let mut restored = RetailReference::new(ReferenceData::empty().into());
    restored.load(&reference.save().unwrap()).unwrap();
    for (at_ms, prices) in [(5, vec![100]), (10, vec![100, 200]), (20, vec![100])] {
        let table = restored.list_prices.as_of(at_ms).unwrap();
        let found = table["price_fen"].as_primitive::<Int64Type>();
        assert_eq!(found.values().to_vec(), prices, "at {at_ms}");
    }
}

#[test]
fn events_are_added_and_removed_again() {
    let at = "2026-01-07T02:00:00Z";
    let set = |fen: i64, region: Option<&str>, price_type: &str| {
        json!({"sku_id": "S1", "price_fen": fen, "valid_from": ms(at), "price_type": price_type,
            "region_code": region})
    };
    let events = batch(
        Topic::Prices,
        &[
            ("price.list_set", at, set(100, None, "WHOLESALE")),
            ("price.list_set", at, set(200, Some("R1"), "WHOLESALE")),
            ("price.list_set", at, set(300, Some("R1"), "A_NEW_TYPE")),
            (
                "price.list_set",
                at,
                set(400, Some("R1"), "SUGGESTED_RETAIL"),
            ),
        ],
    );
    let mut reference = one_customer();
    let skip = [false, false, false, true];
    let touched = reference.apply("prices", &events, &skip, &[]).unwrap();
    assert_eq!(touched, ["S1".into()] as [Arc<str>; 1]);
    assert_eq!(at_region(&reference, "R1", ms(at)), Some(200));
    assert_eq!(at_region(&reference, "R2", ms(at)), Some(100));
    let suggested = PriceType::SuggestedRetail;
    assert_eq!(reference.list_price("S1", "R1", suggested, ms(at)), None);

    let nothing = events.slice(0, 0);
    let removed = ["e1".into(), "never seen".into()];
    let touched = reference.apply("prices", &nothing, &[], &removed).unwrap();
    assert_eq!(touched.len(), 1);
    assert_eq!(at_region(&reference, "R1", ms(at)), Some(100));
    assert_eq!(
        reference
            .apply("orders", &events, &[], &removed)
            .unwrap()
            .len(),
        0
    );
}
