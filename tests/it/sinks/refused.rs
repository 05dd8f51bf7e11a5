//! What a topic does not take is cut or given up, with a word, and the next leaves (F19, F29).

use pipeline::source::Record;
use schemas::time::DurationMs;
use serde_json::{Value, json};
use tests::events::{Topics, message};
use tests::kafka::{Broker, Message};
use tests::project::Project;

use crate::bad_input::{NOON_MS, order};
use crate::cases::{EVENING, complaint};
use crate::proof::number;
use crate::reader::{Reader, settings, starts};

fn read(broker: &Broker, topic: &str) -> Vec<Record> {
    let mut reader = Reader::open(&settings(broker), &starts(topic, &[0]));
    reader.read_to_ends();
    reader.records.remove(&0).unwrap_or_default()
}

fn header<'r>(record: &'r Record, name: &[u8]) -> Option<&'r [u8]> {
    let found = record.headers.iter().find(|(found, _)| found == name);
    found?.1.as_deref()
}

/// Rows of `ops.deliveries` that say what was given up, by destination.
fn given_up(project: &Project) -> Vec<(String, i64)> {
    let status = project.status().unwrap();
    let rows = status["given_up"].as_array().unwrap().iter();
    rows.map(|row| {
        let destination = row["destination"].as_str().unwrap();
        (destination.to_owned(), number(&row["records"]))
    })
    .collect()
}

/// Headers are any bytes: names that are not UTF-8, names that look like ours, a megabyte, null.
#[test]
fn f19_headers_of_any_bytes_and_any_size_take_nothing_down() {
    const NAME: &[u8] = b"\xff\x66\x6f\x6f";
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[("max.message.bytes", "20000000")]).unwrap();
    let megabyte = vec![b'h'; 1 << 20];
    let good = order("good", NOON_MS).to_string();
    let messages = [
        Message::new(0, good.clone())
            .key("C1")
            .header(NAME, Some(b"v"))
            .header("large", Some(&megabyte)),
        Message::new(0, "nonsense")
            .key("C1")
            .header(NAME, Some(b"\xfe"))
            .header("null", None)
            .header("vitrine-reason", Some(b"mine"))
            .header("large", Some(&megabyte)),
        Message::new(0, "more")
            .key("C1")
            .header(megabyte.clone(), None),
    ];
    broker.produce(topics.orders(), messages).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    for _ in 0..2 {
        project.run(&["run", "--until-caught-up"]).unwrap();
    }
    assert_eq!(
        project
            .number("SELECT count(*) FROM events.orders")
            .unwrap(),
        1
    );
    // the whole stands in the table
    let query = r#"SELECT headers[1]['name_bytes'] AS odd, headers[1]['name'] AS name, headers[1]['value'] AS value,
                   headers[4]['value'] AS large FROM ops.dead_letters ORDER BY "offset""#;
    let rows = project.query(query).unwrap();
    assert_eq!(
        (&rows[0]["odd"], &rows[0]["value"]),
        (&json!("ff666f6f"), &json!("fe"))
    );
    assert_eq!(rows[0]["large"].as_str().map(str::len), Some(2 << 20));
    assert_eq!(rows[1]["odd"], Value::Null);
    assert_eq!(rows[1]["name"].as_str().map(str::len), Some(1 << 20));
    // and what fits is sent, as it came
    let letters = read(broker, &format!("{}.dlq", topics.orders()));
    let [first, second] = &letters[..] else {
        panic!("records={}", letters.len());
    };
    assert_eq!(header(first, NAME), Some(&b"\xfe"[..]));
    assert!(first.headers.contains(&("null".into(), None)));
    assert_eq!(
        header(first, b"original-vitrine-reason"),
        Some(&b"mine"[..])
    );
    assert_eq!(
        header(first, b"vitrine-reason"),
        Some(&b"malformed_json"[..])
    );
    for (record, value, bytes) in [
        (first, "nonsense", 5 + (1 << 20)),
        (second, "more", 1 << 20),
    ] {
        assert_eq!(record.payload.as_deref(), Some(value.as_bytes()));
        let cut: Value = serde_json::from_slice(header(record, b"vitrine-cut").unwrap()).unwrap();
        let expected = json!({"headers": 1, "headers_bytes": bytes, "whole": "ops.dead_letters"});
        assert_eq!(cut, expected);
    }
    assert_eq!(given_up(&project), []);
}

