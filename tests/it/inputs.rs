//! Inputs of a storage that are not what they were: other topics, other partitions, another zone (F16, K38, K44).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::time::TimestampMs;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::PATIENCE;
use tests::by_hand::{event, line};
use tests::events::{Events, Topics, message};
use tests::kafka::{Broker, Message};
use tests::project::Project;
use tests::vitrine::Vitrine;

use crate::bad_input::{NOON_MS, order};
use crate::kills::hurried;
use crate::proof::until_read;
use crate::refusals::{bad_end, refused};
use crate::tree;

/// K38 wants it noticed within a minute.
const A_MINUTE: Duration = Duration::from_secs(60);

const READ: &str = "SELECT sum(read_n) FROM ops.conservation";

/// Topics of one partition each on the shared broker, and a storage of their own.
fn on_kafka(partitions: i32) -> (TempDir, &'static Broker, Topics, Project) {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, partitions, &[]).unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = hurried(Project::on_kafka(broker, &topics, reference.path()).unwrap());
    (reference, broker, topics, project)
}

fn orders(ids: std::ops::Range<i64>) -> impl Iterator<Item = Message> {
    ids.map(|n| message(0, order(&n.to_string(), NOON_MS + n).to_string().as_bytes()))
}

fn price(event_id: &str, at: i64) -> Value {
    let price =
        json!({"sku_id": "SKU001", "price_type": "WHOLESALE", "price_fen": 100, "valid_from": at});
    event("price.list_set", event_id, TimestampMs::from_ms(at), price)
}

fn prices(partition: i32, count: i64) -> impl Iterator<Item = Message> {
    (0..count).map(move |n| {
        let id = format!("{partition}-{n}");
        message(partition, price(&id, NOON_MS + n).to_string().as_bytes())
    })
}

/// Starts the service and waits until it has published as many records as this.
fn running(project: &Project, records: i64) -> Vitrine {
    let running = project.start(&["run"]).unwrap();
    until_read(project, records);
    running
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    tree::files(folder).into_iter().map(read).collect()
}

/// Ends with this code at start, and leaves the storage as it is.
fn refused_untouched(project: &Project, code: i32) -> String {
    let before = contents(&project.storage());
    let line = refused(project, &["run"], code);
    assert!(
        contents(&project.storage()) == before,
        "storage was changed"
    );
    line
}

#[test]
fn k38_orders_that_grow_while_it_runs_end_it_and_later_starts_are_refused() {
    let (_reference, broker, topics, project) = on_kafka(1);
    broker.produce(topics.orders(), orders(0..5)).unwrap();
    let running = running(&project, 5);
    broker.add_partitions(topics.orders(), 2).unwrap();
    let new = message(1, order("new", NOON_MS).to_string().as_bytes());
    broker.produce(topics.orders(), [new]).unwrap();
    let line = bad_end(&running.wait(A_MINUTE).unwrap(), 5);
    assert!(line.contains("partitions=2 before=1"), "{line}");
    assert_eq!(project.number(READ).unwrap(), 5, "nothing is read from it");

    for topic in &topics.names()[1..3] {
        broker.add_partitions(topic, 2).unwrap();
    }
    let line = refused_untouched(&project, 2);
    assert!(line.contains("was 1 and is 2"), "{line}");
    assert!(line.contains("new storage"), "{line}");
}

#[test]
fn f16_prices_that_grow_while_it_runs_are_read_and_counted() {
    let (_reference, broker, topics, project) = on_kafka(2);
    let [.., prices_topic] = topics.names();
    broker.produce(prices_topic, prices(0, 3)).unwrap();
    let before = running(&project, 3);
    broker.add_partitions(prices_topic, 5).unwrap();
    for partition in 2..5 {
        broker.produce(prices_topic, prices(partition, 4)).unwrap();
    }
    until_read(&project, 15);
    before.terminate(PATIENCE).unwrap();
    // a start goes on where each of them ended, and with one that appeared meanwhile
    broker.add_partitions(prices_topic, 6).unwrap();
    broker.produce(prices_topic, prices(5, 4)).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(project.number(READ).unwrap(), 19);
    let by_partition =
        "SELECT \"partition\", sum(accepted_n) AS n FROM ops.conservation GROUP BY 1 ORDER BY 1";
    let rows = project.query(by_partition).unwrap();
    let partitions: Vec<i64> = rows
        .iter()
        .map(|row| row["partition"].as_i64().unwrap())
        .collect();
    assert_eq!(partitions, [0, 2, 3, 4, 5], "{rows:?}");
    project.run(&["audit"]).unwrap();
}

