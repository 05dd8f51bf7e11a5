//! The event types as JSON Schema (draft 2020-12), for producers in any language.
//!
//! `json/<topic>/<event_type>.json` is generated from the tables in [`crate::event`]; a test compares the files with them, and
//! `UPDATE=1 cargo test --workspace --lib json_schema` writes them. A schema describes single values; rules that relate two values
//! (observed instants, K4) are in the descriptions.

use serde_json::{Map, Value, json};

use crate::event::{
    EventType, Field, FieldKind, FieldUse, InstantRule, envelope, event_types, own_fields,
};

/// Path of an event type's schema below `json/`, and its text.
fn documents() -> Vec<(String, String)> {
    event_types()
        .iter()
        .map(|event_type| {
            let path = format!("{}/{}.json", event_type.topic.name(), event_type.name);
            (path, format!("{:#}\n", document(event_type)))
        })
        .collect()
}

/// The JSON Schema of an event type.
fn document(event_type: &EventType) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<&str> = envelope::REQUIRED.to_vec();
    for field in envelope::FIELDS {
        properties.insert(field.name.to_owned(), property(field, None));
    }
    properties.insert(
        "event_type".to_owned(),
        json!({ "const": event_type.name, "description": "Type of the event" }),
    );
    let own = own_fields(event_type.topic);
    let known = |name: &str| own.iter().find(|field| field.name == name);
    if let Some(key) = event_type.key.field() {
        if let Some(field) = known(key) {
            properties.insert(key.to_owned(), property(field, None));
        }
        required.push(key);
    }
    for field_use in event_type.fields {
        if let Some(field) = known(field_use.field) {
            properties.insert(field.name.to_owned(), property(field, Some(field_use)));
        }
        if field_use.required {
            required.push(field_use.field);
        }
    }
    for (name, property) in &mut properties {
        if !required.contains(&name.as_str()) {
            allow_null(property);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:vitrine:{}:{}:1", event_type.topic.default_topic(), event_type.name),
        "title": event_type.name,
        "description": event_type.doc,
        "type": "object",
        "properties": properties,
        "required": required,
    })
}

fn property(field: &Field, field_use: Option<&FieldUse>) -> Value {
    let mut schema = kind(field.kind, field_use);
    if let Some(object) = schema.as_object_mut() {
        let note = match field.kind {
            FieldKind::Id => "; at most 256 bytes",
            FieldKind::StaffId => "; at most 256 bytes; stored in a restricted column",
            FieldKind::Code | FieldKind::RegionCode => {
                "; stored if it is a code, else only that it was given"
            }
            FieldKind::Codes => "; an item that is no code is stored as UNKNOWN",
            FieldKind::FreeText => "; only its length is stored",
            FieldKind::Enum(_) => "; another text is stored as UNKNOWN",
            FieldKind::Instant(InstantRule::Observed) => {
                "; milliseconds UTC, at most 31 days before occurred_at and not after it"
            }
            FieldKind::Instant(_) => "; milliseconds UTC",
            _ => "",
        };
        object.insert(
            "description".to_owned(),
            json!(format!("{}{note}", field.doc)),
        );
    }
    schema
}

fn kind(kind: FieldKind, field_use: Option<&FieldUse>) -> Value {
    if let Some((least, greatest)) = kind.range() {
        return json!({ "type": "integer", "minimum": least, "maximum": greatest });
    }
    match kind {
        FieldKind::Id | FieldKind::StaffId => id(),
        FieldKind::EventId => json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
        FieldKind::SchemaVersion => json!({ "const": 1 }),
        FieldKind::Code | FieldKind::RegionCode | FieldKind::TypeName | FieldKind::FreeText => {
            json!({ "type": "string" })
        }
        // The list names the values that have a meaning; others are accepted too.
        FieldKind::Enum(names) => json!({ "anyOf": [{ "enum": names }, { "type": "string" }] }),
        FieldKind::Bool => json!({ "type": "boolean" }),
        FieldKind::Date => {
            json!({ "type": "string", "format": "date", "pattern": "^\\d{4}-\\d{2}-\\d{2}$" })
        }
        FieldKind::Month => json!({ "type": "string", "pattern": "^\\d{4}-(0[1-9]|1[0-2])$" }),
        FieldKind::IsoWeek => {
            json!({ "type": "string", "pattern": "^\\d{4}-W(0[1-9]|[1-4]\\d|5[0-3])$" })
        }
        FieldKind::Ids => json!({ "type": "array", "items": id() }),
        FieldKind::Codes => json!({ "type": "array", "items": { "type": "string" } }),
        FieldKind::List(items) => list(items, field_use),
        // Their range has been given above.
        FieldKind::Qty
        | FieldKind::Price
        | FieldKind::Amount
        | FieldKind::DurationMs
        | FieldKind::U8
        | FieldKind::U16
        | FieldKind::U32
        | FieldKind::Bp
        | FieldKind::Score
        | FieldKind::Instant(_) => json!({ "type": "integer" }),
    }
}