/// Topics that take next to nothing: dead letters are cut, what cannot be cut is given up, and everything else goes on.
#[test]
fn f29_what_is_larger_than_its_topic_takes_is_cut_or_given_up_and_listed() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let dlq = format!("{}.dlq", topics.orders());
    broker
        .create_topic(&dlq, 1, &[("max.message.bytes", "1500")])
        .unwrap();
    broker
        .create_topic(&topics.demand(), 1, &[("max.message.bytes", "150")])
        .unwrap();
    let large = "x".repeat(100_000);
    let orders = (0..3_i64).map(|n| {
        let line = order(&format!("O{n}"), NOON_MS + n * 86_400_000).to_string();
        message(0, line.as_bytes())
    });
    broker.produce(topics.orders(), orders).unwrap();
    let nonsense = ["small", &large, "small too"].map(|text| Message::new(0, text));
    broker.produce(topics.orders(), nonsense).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path())
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    let letters = read(broker, &dlq);
    let sent: Vec<&[u8]> = letters
        .iter()
        .map(|record| record.payload.as_deref().unwrap())
        .collect();
    assert_eq!(
        (sent.len(), sent[0], sent[2]),
        (3, &b"small"[..], &b"small too"[..])
    );
    assert!(large.as_bytes().starts_with(sent[1]) && sent[1].len() > 500);
    let cut: Value = serde_json::from_slice(header(&letters[1], b"vitrine-cut").unwrap()).unwrap();
    assert_eq!(
        cut,
        json!({"value_bytes": 100_000, "whole": "ops.dead_letters"})
    );
    let whole = r#"SELECT value FROM ops.dead_letters ORDER BY "offset""#;
    let whole = project.query(whole).unwrap();
    assert_eq!(whole[1]["value"].as_str().map(str::len), Some(200_000));
    // a row of the feed may not be cut
    assert!(read(broker, &topics.demand()).is_empty());
    let rows = project
        .number("SELECT count(*) FROM feeds_revisions.demand_daily")
        .unwrap();
    assert!(rows > 0);
    let topic = format!("topic {}", topics.demand());
    assert_eq!(given_up(&project), [(topic.clone(), rows)]);
    let said = ended.stderr.matches("refused for good").count();
    assert_eq!(said as i64, rows, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("max.message.bytes"),
        "{}",
        ended.stderr
    );
    // a later start has nothing left to send, and counts nothing twice
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(given_up(&project), [(topic, rows)]);
}

/// The alert of the first case is larger than its topic takes; that of the second is not.
#[test]
fn f29_an_alert_that_is_larger_than_its_topic_takes_makes_way_for_the_next() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    broker
        .create_topic(&topics.alerts(), 1, &[("max.message.bytes", "1200")])
        .unwrap();
    let long = "K".repeat(250);
    let case = |id: &str, after: DurationMs| {
        let more = |what: Value| {
            let mut more = what;
            more["case_id"] = json!(id);
            more
        };
        let opened = more(
            json!({"case_kind": "COMPLAINT", "channel": "PHONE", "category": "PRICE", "answered": true,
                                 "received_at": EVENING + after}),
        );
        let ended_at = after + DurationMs::MINUTE;
        let ended = more(json!({"call_ended_at": EVENING + ended_at}));
        [
            complaint(
                "case.opened",
                &format!("opened-{}", id.len()),
                after,
                opened,
            ),
            complaint(
                "case.call_ended",
                &format!("ended-{}", id.len()),
                ended_at,
                ended,
            ),
        ]
    };
    let events = [
        case(&long, DurationMs::ZERO),
        case("K2", DurationMs::from_minutes(2)),
    ];
    let events = events.concat();
    let messages = events.iter().map(|line| message(0, line));
    broker.produce(topics.complaints(), messages).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    let ended = project
        .run(&["run", "--drain-to", "2026-01-05T14:30:00Z"])
        .unwrap();
    let alerts = "SELECT count(*) FROM ops.alerts WHERE rule_id = 'A15' AND state = 'firing'";
    assert_eq!(project.number(alerts).unwrap(), 2);
    let sent = read(broker, &topics.alerts());
    let subjects: Vec<String> = sent
        .iter()
        .map(|record| {
            let body: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
            body["subject"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        subjects.len() == 1 && subjects[0].contains("K2"),
        "{subjects:?}"
    );
    let topic = format!("topic {}", topics.alerts());
    assert_eq!(given_up(&project), [(topic, 1)]);
    assert!(
        ended.stderr.contains("max.message.bytes"),
        "{}",
        ended.stderr
    );
}
