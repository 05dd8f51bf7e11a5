//! Records reach readers of committed records once, whoever sent them before (F10, F15), and a restated day is said again.

use std::collections::BTreeMap;

use pipeline::sink::{KafkaRecordSink, RecordSink, SinkRecord};
use schemas::time::DurationMs;
use serde_json::{Value, json};
use tests::events::{Topics, message};
use tests::kafka::{Broker, Message};
use tests::project::Project;

use super::control::controlled;
use super::demand::{header, number_in};
use crate::bad_input::{NOON_MS, order};
use crate::reader::{Reader, settings, starts};

async fn sink(broker: &Broker, topic: &str) -> KafkaRecordSink {
    let address = ("bootstrap.servers".to_owned(), broker.address().to_owned());
    let topics = [topic.to_owned()];
    let opened = KafkaRecordSink::open(&BTreeMap::from([address]), "test", &topics, false).await;
    opened.unwrap()
}

fn records(topic: &str, values: &[&str]) -> Vec<SinkRecord> {
    let record = |value: &&str| SinkRecord {
        topic: topic.to_owned(),
        key: None,
        value: Some(value.as_bytes().to_vec().into()),
        headers: Vec::new(),
        may_be_cut: false,
    };
    values.iter().map(record).collect()
}

/// What a reader of committed records sees of a topic's partitions.
fn committed(broker: &Broker, topic: &str, partitions: usize) -> Vec<String> {
    let from = vec![0; partitions];
    let mut reader = Reader::open(&settings(broker), &starts(topic, &from));
    reader.read_to_ends();
    let inputs = (0..partitions).filter(|input| reader.records.contains_key(input));
    let seen = inputs.flat_map(|input| reader.payloads(input));
    seen.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_nothing_of_a_former_sender_is_seen_once_another_one_has_resumed() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("zombie", 1, &[]).unwrap();
    // it fell asleep between its records and their commit
    let asleep = [Message::new(0, "asleep-1"), Message::new(0, "asleep-2")];
    let asleep = broker
        .open_transaction("test-records-s", &topic, asleep)
        .unwrap();
    let all = records(&topic, &["a", "b", "c"]);
    let former = sink(broker, &topic).await;
    assert_eq!(former.resume("s", 1, &all).await.unwrap(), 0);
    asleep.commit().unwrap_err();
    former.send(1, 0, &all[..1]).await.unwrap();

    // and this one between two of its transactions
    let heir = sink(broker, &topic).await;
    assert_eq!(heir.resume("s", 1, &all).await.unwrap(), 1);
    let fenced = former.send(1, 1, &all[1..]).await.unwrap_err();
    assert!(
        fenced.error.is_retryable() && !fenced.is_undone,
        "{fenced:?}"
    );
    heir.send(1, 1, &all[1..]).await.unwrap();
    assert_eq!(committed(broker, &topic, 1), ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_what_has_arrived_is_found_behind_other_records_and_in_any_partition() {
    let broker = Broker::shared().unwrap();
    let topic = broker.topic("tail", 3, &[]).unwrap();
    let values: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let all = records(&topic, &values);
    let first = sink(broker, &topic).await;
    assert_eq!(first.resume("s", 7, &all).await.unwrap(), 0);
    first.send(7, 0, &all[..20]).await.unwrap();
    first.send(7, 20, &all[20..33]).await.unwrap();
    // somebody else writes there too, more than one look holds; and another storage, the same epoch
    let foreign =
        (0..3).flat_map(|partition| (0..3_000).map(move |_| Message::new(partition, "x")));
    broker.produce(&topic, foreign).unwrap();
    let other = sink(broker, &topic).await;
    assert_eq!(other.resume("other", 7, &all).await.unwrap(), 0);
    other.send(7, 0, &records(&topic, &["y"])).await.unwrap();

    let next = sink(broker, &topic).await;
    assert_eq!(next.resume("s", 7, &all).await.unwrap(), 33);
    next.send(7, 33, &all[33..]).await.unwrap();
    assert_eq!(next.resume("s", 8, &all).await.unwrap(), 0);
    let mut seen = committed(broker, &topic, 3);
    seen.retain(|value| value != "x" && value != "y");
    seen.sort_by_key(|value| value.parse::<u32>().unwrap());
    assert_eq!(seen, values);
}

/// A cancellation weeks later changes a day that was final; before that nothing is said twice.
#[test]
fn k07_a_day_is_final_once_and_restated_when_it_changes_after_that() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let day = |days: i64| NOON_MS + DurationMs::from_days(days).as_ms();
    let send = |event: Value| {
        let line = event.to_string();
        broker
            .produce(topics.orders(), [message(0, line.as_bytes())])
            .unwrap();
    };
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    send(order("O1", day(0)));
    send(order("O2", day(0) + 1));
    send(order("O3", day(20)));
    project.run(&["run", "--until-caught-up"]).unwrap();
    let mut cancelled = order("cancelled", day(20) + 1);
    cancelled["event_type"] = json!("order.cancelled");
    cancelled["order_id"] = json!("O2");
    send(cancelled);
    project.run(&["run", "--until-caught-up"]).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();

    let mut reader = Reader::open(&settings(broker), &starts(&topics.demand(), &[0]));
    reader.read_to_ends();
    let said: Vec<Value> = reader.records[&0]
        .iter()
        .filter(|record| controlled(record).is_some_and(|ds| ds.to_string() == "2026-01-05"))
        .map(|record| {
            let body: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
            assert_eq!(body["control"], header(record, "control"));
            json!({
                "control": body["control"], "rows": body["rows"], "checksum": body["checksum"],
                "sequence": number_in(record, "sequence"), "epoch": number_in(record, "epoch"),
            })
        })
        .collect();
    let kinds: Vec<&str> = said
        .iter()
        .map(|row| row["control"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["final", "restated"]);
    assert_ne!(said[0]["checksum"], said[1]["checksum"]);
    let query = "SELECT control, \"rows\", checksum, sequence, epoch FROM feeds.status WHERE ds = '2026-01-05' ORDER BY sequence";
    assert_eq!(project.query(query).unwrap(), said);
}