#[test]
fn f16_a_topic_made_anew_ends_the_start_however_long_it_is() {
    let (_reference, broker, topics, project) = on_kafka(1);
    broker.produce(topics.orders(), orders(0..5)).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    broker.delete_topic(topics.orders()).unwrap();
    broker.create_topic(topics.orders(), 1, &[]).unwrap();
    broker.produce(topics.orders(), orders(5..14)).unwrap();
    let line = refused(&project, &["run", "--until-caught-up"], 5);
    assert!(line.contains(topics.orders()), "{line}");
    assert!(
        line.contains("created anew") && line.contains("on_missing"),
        "{line}"
    );
    assert_eq!(project.number(READ).unwrap(), 5);

    let project = project.set("VITRINE__SOURCE__ON_MISSING", "earliest");
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    assert!(ended.stderr.contains("passed over"), "{}", ended.stderr);
    assert_eq!(project.number(READ).unwrap(), 14);
    project.run(&["run", "--drain"]).unwrap();
    project.run(&["audit"]).unwrap();
}

#[test]
fn f16_a_topic_made_anew_while_it_runs_ends_it_within_a_minute() {
    let (_reference, broker, topics, project) = on_kafka(1);
    broker.produce(topics.complaints(), orders(0..5)).unwrap();
    let running = running(&project, 5);
    broker.delete_topic(topics.complaints()).unwrap();
    broker.create_topic(topics.complaints(), 1, &[]).unwrap();
    broker.produce(topics.complaints(), orders(0..20)).unwrap();
    let line = bad_end(&running.wait(A_MINUTE).unwrap(), 5);
    assert!(line.contains(topics.complaints()), "{line}");
}

#[test]
fn f16_transactions_at_the_end_whose_records_are_deleted_are_no_loss() {
    let (_reference, broker, topics, project) = on_kafka(1);
    let topic = topics.orders();
    broker.transaction(topic, orders(0..2), true).unwrap();
    // 0 1 marker, 3 aborted, marker
    broker.transaction(topic, orders(2..5), false).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    broker.delete_records(topic, 0, 7).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    // and behind an end that was sealed before
    broker.transaction(topic, orders(2..5), false).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    broker.delete_records(topic, 0, 11).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(project.number(READ).unwrap(), 2);

    broker.produce(topic, orders(5..8)).unwrap();
    broker.delete_records(topic, 0, 13).unwrap();
    let line = refused(&project, &["run", "--until-caught-up"], 5);
    assert!(line.contains("wanted_offset=11 first_offset=13"), "{line}");
    let project = project.set("VITRINE__SOURCE__ON_MISSING", "earliest");
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(project.number(READ).unwrap(), 3);
    let missing = "SELECT sum(missing_n) FROM ops.conservation";
    assert_eq!(project.number(missing).unwrap(), 2);
    project.run(&["audit"]).unwrap();
}

#[test]
fn f16_a_first_start_says_what_is_not_there_any_more_and_a_later_one_loses_nothing() {
    let (_reference, broker, topics, project) = on_kafka(1);
    let topic = topics.orders();
    broker.produce(topic, orders(0..5)).unwrap();
    broker.delete_records(topic, 0, 3).unwrap();
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    let warning = "the first offsets of the log are not there any more";
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
    assert_eq!(project.number(READ).unwrap(), 2);
    let ended = project.run(&["run", "--until-caught-up"]).unwrap();
    assert!(!ended.stderr.contains(warning), "{}", ended.stderr);

    // an input that was sealed at its beginning: what came and went meanwhile is lost
    let visits = &topics.names()[1];
    broker.produce(visits, orders(0..4)).unwrap();
    broker.delete_records(visits, 0, 4).unwrap();
    let line = refused(&project, &["run", "--until-caught-up"], 5);
    assert!(line.contains("wanted_offset=0 first_offset=4"), "{line}");
}

#[test]
fn k44_what_a_storage_was_begun_with_cannot_be_changed() {
    let (_reference, broker, topics, project) = on_kafka(1);
    broker.produce(topics.orders(), orders(0..3)).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let other = broker.topic("orders.v1", 1, &[]).unwrap();
    broker.produce(&other, orders(0..9)).unwrap();
    let mut project = project;
    for (key, now, before, said) in [
        (
            "TOPICS__ORDERS",
            other.as_str(),
            topics.orders(),
            "[topics] orders",
        ),
        ("TIME__ZONE", "Asia/Tokyo", "Asia/Shanghai", "[time] zone"),
        (
            "SOURCE__PARTITIONER",
            "any",
            "murmur2",
            "[source] partitioner",
        ),
    ] {
        let variable = format!("VITRINE__{key}");
        project = project.set(&variable, now);
        let line = refused_untouched(&project, 2);
        let sentence = format!("{said} was {before} and is {now}");
        assert!(line.contains(&sentence), "{line}");
        if key == "TIME__ZONE" {
            for args in [&["audit"][..], &["sql", READ]] {
                let line = refused(&project, args, 2);
                assert!(line.contains(&sentence), "{args:?}: {line}");
            }
        }
        project = project.set(&variable, before);
    }
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(project.number(READ).unwrap(), 3);
}

