//! Records that hold what people might have typed.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use schemas::partition::partition_of;
use schemas::time::DurationMs;
use serde_json::{Map, Value, json};
use tests::event_schemas::{EventSchema, event_schemas};
use tests::events::{TOPICS, message};
use tests::kafka::Message;

use crate::bad_input::{NOON_MS, order};
use crate::cases::complaint;

pub(super) const NAME: &str = "王小明";
pub(super) const PHONE: &str = "138-0013-8000";
pub(super) const MAIL: &str = "wang.xm@canary.example";

pub(super) const PARTITIONS: u32 = 2;
/// Of the test's configuration; a longer record is a dead letter.
pub(super) const MAX_RECORD_BYTES: usize = 16_384;

pub(super) fn canary() -> String {
    format!("{NAME} {PHONE} {MAIL}")
}

/// A field, or a list and a field of its items.
type Place<'s> = (&'s str, Option<&'s str>);

/// Fields that take a text which is no id, date, week or month: choices, codes, free texts, and lists of them.
fn text_places(schema: &Value) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for (name, property) in fields(schema) {
        if takes_text(name, property) {
            places.push((name.as_str(), None));
        }
        for (inner, property) in fields(&property["items"]) {
            if takes_text(inner, property) {
                places.push((name.as_str(), Some(inner.as_str())));
            }
        }
    }
    places
}

