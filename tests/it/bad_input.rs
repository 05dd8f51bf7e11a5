//! What topics may hold at worst: nothing takes the process down, nothing vanishes (P4, K3).

use schemas::time::TimestampMs;
use serde_json::{Value, json};
use tests::PATIENCE;
use tests::by_hand::{event, line};
pub(crate) use tests::event_schemas::NOON_MS;
use tests::events::Topics;
use tests::kafka::{Broker, Message};
use tests::project::Project;

use crate::proof::number;
use crate::reader::{Reader, settings, starts};

/// An order of customer C1 that nothing is wrong with.
pub(crate) fn order(event_id: &str, at: i64) -> Value {
    let order = json!({
        "customer_id": "C1", "order_id": event_id, "order_kind": "REGULAR",
        "lines": [{"line_no": 1, "sku_id": "SKU001", "requested_qty": 2, "wholesale_price_fen": 100}],
    });
    event("order.placed", event_id, TimestampMs::from_ms(at), order)
}

fn with(event_id: &str, field: &str, value: Value) -> Vec<u8> {
    let mut event = order(event_id, NOON_MS);
    event[field] = value;
    line(&event)
}

fn without(event_id: &str, field: &str) -> Vec<u8> {
    let mut event = order(event_id, NOON_MS);
    event.as_object_mut().unwrap().remove(field);
    line(&event)
}

fn text(event_id: &str) -> String {
    order(event_id, NOON_MS).to_string()
}

/// Value of a record and the reason it is dead for.
fn rejected() -> Vec<(Vec<u8>, &'static str)> {
    let deep = |open: &str, close: &str| [open.repeat(100_000), close.repeat(100_000)].concat();
    let line = |qty: Value| json!([{"line_no": 1, "sku_id": "SKU001", "requested_qty": qty}]);
    let hour = 3_600_000;
    vec![
        (Vec::new(), "malformed_json"),
        (b"   ".to_vec(), "malformed_json"),
        (b"{".to_vec(), "malformed_json"),
        (b"[]".to_vec(), "malformed_json"),
        (b"42".to_vec(), "malformed_json"),
        (
            [text("trailing").as_bytes(), b"}"].concat(),
            "malformed_json",
        ),
        (deep("[", "]").into_bytes(), "malformed_json"),
        (
            format!("{{\"deep\":{}}}", deep("[", "]")).into_bytes(),
            "malformed_json",
        ),
        (
            format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into_bytes(),
            "malformed_json",
        ),
        (
            format!("{{\"padding\":\"{}\"}}", "x".repeat(10_000_000)).into_bytes(),
            "too_large",
        ),
        (vec![b'x'; 1_048_577], "too_large"),
        (b"\xff\xfe\x00".to_vec(), "invalid_utf8"),
        (
            text("latin")
                .replace("SKU001", "caf?")
                .into_bytes()
                .iter()
                .map(|&b| if b == b'?' { 0xe9 } else { b })
                .collect(),
            "invalid_utf8",
        ),
        (
            text("nan")
                .replace("\"requested_qty\":2", "\"requested_qty\":NaN")
                .into_bytes(),
            "malformed_json",
        ),
        (
            text("infinity")
                .replace("\"requested_qty\":2", "\"requested_qty\":-Infinity")
                .into_bytes(),
            "malformed_json",
        ),
        (
            text("twice")
                .replacen('{', "{\"event_id\":\"twice\",", 1)
                .into_bytes(),
            "malformed_json",
        ),
        (
            text("line-twice")
                .replace("\"line_no\":1", "\"line_no\":1,\"line_no\":1")
                .into_bytes(),
            "malformed_json",
        ),
        (without("no-type", "event_type"), "missing_field"),
        (without("no-time", "occurred_at"), "missing_field"),
        (without("no-lines", "lines"), "missing_field"),
        (with("empty-lines", "lines", json!([])), "missing_field"),
        (
            with("version", "schema_version", json!(2)),
            "unsupported_schema_version",
        ),
        (
            with("type", "event_type", json!("order.teleported")),
            "unknown_event_type",
        ),
        (
            with("other-topic", "event_type", json!("case.opened")),
            "unknown_event_type",
        ),
        (with("huge", "lines", line(json!(1e300))), "bad_value"),
        (with("fraction", "lines", line(json!(1.5))), "bad_value"),
        (with("negative", "lines", line(json!(-1))), "bad_value"),
        (with("text-qty", "lines", line(json!("2"))), "bad_value"),
        (
            with(
                "beyond-i64",
                "lines",
                line(json!(9_223_372_036_854_775_808_u64)),
            ),
            "bad_value",
        ),
        (with("lines-object", "lines", json!({})), "bad_value"),
        (
            with("time-text", "occurred_at", json!("2026-01-05T12:00:00Z")),
            "bad_value",
        ),
        (
            with("year-1999", "occurred_at", json!(915_148_800_000_i64)),
            "bad_value",
        ),
        (
            with("year-10000", "occurred_at", json!(253_402_300_800_000_i64)),
            "bad_value",
        ),
        (
            with("id-too-long", "event_id", json!("i".repeat(65))),
            "bad_value",
        ),
        (
            with("future", "occurred_at", json!(NOON_MS + hour)),
            "future_dated",
        ),
    ]
}

