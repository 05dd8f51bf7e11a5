//! Cases that a plain run does not show: shared territories, topics that end early, silent nights, transactions, no reference.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tests::by_hand::{event, line, with_fields, write_customers};
use tests::events::{Events, Topics, message};
use tests::kafka::Broker;
use tests::project::Project;

use crate::proof::{Sample, assert_equal, expect, expect_with, number};

/// The median of a territory is over retailers of several shards, so no shard can know it alone.
#[test]
fn shards_share_a_territory() {
    let sample = Sample::three_weeks();
    let customers = fs::read_to_string(sample.events.reference().join("ref_customer.csv")).unwrap();
    let mut lines = customers.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|found| *found == name).unwrap();
    let (id, territory) = (column("customer_id"), column("territory_id"));
    let mut shards: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let shard = partition_of(cells[id].as_bytes(), 4);
        shards.entry(cells[territory]).or_default().insert(shard);
    }
    assert!(
        shards.values().any(|shards| shards.len() > 1),
        "no territory is shared"
    );

    let project = Project::on_files(&sample.events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &sample.expected);
    let by_territory = "SELECT DISTINCT territory_id FROM metrics.retailer_margin_by_sku WHERE price_source = 'TERRITORY'";
    let priced = project.query(by_territory).unwrap();
    let shared = |row: &Value| shards[row["territory_id"].as_str().unwrap()].len() > 1;
    assert!(
        priced.iter().any(shared),
        "no price comes from a shared territory"
    );
}

/// Visits and complaints end four weeks before orders and prices do, and do not hold them back.
#[test]
fn a_topic_ends_early() {
    let sample = Sample::simulate(
        "early-end",
        &["--days", "35", "--customers", "60", "--seed", "5"],
    );
    let folder = tempfile::tempdir().unwrap();
    let events = sample.events.copy(folder.path().join("events")).unwrap();
    // midnight before 2026-01-12 in Shanghai: a week after the beginning, four weeks before the end
    let end_ms = 1_768_147_200_000;
    for topic in ["visits.v1", "complaints.v1"] {
        for (partition, lines) in events.partitions(topic).unwrap().into_iter().enumerate() {
            let early: Vec<_> = lines
                .into_iter()
                .filter(|line| {
                    let event: Value = serde_json::from_slice(line).unwrap();
                    event["recorded_at"].as_i64().unwrap() < end_ms
                })
                .collect();
            events.write(topic, partition, &early).unwrap();
        }
    }
    let expected = folder.path().join("expected");
    expect(&events, &expected);

    // without a drain: what is caught up is published up to the clock of what still flows
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let last = "SELECT max(window_end) AS last FROM metrics.demand_orders WHERE window_kind = 'D1'";
    let last = project.value(last).unwrap();
    assert!(
        last.as_str().unwrap() >= "2026-02-02",
        "orders stand still at {last}"
    );
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &expected);

    // the same on Kafka, where an end is an end-of-partition event
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    events.send(broker, &topics).unwrap();
    let project = Project::on_kafka(broker, &topics, &events.reference()).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &expected);
}

/// Monday 2026-01-05, 22:00 in Shanghai.
pub(crate) const EVENING: TimestampMs = TimestampMs::from_ms(1_767_621_600_000);

/// An event of case K1, so long after the evening; recorded when it happened unless `more` says otherwise.
pub(crate) fn complaint(kind: &str, event_id: &str, after: DurationMs, more: Value) -> Vec<u8> {
    let case = json!({"customer_id": "C1", "case_id": "K1", "unit_id": "U-CC"});
    line(&event(
        kind,
        event_id,
        EVENING + after,
        with_fields(case, more),
    ))
}

/// A complaint by phone whose department is never told, and then nothing until morning.
pub(crate) fn silent_night(folder: &Path) -> Events {
    let events = Events::empty(folder.join("events")).unwrap();
    let opened = json!({"case_kind": "COMPLAINT", "channel": "PHONE", "category": "PRICE", "answered": true,
                        "received_at": EVENING});
    let lines = [
        complaint("case.opened", "opened", DurationMs::ZERO, opened),
        complaint(
            "case.call_ended",
            "ended",
            DurationMs::MINUTE,
            json!({"call_ended_at": EVENING + DurationMs::MINUTE}),
        ),
    ];
    events.write("complaints.v1", 0, &lines).unwrap();
    events
}

