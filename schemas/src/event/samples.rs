//! Payloads for tests: each event type with its required fields, and with all its fields.

use serde_json::{Map, Value, json};

use super::envelope;
use super::field::{Field, FieldKind};
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
            FieldKind::List(items) => {
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
pub(super) fn good(kind: FieldKind) -> Value {
    match kind {
        FieldKind::Id
        | FieldKind::EventId
        | FieldKind::StaffId
        | FieldKind::TypeName
        | FieldKind::Code
        | FieldKind::RegionCode => json!("x-1"),
        FieldKind::FreeText => json!("你好"),
        FieldKind::Enum(names) => json!(names[0]),
        FieldKind::SchemaVersion => json!(1),
        FieldKind::Qty
        | FieldKind::Price
        | FieldKind::Amount
        | FieldKind::DurationMs
        | FieldKind::U8
        | FieldKind::U16
        | FieldKind::U32 => json!(7),
        FieldKind::Bp => json!(-25),
        FieldKind::Score => json!(5),
        FieldKind::Bool => json!(true),
        FieldKind::Instant(_) => json!(NINE - 1_000),
        FieldKind::Date => json!("2026-01-06"),
        FieldKind::Month => json!("2026-01"),
        FieldKind::IsoWeek => json!("2026-W02"),
        FieldKind::Ids | FieldKind::Codes => json!(["a", "b"]),
        FieldKind::List(items) => {
            let item: Map<_, _> = items
                .iter()
                .map(|item| (item.name.to_owned(), good(item.kind)))
                .collect();
            json!([item, item])
        }
    }
}