/// Value, key and reason of a record that is to be rejected.
type Rejected<'a> = (Option<Vec<u8>>, Option<Vec<u8>>, &'a str);

#[test]
fn nothing_takes_the_process_down_or_vanishes() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[("max.message.bytes", "20000000")]).unwrap();
    let good = |id: &str| Message::new(0, text(id)).key("C1");
    let mut messages = vec![good("first")];
    let mut expected: Vec<Rejected<'_>> = Vec::new();
    for (value, reason) in rejected() {
        messages.push(
            Message::new(0, value.clone())
                .key("C1")
                .header("trace", Some(b"t1")),
        );
        // Of what is too large the beginning is kept, and its size.
        let kept = if reason == "too_large" {
            value[..4_096].to_vec()
        } else {
            value
        };
        expected.push((Some(kept), Some(b"C1".to_vec()), reason));
    }
    messages.push(Message::tombstone(0).key("C1"));
    expected.push((None, Some(b"C1".to_vec()), "tombstone"));
    messages.push(Message::new(0, text("no-key")));
    expected.push((Some(text("no-key").into_bytes()), None, "key_mismatch"));
    messages.push(Message::new(0, text("other-key")).key("C2"));
    expected.push((
        Some(text("other-key").into_bytes()),
        Some(b"C2".to_vec()),
        "key_mismatch",
    ));
    let dead = expected.len() as i64;
    // no errors: an enum value nobody knows, and a field nobody knows
    let odd = with("odd", "order_kind", json!("BY_PIGEON"));
    messages.extend([Message::new(0, odd).key("C1"), good("first"), good("last")]);
    let all = messages.len() as i64;
    broker.produce(topics.orders(), messages).unwrap();

    let reference = tempfile::tempdir().unwrap();
    // more than half is dead here, which a service would stop at
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    let running = project.start(&["run"]).unwrap();
    project
        .until("everything is published", |project| {
            Ok(project.number(&format!(
                "SELECT sum(read_n) FROM ops.conservation WHERE topic = '{}'",
                topics.orders()
            ))? == all)
        })
        .unwrap();
    // it lives, and takes what comes next
    broker
        .produce(topics.orders(), [good("afterwards")])
        .unwrap();
    project
        .until("the next event is published", |project| {
            Ok(project.number("SELECT count(*) FROM events.orders")? == 4)
        })
        .unwrap();
    running.terminate(PATIENCE).unwrap();

    let rows = project
        .query(r#"SELECT reason, value, "key", "offset", path FROM ops.dead_letters ORDER BY "offset""#)
        .unwrap();
    assert_eq!(rows.len() as i64, dead);
    let sizes = "SELECT sum(value_bytes) FROM ops.dead_letters WHERE reason = 'too_large'";
    assert_eq!(project.number(sizes).unwrap(), 10_000_014 + 1_048_577);
    for (row, (value, key, reason)) in rows.iter().zip(&expected) {
        let offset = number(&row["offset"]);
        assert_eq!(
            row["reason"], *reason,
            "offset={offset} path={}",
            row["path"]
        );
        assert!(
            bytes(&row["value"]) == *value,
            "offset={offset} reason={reason} is not kept as it came"
        );
        assert_eq!(bytes(&row["key"]), *key, "offset={offset}");
    }
    // and sent back to those who wrote them, cut where a broker would not take the whole
    let topic = format!("{}.dlq", topics.orders());
    let mut reader = Reader::open(&settings(broker), &starts(&topic, &[0]));
    reader.read_to_ends();
    assert_eq!(reader.records[&0].len() as i64, dead);
    for (record, (value, _, reason)) in reader.records[&0].iter().zip(&expected) {
        let header = |name: &str| {
            let found = record.headers.iter().find(|(found, _)| found == name);
            found.and_then(|(_, value)| Some(String::from_utf8_lossy(value.as_ref()?).into_owned()))
        };
        assert_eq!(header("vitrine-reason").as_deref(), Some(*reason));
        assert_eq!(header("vitrine-topic").as_deref(), Some(topics.orders()));
        assert_eq!(
            header("vitrine-value-bytes").is_some(),
            *reason == "too_large"
        );
        if header("vitrine-cut").is_none() {
            assert!(record.payload.as_deref() == value.as_deref(), "{reason}");
        }
    }

    let books = &project
        .query("SELECT sum(accepted_n) AS accepted, sum(duplicate_n) AS duplicate FROM ops.conservation")
        .unwrap()[0];
    assert_eq!(
        (number(&books["accepted"]), number(&books["duplicate"])),
        (4, 1)
    );
    let kinds = project
        .query("SELECT DISTINCT order_kind FROM events.orders ORDER BY 1")
        .unwrap();
    let kinds: Vec<&str> = kinds
        .iter()
        .filter_map(|row| row["order_kind"].as_str())
        .collect();
    assert_eq!(kinds, ["REGULAR", "UNKNOWN"]);
}