/// The deadline passes by time alone.
#[test]
fn a_deadline_in_a_silent_night() {
    let folder = tempfile::tempdir().unwrap();
    let events = silent_night(folder.path());

    // 22:11 is the deadline; a minute is allowed for events under way
    let step = "SELECT outcome, overrun_ms FROM ops.sla_steps WHERE case_id = 'K1' AND step_id = 'CMP_DEPT_10M'";
    let alerts = "SELECT count(*) FROM ops.alerts WHERE rule_id = 'A15' AND state = 'firing'";
    let early = Project::on_files(&events).unwrap();
    early
        .run(&["run", "--drain-to", "2026-01-05T14:11:00Z"])
        .unwrap();
    assert_eq!(
        early.number(alerts).unwrap(),
        0,
        "nothing is late before its deadline and grace"
    );
    let late = Project::on_files(&events).unwrap();
    late.run(&["run", "--drain-to", "2026-01-05T22:00:00Z"])
        .unwrap();
    let rows = late.query(step).unwrap();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["outcome"], "BREACHED");
    assert_eq!(late.number(alerts).unwrap(), 1);
    let deadline = "SELECT deadline FROM ops.alerts WHERE rule_id = 'A15' AND state = 'firing'";
    let deadline = late.value(deadline).unwrap();
    assert!(
        deadline
            .as_str()
            .unwrap()
            .starts_with("2026-01-05T14:11:00"),
        "{deadline}"
    );

    let drained = Project::on_files(&events).unwrap();
    drained.run(&["run", "--drain"]).unwrap();
    let expected = folder.path().join("expected");
    expect_with(&events, &no_customers(folder.path()), &expected);
    assert_equal(&drained, &expected);
    let breached = "SELECT sum(breached_n) FROM metrics.sla_compliance WHERE step_id = 'CMP_DEPT_10M' AND window_kind = 'D1'";
    assert_eq!(drained.number(breached).unwrap(), 1);
}

/// Markers take offsets that no record has, at the very end too.
#[test]
fn transaction_markers_are_no_lag() {
    let broker = Broker::shared().unwrap();
    let topics = Topics::create(broker, 1, &[]).unwrap();
    let order = |id: &str| {
        let order = json!({
            "customer_id": "C1", "order_id": id, "order_kind": "REGULAR",
            "lines": [{"line_no": 1, "sku_id": "SKU001", "requested_qty": 1, "wholesale_price_fen": 100}],
        });
        message(0, &line(&event("order.placed", id, EVENING, order)))
    };
    broker
        .transaction(topics.orders(), [order("O1"), order("O2")], true)
        .unwrap();
    broker
        .transaction(topics.orders(), [order("O3")], false)
        .unwrap();
    // a partition that holds nothing but an aborted transaction
    broker
        .transaction(topics.complaints(), [message(0, b"{}")], false)
        .unwrap();
    let reference = tempfile::tempdir().unwrap();
    let project = Project::on_kafka(broker, &topics, reference.path()).unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let read = "SELECT sum(read_n) FROM ops.conservation";
    assert_eq!(
        project.number(read).unwrap(),
        2,
        "aborted records were never there"
    );
    // again with nothing new, and once more behind a further marker
    project.run(&["run", "--until-caught-up"]).unwrap();
    broker
        .transaction(topics.orders(), [order("O4")], true)
        .unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_eq!(project.number(read).unwrap(), 3);
    let asked = "SELECT sum(requested_qty) FROM metrics.demand_orders WHERE window_kind = 'D1'";
    assert_eq!(project.number(asked).unwrap(), 3);
}

/// Reference data of the oracle, which wants to see the file: customers, but none.
fn no_customers(folder: &Path) -> PathBuf {
    let reference = folder.join("no-customers");
    write_customers(&reference, &[]).unwrap();
    reference
}

/// Without reference data every dimension is UNKNOWN, and nothing is dropped.
#[test]
fn no_reference_data() {
    let sample = Sample::three_weeks();
    let folder = tempfile::tempdir().unwrap();
    let events = sample.events.copy(folder.path().join("events")).unwrap();
    fs::remove_dir_all(events.reference()).unwrap();
    fs::create_dir(events.reference()).unwrap();
    let expected = folder.path().join("expected");
    expect_with(&events, &no_customers(folder.path()), &expected);
    let project = Project::on_files(&events).unwrap();
    project.run(&["run", "--drain"]).unwrap();
    assert_equal(&project, &expected);
    for column in ["territory_id", "class_id"] {
        let query = format!("SELECT DISTINCT {column} AS found FROM metrics.demand_orders");
        let found = project.query(&query).unwrap();
        assert_eq!(found, [json!({"found": "UNKNOWN"})]);
    }
    let books = &project
        .query("SELECT sum(read_n) AS read, sum(accepted_n) AS accepted FROM ops.conservation")
        .unwrap()[0];
    assert_eq!(
        number(&books["read"]),
        number(&books["accepted"]),
        "clean events are all accepted"
    );
}