/// K42; the length in characters is a bound on that in bytes, which JSON Schema cannot count.
fn id() -> Value {
    let pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
    json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": pattern })
}

fn list(items: &[Field], field_use: Option<&FieldUse>) -> Value {
    let required = field_use.map_or(&[][..], |field_use| field_use.items);
    let properties: Map<String, Value> = items
        .iter()
        .map(|item| {
            let mut schema = property(item, None);
            if !required.contains(&item.name) {
                allow_null(&mut schema);
            }
            (item.name.to_owned(), schema)
        })
        .collect();
    let mut schema = json!({
        "type": "array",
        "items": { "type": "object", "properties": properties, "required": required },
    });
    if field_use.is_some_and(|field_use| field_use.not_empty) {
        schema["minItems"] = json!(1);
    }
    schema
}

/// An optional field may be null, which means that it is absent.
fn allow_null(schema: &mut Value) {
    if let Some(one) = schema.get_mut("type") {
        *one = json!([one.take(), "null"]);
    } else if let Some(options) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        options.push(json!({ "type": "null" }));
    }
}

#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::event::Topic;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("json")
    }

    /// As a value: the order of keys depends on a feature of serde_json that another crate may switch on.
    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn committed() -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for topic in Topic::ALL {
            for file in fs::read_dir(folder().join(topic.name())).unwrap() {
                let path = file.unwrap().path();
                let name = format!(
                    "{}/{}",
                    topic.name(),
                    path.file_name().unwrap().to_str().unwrap()
                );
                found.insert(name, read(&fs::read_to_string(path).unwrap()));
            }
        }
        found
    }

    #[test]
    fn json_schema_files_agree_with_the_tables() {
        if std::env::var_os("UPDATE").is_some() {
            for topic in Topic::ALL {
                fs::remove_dir_all(folder().join(topic.name())).ok();
                fs::create_dir_all(folder().join(topic.name())).unwrap();
            }
            for (path, text) in documents() {
                fs::write(folder().join(path), text).unwrap();
            }
        }
        let generated: BTreeMap<_, _> = documents()
            .into_iter()
            .map(|(path, text)| (path, read(&text)))
            .collect();
        let committed = committed();
        let differing: Vec<_> = generated
            .keys()
            .chain(committed.keys())
            .filter(|path| generated.get(*path) != committed.get(*path))
            .collect();
        assert!(differing.is_empty(), "run with UPDATE=1: {differing:?}");
    }

    #[test]
    fn json_schema_of_an_order_requires_what_the_contract_requires() {
        let order = event_types()
            .iter()
            .find(|one| one.name == "order.allocated")
            .unwrap();
        let schema = document(order);
        let required: Vec<_> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect();
        assert_eq!(
            required,
            [
                "event_id",
                "event_type",
                "schema_version",
                "occurred_at",
                "recorded_at",
                "customer_id",
                "order_id",
                "lines"
            ]
        );
        let lines = &schema["properties"]["lines"];
        assert_eq!(lines["minItems"], 1);
        assert_eq!(
            lines["items"]["required"],
            json!(["line_no", "sku_id", "allocated_qty"])
        );
        assert_eq!(
            lines["items"]["properties"]["returned_qty"]["type"],
            json!(["integer", "null"])
        );
        assert_eq!(
            schema["properties"]["event_type"]["const"],
            "order.allocated"
        );
        assert_eq!(schema["properties"]["source"]["anyOf"][2]["type"], "null");
    }
}
