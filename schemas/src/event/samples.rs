//! Payloads for tests: the least that each event type needs, and an order with everything.

use serde_json::{Map, Value, json};

use super::envelope;
use super::field::{Field, Kind};
use super::layout::fields;
use super::{EventType, Topic, event_types};

/// 2026-01-06 09:00 in Shanghai, when all samples happen.
pub(super) const NINE: i64 = 1_767_661_200_000;

pub(super) fn event_type(name: &str) -> &'static EventType {
    event_types().iter().find(|one| one.name == name).unwrap()
}

/// The event with its required fields and nothing else.
pub(super) fn least(name: &str) -> Value {
    let event_type = event_type(name);
    let mut event = json!({
        "event_id": "e-1",
        "event_type": name,
        "schema_version": 1,
        "occurred_at": NINE,
        "recorded_at": NINE + 1_000,
    });
    if let Some(key) = event_type.key.field() {
        event[key] = json!("k-1");
    }
    for field_use in event_type.fields.iter().filter(|one| one.required) {
        let field = find(event_type.topic, field_use.field);
        event[field.name] = match field.kind {
            Kind::List(items) => {
                let each = |name: &&str| {
                    let item = items.iter().find(|item| item.name == *name).unwrap();
                    (item.name.to_owned(), good(item.kind))
                };
                json!([field_use.items.iter().map(each).collect::<Map<_, _>>()])
            }
            kind => good(kind),
        };
    }
    event
}

/// The event with every field it lists.
pub(super) fn full(name: &str) -> Value {
    let event_type = event_type(name);
    let mut event = least(name);
    let own = event_type.fields.iter().map(|one| one.field);
    let all = envelope::FIELDS
        .iter()
        .map(|field| field.name)
        .skip(5)
        .chain(own);
    for name in all {
        let field = find(event_type.topic, name);
        event[name] = good(field.kind);
    }
    event
}

pub(super) fn find(topic: Topic, name: &str) -> &'static Field {
    fields(topic).find(|field| field.name == name).unwrap()
}

/// A value that the kind accepts.
pub(super) fn good(kind: Kind) -> Value {
    match kind {
        Kind::Id | Kind::EventId | Kind::Code | Kind::Label | Kind::Presence => json!("x-1"),
        Kind::FreeText => json!("你好"),
        Kind::Enum(names) => json!(names[0]),
        Kind::SchemaVersion => json!(1),
        Kind::Qty | Kind::Fen | Kind::DurationMs | Kind::U8 | Kind::U16 | Kind::U32 => json!(7),
        Kind::Bp => json!(-25),
        Kind::Score => json!(5),
        Kind::Bool => json!(true),
        Kind::Instant(_) => json!(NINE - 1_000),
        Kind::Date => json!("2026-01-06"),
        Kind::Month => json!("2026-01"),
        Kind::IsoWeek => json!("2026-W02"),
        Kind::Texts => json!(["a", "b"]),
        Kind::List(items) => {
            let item: Map<_, _> = items
                .iter()
                .map(|item| (item.name.to_owned(), good(item.kind)))
                .collect();
            json!([item, item])
        }
    }
}
