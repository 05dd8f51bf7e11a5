//! Records that somebody wrote to do harm, drawn from the tables of fields: whatever they hold, they get one verdict, the one that
//! K3 puts first.

use proptest::prelude::*;

use super::*;
use crate::event::samples::{find, full, good};
use crate::event::{EventType, FieldKind, event_types};

/// What is done to one field of a valid event.
#[derive(Clone, Debug)]
enum Fault {
    Removed,
    Null,
    /// A JSON text in its place.
    Replaced(String),
    /// The key comes a second time.
    Twice,
}

/// JSON texts that few fields take.
fn odd_texts() -> Vec<String> {
    let numbers = [
        "-0",
        "-1",
        "0.5",
        "1e3",
        "1e999",
        "9223372036854775808",
        "253370764800000",
        "946684799999",
    ];
    let texts = [
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\u001b[2J\"",
        "\"王小明 13800138000\"",
        "\"0000-01-01\"",
        "\"9999-W01\"",
    ];
    let others = [
        "true",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        "[1]",
        "[\"\"]",
        "{\"a\":{\"b\":[]}}",
    ];
    let mut all: Vec<String> = [&numbers[..], &texts[..], &others[..]]
        .concat()
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    all.push("9".repeat(400));
    all.push(format!("\"{}\"", "x".repeat(257)));
    all
}

/// JSON texts at the bounds of a kind and just beyond them.
fn bounds(kind: FieldKind) -> Vec<String> {
    let text = |length: usize| format!("\"{}\"", "x".repeat(length));
    match kind {
        FieldKind::Id | FieldKind::StaffId => vec![text(1), text(256), text(257)],
        FieldKind::EventId => vec![text(1), text(64), text(65)],
        kind => kind.range().map_or_else(Vec::new, |(least, greatest)| {
            let around = |bound: i128| (bound - 1..=bound + 1).map(|value| value.to_string());
            around(least.into())
                .chain(around(greatest.into()))
                .collect()
        }),
    }
}

fn fault(kind: FieldKind) -> impl Strategy<Value = Fault> {
    let values = [odd_texts(), bounds(kind)].concat();
    prop_oneof![
        1 => Just(Fault::Removed),
        1 => Just(Fault::Null),
        1 => Just(Fault::Twice),
        6 => prop::sample::select(values).prop_map(Fault::Replaced),
    ]
}

/// Every field that the type reads: the envelope's, its key, its own, and those of items as `lines[].sku_id`.
fn paths(event_type: &EventType) -> Vec<(String, FieldKind)> {
    let own = event_type.fields.iter().map(|one| one.field);
    let names = envelope::FIELDS
        .iter()
        .map(|field| field.name)
        .chain(own)
        .chain(event_type.key.field());
    let mut found: Vec<(String, FieldKind)> = Vec::new();
    for name in names {
        let kind = find(event_type.topic, name).kind;
        if found.iter().all(|(known, _)| known != name) {
            found.push((name.to_owned(), kind));
        }
        if let FieldKind::List(items) = kind {
            found.extend(
                items
                    .iter()
                    .map(|item| (format!("{name}[].{}", item.name), item.kind)),
            );
        }
    }
    found
}

/// The event's text with the fault in the field, or in that of the first item of a list.
fn damaged(event: &mut Value, path: &str, fault: &Fault, replaced: &mut Vec<(String, String)>) {
    let (object, name) = match path.split_once("[].") {
        Some((list, item)) => match event.get_mut(list).and_then(|list| list.get_mut(0)) {
            Some(object) => (object, item),
            // Another fault has taken the list away.
            None => return,
        },
        None => (&mut *event, path),
    };
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let mark = format!("mark-{}", replaced.len());
    match fault {
        Fault::Removed => drop(object.remove(name)),
        Fault::Null => drop(object.insert(name.to_owned(), Value::Null)),
        Fault::Replaced(text) => {
            object.insert(name.to_owned(), json!(mark));
            replaced.push((format!("\"{mark}\""), text.clone()));
        }
        Fault::Twice => {
            let Some(value) = object.get(name).cloned() else {
                return;
            };
            object.insert(mark.clone(), json!(0));
            replaced.push((
                format!("\"{mark}\":0"),
                format!("\"{name}\":{value},\"{name}\":{value}"),
            ));
            object.remove(name);
        }
    }
}

fn hostile_record() -> impl Strategy<Value = (Topic, &'static str, String)> {
    let one = prop::sample::select(event_types().to_vec());
    let with_faults = one.prop_flat_map(|event_type| {
        let field = prop::sample::select(paths(&event_type));
        let fault = field.prop_flat_map(|(path, kind)| (Just(path), fault(kind)));
        (
            Just(event_type),
            any::<bool>(),
            prop::collection::vec(fault, 1..4),
        )
    });
    with_faults.prop_map(|(event_type, is_full, faults)| {
        let mut event = if is_full {
            full(event_type.name)
        } else {
            least(event_type.name)
        };
        let mut replaced = Vec::new();
        for (path, fault) in &faults {
            damaged(&mut event, path, fault, &mut replaced);
        }
        let mut text = event.to_string();
        for (mark, value) in &replaced {
            text = text.replacen(mark, value, 1);
        }
        (event_type.topic, event_type.name, text)
    })
}

/// K3 said once more, with serde_json's tree instead of slots: the reason, without its path.
mod model {
    use super::*;
    use crate::event::{Field, InstantRule};

    pub(super) fn reason(topic: Topic, text: &str) -> &'static str {
        if has_key_twice(text) {
            return "malformed_json";
        }
        let event: Value = serde_json::from_str(&tamed(text)).unwrap();
        if envelope::REQUIRED.iter().any(|name| event[*name].is_null()) {
            return "missing_field";
        }
        let version = &event["schema_version"];
        if version.is_i64() && version != 1 || version == BEYOND {
            return "unsupported_schema_version";
        }
        let name = event["event_type"].as_str();
        let event_type = event_types()
            .iter()
            .find(|one| Some(one.name) == name && one.topic == topic);
        let Some(event_type) = event_type else {
            return if name.is_some_and(|name| name != BEYOND && name != FRACTION) {
                "unknown_event_type"
            } else {
                "bad_value"
            };
        };
        let is_missing = event_type
            .key
            .field()
            .is_some_and(|key| event[key].is_null())
            || event_type.fields.iter().any(|one| {
                let value = &event[one.field];
                let items = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|item| item.is_object());
                one.required && value.is_null()
                    || one.not_empty && value == &json!([])
                    || items
                        .into_iter()
                        .any(|item| one.items.iter().any(|name| item[*name].is_null()))
            });
        if is_missing {
            return "missing_field";
        }
        let own = event_type
            .fields
            .iter()
            .map(|one| one.field)
            .chain(event_type.key.field());
        let mut names = envelope::FIELDS.iter().map(|field| field.name).chain(own);
        let occurred_at = event["occurred_at"].as_i64();
        if names.all(|name| is_good(find(topic, name), &event[name], occurred_at)) {
            "accepted"
        } else {
            "bad_value"
        }
    }

    /// What stands for numbers that serde_json would round or refuse.
    const BEYOND: &str = "an integer beyond 64 bits";
    const FRACTION: &str = "a number that is no integer";

    fn tamed(text: &str) -> String {
        let mut text = text.replace(&"9".repeat(400), &format!("\"{BEYOND}\""));
        for (number, instead) in [
            ("1e999", FRACTION),
            ("0.5", FRACTION),
            ("1e3", FRACTION),
            ("9223372036854775808", BEYOND),
        ] {
            for (before, after) in [(":", ","), (":", "}")] {
                text = text.replace(
                    &format!("{before}{number}{after}"),
                    &format!("{before}\"{instead}\"{after}"),
                );
            }
        }
        text.replace(":-0,", ":0,").replace(":-0}", ":0}")
    }

    /// Of the records here only those with a fault `Twice` have one, and no other pair of equal keys is next to each other.
    fn has_key_twice(text: &str) -> bool {
        let tree: Value = serde_json::from_str(&tamed(text)).unwrap();
        let keys = |text: &str| text.matches("\":").count();
        keys(&tree.to_string()) < keys(&tamed(text))
    }

    fn is_good(field: &Field, value: &Value, occurred_at: Option<i64>) -> bool {
        if value.is_null() {
            return true;
        }
        let text = value
            .as_str()
            .filter(|text| *text != BEYOND && *text != FRACTION);
        match field.kind {
            FieldKind::List(items) => value.as_array().is_some_and(|list| {
                list.iter().all(|item| {
                    item.is_object()
                        && items
                            .iter()
                            .all(|field| is_good(field, &item[field.name], occurred_at))
                })
            }),
            FieldKind::Ids => value
                .as_array()
                .is_some_and(|list| list.iter().all(|item| item.as_str().is_some_and(is_id))),
            FieldKind::Codes => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string)),
            FieldKind::Id | FieldKind::StaffId => text.is_some_and(is_id),
            FieldKind::EventId => text.is_some_and(|text| (1..=64).contains(&text.len())),
            FieldKind::SchemaVersion => value.is_i64(),
            FieldKind::Bool => value.is_boolean(),
            // Of the texts above only the valid sample is one of these.
            FieldKind::Date | FieldKind::Month | FieldKind::IsoWeek => *value == good(field.kind),
            FieldKind::Instant(rule) => {
                let at = value
                    .as_i64()
                    .filter(|at| (946_684_800_000..253_370_764_800_000).contains(at));
                let reach = 31 * 24 * 3_600_000;
                at.is_some_and(|at| {
                    rule != InstantRule::Observed
                        || occurred_at.is_none_or(|occurred| {
                            at <= occurred + 300_000 && at >= occurred - reach
                        })
                })
            }
            kind => match kind.range() {
                Some((least, greatest)) => value
                    .as_i64()
                    .is_some_and(|value| (least..=greatest).contains(&value)),
                None => text.is_some(),
            },
        }
    }

    fn is_id(id: &str) -> bool {
        !id.is_empty()
            && id.len() <= 256
            && id
                .chars()
                .all(|c| c >= ' ' && !('\u{7f}'..='\u{9f}').contains(&c))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn f19_k03_a_hostile_record_gets_the_first_reason_that_applies((topic, _, text) in hostile_record()) {
        let found = verdict(topic, &text);
        let reason = found.split(' ').next().unwrap_or_default();
        prop_assert_eq!(reason, model::reason(topic, &text), "{}", text);
    }

    #[test]
    fn f19_bytes_in_a_record_may_be_anything((topic, _, text) in hostile_record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(topic, Some(&bytes), &Limits::default());
        let _ = decode(topic, Some(&bytes[..at]), &Limits::default());
    }
}