/// A producer may write any number as the time of a record: beyond what 64 bits of microseconds hold, and beyond every calendar.
#[test]
fn k05_a_timestamp_that_no_clock_shows_takes_nothing_down() {
    let broker = Broker::shared().unwrap();
    let any = i64::MAX.to_string();
    let config = [
        ("message.timestamp.type", "CreateTime"),
        ("message.timestamp.after.max.ms", any.as_str()),
        ("message.timestamp.before.max.ms", any.as_str()),
    ];
    let topics = Topics::create(broker, 1, &config).unwrap();
    let timestamps = [i64::MAX, i64::MAX / 1_000, 1].map(TimestampMs::from_ms);
    for (number, at) in timestamps.into_iter().enumerate() {
        let order = text(&format!("order-{number}"));
        let messages = [
            Message::new(0, "nonsense").key("C1").at(at),
            Message::new(0, order).key("C1").at(at),
        ];
        broker.produce(topics.orders(), messages).unwrap();
    }
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    project.run(&["run", "--until-caught-up"]).unwrap();
    // once more from its own logs
    project.run(&["run", "--until-caught-up"]).unwrap();

    let dead = project
        .query(r#"SELECT "offset", reason, broker_at FROM ops.dead_letters ORDER BY "offset""#)
        .unwrap();
    let reasons: Vec<(i64, &str)> = dead
        .iter()
        .map(|row| (number(&row["offset"]), row["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        reasons,
        [
            (0, "malformed_json"),
            (2, "malformed_json"),
            (4, "malformed_json"),
            // sent more than a day before it happened
            (5, "future_dated"),
        ]
    );
    let accepted = project
        .query(r#"SELECT "offset", event_id FROM events.orders ORDER BY "offset""#)
        .unwrap();
    let ids: Vec<&str> = accepted
        .iter()
        .map(|row| row["event_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["order-0", "order-1"]);
    // every column of such a record can be shown
    assert_eq!(
        project.query("SELECT * FROM events.orders").unwrap().len(),
        2
    );
}

/// `[limits] dead_letter_stop_ratio`: a topic of nonsense stops the service, loudly.
#[test]
fn a_topic_of_nonsense_stops_it() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    broker
        .produce(
            topics.orders(),
            (0..20_000).map(|_| Message::new(0, "nonsense")),
        )
        .unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    let ended = project.finish(&["run"]).unwrap();
    assert_eq!(ended.code(), Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("dead_letter_stop_ratio"),
        "{}",
        ended.stderr
    );
}

/// Binary columns come as hexadecimal digits in JSON.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let digits = value.as_str()?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    Some(
        digits
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect(),
    )
}
