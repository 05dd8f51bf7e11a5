//! K25: how large a quantity, a price, an amount may be, and how far an instant, a deadline, a validity may lie.

use super::*;
use crate::event::samples::{event_type, find, good};
use crate::event::{Field, FieldKind, event_types};

const QUANTITY: i64 = 100_000_000;
const PRICE: i64 = 1_000_000_000;
const AMOUNT: i64 = 1_000_000_000_000_000;
/// 9998-12-31T23:59:59.999Z.
const LAST_INSTANT: i64 = 253_370_764_799_999;

/// The bound of a field by its name alone, so that a field of the wrong kind is found.
fn bound(name: &str) -> Option<i64> {
    match name {
        "amount_fen" => Some(AMOUNT),
        _ if name.ends_with("_fen") => Some(PRICE),
        _ if name == "qty" || name.ends_with("_qty") => Some(QUANTITY),
        _ => None,
    }
}

/// The smallest event of a type with this value in a field, or in that field of an item of a list.
fn saying(type_name: &str, list: Option<&str>, field: &Field, value: Value) -> String {
    let mut event = least(type_name);
    let Some(list) = list else {
        return with(event, json!({ field.name: value }));
    };
    if event[list].is_null() {
        event[list] = good(find(event_type(type_name).topic, list).kind);
    }
    event[list][0][field.name] = value;
    event.to_string()
}

#[test]
fn k25_quantities_prices_and_amounts_are_bounded_in_every_type() {
    let mut met = std::collections::BTreeSet::new();
    for event_type in event_types() {
        for field_use in event_type.fields {
            let field = find(event_type.topic, field_use.field);
            let (list, fields) = match field.kind {
                FieldKind::List(items) => (Some(field.name), items),
                _ => (None, std::slice::from_ref(field)),
            };
            for field in fields {
                let Some(most) = bound(field.name) else {
                    continue;
                };
                met.insert(field.name);
                let path = list.map_or(field.name.to_owned(), |list| {
                    format!("{list}[0].{}", field.name)
                });
                for (value, expected) in [
                    (0, "accepted".to_owned()),
                    (most, "accepted".to_owned()),
                    (most + 1, format!("bad_value {path}")),
                    (-1, format!("bad_value {path}")),
                    (i64::MAX, format!("bad_value {path}")),
                ] {
                    let text = saying(event_type.name, list, field, json!(value));
                    assert_eq!(verdict(event_type.topic, &text), expected, "{text}");
                }
            }
        }
    }
    let all = [
        "allocated_qty",
        "amount_fen",
        "delivered_qty",
        "price_fen",
        "price_high_fen",
        "price_low_fen",
        "qty",
        "requested_qty",
        "returned_qty",
        "tag_price_fen",
        "till_price_fen",
        "wholesale_price_fen",
    ];
    assert_eq!(met.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn k25_every_integer_has_the_bounds_of_its_kind() {
    for event_type in event_types() {
        for name in event_type.fields.iter().map(|one| one.field) {
            let field = find(event_type.topic, name);
            let Some((lowest, highest)) = field.kind.range() else {
                continue;
            };
            let said = |value: i64| {
                let text = with(least(event_type.name), json!({ name: value }));
                verdict(event_type.topic, &text)
            };
            let bad = format!("bad_value {name}");
            assert_eq!(
                [said(lowest - 1), said(highest + 1)],
                [bad.clone(), bad],
                "{name}"
            );
            // An observed instant also lies near its event (K4).
            if !matches!(field.kind, FieldKind::Instant(InstantRule::Observed)) {
                assert_eq!([said(lowest), said(highest)], ["accepted"; 2], "{name}");
            }
        }
    }
}

#[test]
fn k25_an_instant_deadline_or_validity_lies_no_later_than_the_year_9998() {
    let listed = |valid_to: i64| {
        let text = with(least("price.list_set"), json!({ "valid_to": valid_to }));
        verdict(Topic::Prices, &text)
    };
    assert_eq!(listed(LAST_INSTANT), "accepted");
    assert_eq!(listed(LAST_INSTANT + 1), "bad_value valid_to");
    let promised = |due_at: i64| {
        let text = with(least("promise.made"), json!({ "due_at": due_at }));
        verdict(Topic::Complaints, &text)
    };
    assert_eq!(promised(LAST_INSTANT), "accepted");
    assert_eq!(promised(LAST_INSTANT + 1), "bad_value due_at");
    let due = |date: &str| {
        let text = with(least("order.payment_due"), json!({ "due_date": date }));
        verdict(Topic::Orders, &text)
    };
    assert_eq!([due("9998-12-31"), due("0001-01-01")], ["accepted"; 2]);
    assert_eq!(due("9999-01-01"), "bad_value due_date");
    let planned = |month: &str| {
        let text = with(
            least("visit.plan_submitted"),
            json!({ "plan_month": month }),
        );
        verdict(Topic::Visits, &text)
    };
    assert_eq!(planned("9998-12"), "accepted");
    assert_eq!(planned("9999-01"), "bad_value plan_month");
}