#[test]
fn k44_a_change_of_lateness_takes_no_limit_back_and_the_audit_stays_clean() {
    let (_reference, broker, topics, project) = on_kafka(1);
    let day = 86_400_000;
    let at = |id: &str, days: i64| {
        let event = order(id, NOON_MS + days * day);
        message(0, event.to_string().as_bytes())
    };
    let late = "SELECT sum(too_late_n) FROM ops.conservation";
    let lateness = "VITRINE__TIME__ORDERS__ALLOWED_LATENESS";
    let send = |records: Vec<Message>| broker.produce(topics.orders(), records).unwrap();
    // two days: the limit is just below day 8
    send(vec![at("a", 0), at("b", 10), at("late-1", 7)]);
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(project.number(late).unwrap(), 1);
    // a week from now on: the limit stays until event time has come that much further
    let project = project.set(lateness, "7d");
    send(vec![at("late-2", 7), at("c", 9), at("d", 16), at("e", 10)]);
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(project.number(late).unwrap(), 2);
    // a day: the limit moves on at once, and does not come back with the week
    let project = project.set(lateness, "1d");
    send(vec![at("late-3", 14)]);
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(project.number(late).unwrap(), 3);
    let project = project.set(lateness, "7d");
    send(vec![at("late-4", 14), at("f", 15)]);
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(project.number(late).unwrap(), 4);
    let accepted = "SELECT sum(accepted_n) FROM ops.conservation";
    assert_eq!(project.number(accepted).unwrap(), 6);
    let horizons = "SELECT epoch, horizon_at FROM ops.watermarks WHERE topic = (SELECT min(topic) FROM ops.conservation) \
                    AND horizon_at IS NOT NULL ORDER BY epoch";
    let horizons = project.query(horizons).unwrap();
    let instants: Vec<&str> = horizons
        .iter()
        .map(|row| row["horizon_at"].as_str().unwrap())
        .collect();
    assert!(instants.len() >= 4, "{horizons:?}");
    assert!(instants.is_sorted(), "{horizons:?}");
    project.run(&["audit"]).unwrap();
}

/// Event files with these orders in their one partition.
fn event_files(folder: &Path, orders: std::ops::Range<i64>) -> Events {
    let events = Events::empty(folder.join("events")).unwrap();
    let lines: Vec<Vec<u8>> = orders
        .map(|n| line(&order(&n.to_string(), NOON_MS + n)))
        .collect();
    events.write("orders.v1", 0, &lines).unwrap();
    events
}

#[test]
fn k38_a_further_event_file_of_a_customer_topic_is_refused_and_one_of_prices_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let events = event_files(folder.path(), 0..3);
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();

    let price = line(&price("p", NOON_MS));
    events.write("prices.v1", 3, &[price]).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    assert_eq!(project.number(READ).unwrap(), 4);

    events.write("complaints.v1", 1, &[b"{}".to_vec()]).unwrap();
    let line = refused_untouched(&project, 2);
    assert!(line.contains("was 1 and is 2"), "{line}");
    fs::remove_file(events.dir().join("complaints.v1/1.ndjson")).unwrap();
    fs::remove_file(events.dir().join("prices.v1/3.ndjson")).unwrap();
    let line = refused(&project, &["run"], 5);
    assert!(line.contains("input=prices.v1/3"), "{line}");
}

#[test]
fn f16_an_event_file_that_was_replaced_ends_the_start_however_long_it_is() {
    for replaced in [10..12, 10..13, 10..19] {
        let folder = tempfile::tempdir().unwrap();
        let events = event_files(folder.path(), 0..3);
        let project = Project::on_files(&events).unwrap();
        project.run(&["run", "--until-caught-up"]).unwrap();
        event_files(folder.path(), replaced.clone());
        let line = refused(&project, &["run", "--until-caught-up"], 5);
        assert!(line.contains("orders.v1/0.ndjson"), "{line}");
        // the former one, grown
        event_files(folder.path(), 0..5);
        project.run(&["run", "--drain"]).unwrap();
        assert_eq!(project.number(READ).unwrap(), 5, "{replaced:?}");
    }
}