fn fields(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn takes_text(name: &str, property: &Value) -> bool {
    // `corrects` is the id of an event, `base_ref` that of a plan.
    let is_id = name.ends_with("_id") || name.ends_with("_ids");
    if is_id || ["corrects", "base_ref"].contains(&name) || !property["const"].is_null() {
        return false;
    }
    if property["anyOf"].is_array() {
        return true;
    }
    match kind(property) {
        "string" => property["pattern"].is_null() && property["format"].is_null(),
        "array" => kind(&property["items"]) == "string",
        _ => false,
    }
}

fn kind(property: &Value) -> &str {
    let kind = match &property["type"] {
        Value::Array(kinds) => &kinds[0],
        kind => kind,
    };
    kind.as_str().unwrap_or_default()
}

/// Valid events of a topic, each with the canary in one field, in a field that nobody knows, and in its headers.
pub(super) fn typed(topic: &str) -> Vec<Message> {
    let mut random = ChaCha8Rng::seed_from_u64(31);
    let mut messages = Vec::new();
    let schemas = event_schemas().unwrap();
    for one in schemas.iter().filter(|one| one.topic == topic) {
        let places = text_places(&one.schema);
        assert!(!places.is_empty(), "{} has no text at all", one.name);
        for place in places {
            let number = messages.len();
            let mut event = valid(one, number, &mut random);
            put(&mut event, &one.schema, place);
            event["owner_phone"] = json!(canary());
            event["more"] = json!({ NAME: [canary(), { PHONE: MAIL }] });
            messages.push(placed(&event));
        }
    }
    messages
}

/// A whole event that nothing is wrong with; each is a moment later than the one before.
fn valid(one: &EventSchema, number: usize, random: &mut ChaCha8Rng) -> Value {
    let mut event = one.event(1.0, number, random).unwrap();
    let at = NOON_MS + i64::try_from(number).unwrap() * 100;
    event["event_id"] = json!(format!("e-{number}"));
    event["occurred_at"] = json!(at);
    event["recorded_at"] = json!(at + 1);
    // What is corrected would be gone.
    event.as_object_mut().unwrap().remove("corrects");
    event
}

fn put(event: &mut Value, schema: &Value, (name, inner): Place<'_>) {
    let (object, name, property) = match inner {
        None => (event, name, &schema["properties"][name]),
        Some(inner) => (
            &mut event[name][0],
            inner,
            &schema["properties"][name]["items"]["properties"][inner],
        ),
    };
    object[name] = match kind(property) {
        "array" => json!([canary(), PHONE]),
        _ => json!(canary()),
    };
}

/// A record in the partition of its key, with canaries in its headers.
fn placed(event: &Value) -> Message {
    with_headers(message(0, event.to_string().as_bytes()))
}

fn with_headers(message: Message) -> Message {
    let partition = match &message.key {
        Some(key) => partition_of(key, PARTITIONS),
        None => 0,
    };
    let message = Message {
        partition: i32::try_from(partition).unwrap(),
        ..message
    };
    let text = canary();
    message
        .header(format!("x-{NAME}-{PHONE}"), Some(text.as_bytes()))
        .header("x-owner", Some(text.as_bytes()))
}

/// Orders that are read and not counted: one too late, one for the second time. They come after [`typed`].
pub(super) fn passed_over() -> Vec<Message> {
    let with_canary = |event_id: &str, at: i64| {
        let mut event = order(event_id, at);
        event["channel"] = json!(canary());
        event["owner_phone"] = json!(canary());
        placed(&event)
    };
    let month = DurationMs::from_days(30).as_ms();
    vec![
        with_canary("first", NOON_MS + 60_000),
        with_canary("first", NOON_MS + 60_000),
        with_canary("late", NOON_MS - month),
    ]
}

/// Why records are rejected.
pub(super) const REASONS: [&str; 11] = [
    "bad_value",
    "future_dated",
    "invalid_utf8",
    "key_mismatch",
    "malformed_json",
    "misplaced_key",
    "missing_field",
    "too_large",
    "tombstone",
    "unknown_event_type",
    "unsupported_schema_version",
];

/// Orders that become dead letters, with the canary wherever an error may take it from.
pub(super) fn rejected() -> Vec<Message> {
    let text = canary();
    let with = |field: &str, value: Value| {
        let mut event = order(&format!("dead-{field}"), NOON_MS);
        event["owner_phone"] = json!(text);
        event[field] = value;
        event
    };
    let line = |field: &str| {
        let mut line = json!({"line_no": 1, "sku_id": "SKU001", "requested_qty": 2});
        line[field] = json!(text);
        json!([line])
    };
    let mut without = with("channel", json!(text));
    without.as_object_mut().unwrap().remove("order_id");
    let padding = format!("{text} ").repeat(MAX_RECORD_BYTES / text.len() + 1);
    let hour = DurationMs::HOUR.as_ms();
    let events = [
        without,
        with("lines", json!([])),
        with("lines", json!(text)),
        with("lines", json!([text])),
        with("lines", line("line_no")),
        with("lines", line("requested_qty")),
        with("lines", line("wholesale_price_fen")),
        with("order_cycle_date", json!(text)),
        with("order_id", json!(format!("{text}\u{7}"))),
        with("order_id", json!({ NAME: PHONE })),
        with("occurred_at", json!(text)),
        with("recorded_at", json!([text])),
        with("schema_version", json!(text)),
        with("schema_version", json!(2)),
        with("event_type", json!(text)),
        with("event_type", json!("case.opened")),
        with("occurred_at", json!(NOON_MS + hour)),
        with("padding", json!(padding)),
    ];
    let mut messages: Vec<Message> = events
        .iter()
        .map(|event| with_headers(Message::new(0, event.to_string()).key("C1")))
        .collect();
    for value in [
        text.as_bytes().to_vec(),
        format!("\"{text}\"").into_bytes(),
        format!("{{\"{text}\":\"{text}").into_bytes(),
        format!("{{\"{text}\":1,\"{text}\":2}}").into_bytes(),
        format!("{{\"a\":{text}}}").into_bytes(),
        [text.as_bytes(), b"\xff\xfe"].concat(),
    ] {
        messages.push(with_headers(Message::new(0, value).key("C1")));
    }
    messages.push(with_headers(Message::tombstone(0).key(text.as_str())));
    let other = with("channel", json!(text)).to_string();
    messages.push(with_headers(
        Message::new(0, other.clone()).key(text.as_str()),
    ));
    messages.push(with_headers(Message::new(0, other.clone())));
    let mut misplaced = with_headers(Message::new(0, other).key("C1"));
    misplaced.partition = 1 - misplaced.partition;
    messages.push(misplaced);
    messages
}

/// A complaint whose department is never told: alert A15.
pub(super) fn unanswered() -> Vec<Message> {
    let evening = crate::cases::EVENING;
    let extra = || {
        let mut extra = Map::new();
        extra.insert("owner_phone".to_owned(), json!(canary()));
        extra
    };
    let mut opened = extra();
    for (name, value) in [
        ("case_kind", json!("COMPLAINT")),
        ("channel", json!("PHONE")),
        ("category", json!("PRICE")),
        ("answered", json!(true)),
        ("received_at", json!(evening)),
        ("source", json!(canary())),
    ] {
        opened.insert(name.to_owned(), value);
    }
    let mut ended = extra();
    ended.insert(
        "call_ended_at".to_owned(),
        json!(evening + DurationMs::MINUTE),
    );
    let opened = complaint("case.opened", "opened", DurationMs::ZERO, opened.into());
    let ended = complaint("case.call_ended", "ended", DurationMs::MINUTE, ended.into());
    [opened, ended]
        .iter()
        .map(|line| with_headers(message(0, line)))
        .collect()
}

/// Malformed records of the other topics.
pub(super) fn malformed() -> Vec<Message> {
    let text = canary();
    vec![with_headers(
        Message::new(0, format!("{{\"note\":\"{text}")).key("C1"),
    )]
}

/// How many of these records there are in all topics, by the list of their fields.
#[test]
fn every_text_of_every_event_type_has_its_canary() {
    let places: usize = event_schemas()
        .unwrap()
        .iter()
        .map(|one| text_places(&one.schema).len())
        .sum();
    let messages: Vec<Message> = TOPICS.into_iter().flat_map(typed).collect();
    assert_eq!(messages.len(), places);
    assert!(places > 200, "{places}");
    for message in messages {
        let text = String::from_utf8(message.payload.unwrap()).unwrap();
        // The unknown fields hold it twice.
        assert!(text.matches(&canary()).count() > 2, "{text}");
    }
}
