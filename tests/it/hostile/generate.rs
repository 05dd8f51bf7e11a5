//! Hostile records: events drawn from the published JSON Schemas, with faults.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use schemas::partition::partition_of;
use serde_json::{Value, json};
use tests::event_schemas::{EventSchema, NOON_MS};
use tests::events::Line;

/// Files of each topic.
pub(super) const PARTITIONS: u32 = 2;

/// What a person might type into any field.
pub(super) const CANARY: &str = "王小明 13800138000";

/// JSON texts to put in the place of a value.
fn odd_texts(schema: &Value) -> Vec<String> {
    let mut texts: Vec<String> = [
        "null",
        "true",
        "0",
        "-0",
        "-1",
        "0.5",
        "1.0",
        "1e2",
        "1e999",
        "9223372036854775808",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        "[1]",
        "[\"\"]",
        "\"\"",
        "\" \"",
        "\"UNKNOWN\"",
        "\"\\u001b[2J\"",
        "\"\\u0000\"",
        "\"\\u202etxet\"",
        "\"a|b%\"",
        "\"0000-01-01\"",
        "\"9998-12-31\"",
        "\"9999-01-01\"",
        "\"0000-01\"",
        "\"0000-W01\"",
        "\"2026-13\"",
        "\"2026-W54\"",
        // 1970, 1999, the end of 9998 and the begin of 9999, 10000.
        "1",
        "946684799999",
        "253370764799999",
        "253370764800000",
        "253402300800000",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("9".repeat(400));
    texts.push(format!("\"{CANARY}\""));
    texts.extend([64, 65, 256, 257].map(|length| format!("\"{}\"", "x".repeat(length))));
    texts.push(format!("\"{}\"", "é".repeat(129)));
    for bound in ["minimum", "maximum"] {
        let around = schema[bound].as_i64().map(|bound| bound - 1..=bound + 1);
        texts.extend(around.into_iter().flatten().map(|value| value.to_string()));
    }
    texts
}

/// What is done to a record as a whole.
fn damage(text: String, random: &mut ChaCha8Rng) -> Line {
    let inside = |fragment: String| {
        text.replacen('{', &format!("{{{fragment},"), 1)
            .into_bytes()
    };
    let nested = |levels: usize| format!("\"unread\":{}{}", "[".repeat(levels), "]".repeat(levels));
    match random.random_range(0..16) {
        0 => text.as_bytes()[..random.random_range(0..text.len())].to_vec(),
        1 => {
            let mut bytes = text.into_bytes();
            let at = random.random_range(0..bytes.len());
            bytes[at] = *[0xff, 0xc0, 0x80, b'"', b'{', b'\\', 0]
                .choose(random)
                .unwrap();
            bytes
        }
        2 => Vec::new(),
        3 => b"null".to_vec(),
        4 => format!("[{text}]").into_bytes(),
        5 => format!("{text}}}").into_bytes(),
        6 => format!("\u{feff}{text}").into_bytes(),
        7 => inside(nested(127)),
        8 => inside(nested(128)),
        9 => inside(nested(100_000)),
        10 => inside(format!("\"unread\":{}", "9".repeat(400))),
        11 => inside("\"unread\":[1e999,{\"a\":-0,\"b\":1E-400}]".to_owned()),
        12 => inside("\"unread\":{\"a\":1,\"\\u0061\":2}".to_owned()),
        13 => inside("\"unread\":NaN".to_owned()),
        14 => inside("\"unread\":\"\\ud800\"".to_owned()),
        _ => inside(format!("\"padding\":\"{}\"", "x".repeat(1_048_576))),
    }
}

/// One record with up to three faults: its partition and its line.
pub(super) fn record(one: &EventSchema, number: usize, random: &mut ChaCha8Rng) -> (u32, Line) {
    let others = *[0.0, 0.3, 1.0].choose(random).unwrap();
    let mut event = one.event(others, number, random).unwrap();
    event["event_id"] = json!(format!("e-{number}"));
    event["occurred_at"] = json!(NOON_MS);
    event["recorded_at"] = json!(NOON_MS + 1_000);
    // Corrections are not what this is about.
    event.as_object_mut().unwrap().remove("corrects");
    let key_field = match one.name.as_str() {
        "day.closed" => "unit_id",
        "visit.plan_submitted" | "visit.day_signed_in" | "visit.appraisal_recorded" => "staff_id",
        _ => "customer_id",
    };
    let key = event[key_field].as_str().unwrap_or_default().to_owned();
    let partition = partition_of(key.as_bytes(), PARTITIONS);
    let mut replaced: Vec<(String, String)> = Vec::new();
    for fault in 0..random.random_range(0..=3) {
        damage_field(&mut event, &one.schema, fault, &mut replaced, random);
    }
    let mut text = event.to_string();
    for (mark, instead) in &replaced {
        text = text.replacen(mark, instead, 1);
    }
    let line = if random.random_bool(0.1) {
        damage(text, random)
    } else {
        text.into_bytes()
    };
    (partition, line)
}

/// Does something to one field, or to that of an item of a list. Marks are replaced in the text, which can say what a tree cannot.
fn damage_field(
    event: &mut Value,
    schema: &Value,
    fault: usize,
    replaced: &mut Vec<(String, String)>,
    random: &mut ChaCha8Rng,
) {
    let properties = schema["properties"].as_object().unwrap();
    let names: Vec<&String> = properties.keys().collect();
    let name = names.choose(random).unwrap().as_str();
    let property = &properties[name];
    let items = &property["items"];
    let is_item = items["properties"].is_object() && random.random_bool(0.8);
    let (object, name, property) = if is_item {
        let Some(item) = event.get_mut(name).and_then(|list| list.get_mut(0)) else {
            return;
        };
        let names: Vec<&String> = items["properties"].as_object().unwrap().keys().collect();
        let inner = names.choose(random).unwrap().as_str();
        (item, inner, &items["properties"][inner])
    } else {
        (event, name, property)
    };
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let mark = format!("mark-{fault}");
    match random.random_range(0..10) {
        0 => drop(object.remove(name)),
        1 => {
            if let Some(value) = object.remove(name) {
                object.insert(mark.clone(), json!(0));
                let twice = format!("\"{name}\":{value},\"{name}\":{value}");
                replaced.push((format!("\"{mark}\":0"), twice));
            }
        }
        2 if name == "schema_version" => {
            object.insert(name.to_owned(), json!(2));
        }
        2 if name == "event_type" => {
            object.insert(name.to_owned(), json!("order.teleported"));
        }
        2 if name == "event_id" => {
            object.insert(name.to_owned(), json!("e-0"));
        }
        // An hour, 73 years, 9 days ahead of or behind what is recorded.
        2 | 3 if name == "occurred_at" => {
            let far = *[3_600_000, 2_303_683_200_000, -777_600_000]
                .choose(random)
                .unwrap();
            object.insert(name.to_owned(), json!(NOON_MS + far));
        }
        _ => {
            let texts = odd_texts(property);
            let text = texts.choose(random).unwrap().clone();
            // Two instants in the far future would be an event of the far future, and no fault.
            if name == "recorded_at" && text.len() > 13 {
                return;
            }
            object.insert(name.to_owned(), json!(mark));
            replaced.push((format!("\"{mark}\""), text));
        }
    }
}
