#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::event::samples::{NINE, least};

mod contract;
mod f28;
mod hostile;
mod k03;
mod k04;
mod k21;
mod k25;
mod k42;
mod k45;

fn decode_text(topic: Topic, text: &str) -> Result<Event<'_>, Rejection> {
    decode(topic, Some(text.as_bytes()), &Limits::default())
}

/// Reason and path, `bad_value lines[0].sku_id`, or `accepted`.
fn verdict(topic: Topic, text: &str) -> String {
    match decode_text(topic, text) {
        Ok(_) => "accepted".to_owned(),
        Err(Rejection { reason, path }) => format!("{reason} {path}").trim_end().to_owned(),
    }
}

fn with(mut event: Value, changes: Value) -> String {
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string()
}

fn without(mut event: Value, names: &[&str]) -> String {
    for name in names {
        event.as_object_mut().unwrap().remove(*name);
    }
    event.to_string()
}

/// The smallest valid order, changed.
fn placed(changes: Value) -> String {
    with(least("order.placed"), changes)
}

fn check_all(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        assert_eq!(verdict(Topic::Orders, text), *expected, "{text}");
    }
}

#[test]
fn fields_of_other_types_are_ignored() {
    check_all(&[
        (
            placed(json!({ "amount_fen": "a lot", "received_at": -1, "nonsense": [{}] })),
            "accepted",
        ),
        (
            placed(json!({ "order_kind": null, "source": null })),
            "accepted",
        ),
    ]);
    let text = placed(json!({ "amount_fen": 5, "received_at": NINE }));
    let event = decode_text(Topic::Orders, &text).unwrap();
    let amount = event.layout.object.find("amount_fen").unwrap();
    assert!(!event.slots.has(amount));
}

#[test]
fn the_order_of_keys_and_escapes_make_no_difference() {
    let text = r#"{"lines":[{"requested_qty":3,"sku_id":"s\"\u4e2d","line_no":1}],"order_id":"o","\u0063ustomer_id":"c\/1",
        "recorded_at":1767661201000,"occurred_at":1767661200000,"schema_version":1,"event_type":"order.placed",
        "event_id":"a\tb","corrects":"e-0"}"#;
    let event = decode_text(Topic::Orders, text).unwrap();
    assert_eq!(event.event_id(), "a\tb");
    assert_eq!(event.event_type(), "order.placed");
    assert_eq!(event.key(), Some("c/1"));
    assert_eq!(event.corrects(), Some("e-0"));
    assert_eq!(
        (event.occurred_at().as_ms(), event.recorded_at().as_ms()),
        (NINE, NINE + 1_000)
    );
}

#[test]
fn k23_key_and_scope_of_each_kind_of_event() {
    let ids = |name: &str, changes: Value| {
        let text = with(least(name), changes);
        let topic = crate::event::samples::event_type(name).topic;
        let event = decode_text(topic, &text).unwrap();
        (
            event.key().map(str::to_owned),
            event.scope().map(str::to_owned),
        )
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids("order.placed", json!({})), (some("k-1"), some("k-1")));
    assert_eq!(
        ids("visit.day_signed_in", json!({})),
        (some("k-1"), some("k-1"))
    );
    assert_eq!(
        ids("day.closed", json!({ "unit_id": "u" })),
        (some("u"), some("u"))
    );
    assert_eq!(
        ids("price.list_set", json!({ "sku_id": "s" })),
        (None, some("s"))
    );
    assert_eq!(
        ids("price.observed", json!({ "customer_id": "c" })),
        (None, some("c"))
    );
    assert_eq!(ids("price.competitor_observed", json!({})), (None, None));
}
