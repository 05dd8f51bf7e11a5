//! The demand feed, switched off for a while: table and topic end as those of a run that had it on all the time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;
use tests::events::Topics;
use tests::kafka::Broker;
use tests::project::Project;

use super::control::controlled;
use super::demand::{cell_of, revision_of};
use super::fortnight;
use crate::bad_input::NOON_MS;
use crate::kills::hurried;
use crate::proof::until_read;
use crate::reader::{Reader, settings, starts};

const DAY_MS: i64 = 86_400_000;
const COLUMNS: [&str; 9] = [
    "unique_id",
    "ds",
    "y",
    "y_allocated",
    "y_delivered",
    "returned",
    "unmet_qty",
    "censored",
    "is_zero_filled",
];

type Rows = BTreeMap<(String, NaiveDate), Vec<Value>>;

/// What a feed says, revisions and times left out.
fn cells(row: &Value) -> Vec<Value> {
    COLUMNS.iter().map(|name| row[*name].clone()).collect()
}

fn in_table(project: &Project) -> Rows {
    let query = format!("SELECT {} FROM feeds.demand_daily", COLUMNS.join(", "));
    let rows = project.query(&query).unwrap();
    let key = |row: &Value| {
        let ds = row["ds"].as_str().unwrap().parse().unwrap();
        (row["unique_id"].as_str().unwrap().to_owned(), ds)
    };
    rows.iter().map(|row| (key(row), cells(row))).collect()
}

/// Rows that a reader of the topic is left with, and days of which it has heard that they are final.
fn in_topic(broker: &Broker, topic: &str) -> (Rows, BTreeSet<NaiveDate>) {
    let mut reader = Reader::open(&settings(broker), &starts(topic, &[0]));
    reader.read_to_ends();
    let (mut rows, mut finals) = (Rows::new(), BTreeSet::new());
    for record in reader.records.get(&0).into_iter().flatten() {
        if let Some(day) = controlled(record) {
            finals.insert(day);
            continue;
        }
        match revision_of(record).0 {
            Some(value) => drop(rows.insert(cell_of(record), cells(&value))),
            None => drop(rows.remove(&cell_of(record))),
        }
    }
    (rows, finals)
}

#[test]
fn days_that_passed_while_the_feed_was_off_come_out_with_their_demand() {
    let broker = Broker::shared().unwrap();
    let events = fortnight();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    let day = |n: i64| NOON_MS + n * DAY_MS;
    let sent_until = |until: i64| {
        let lines = tests::events::TOPICS.into_iter();
        let lines = lines
            .flat_map(|topic| events.partitions(topic).unwrap())
            .flatten();
        let before = lines.filter(|line| crate::arrival::instant(line, "recorded_at") < until);
        before.count() as i64
    };
    let open = || {
        let project = Project::on_kafka(broker, &topics, &events.reference()).unwrap();
        hurried(project).set("VITRINE__FEEDS__DEMAND", "true")
    };

    events.send_recorded(broker, &topics, ..day(4)).unwrap();
    let project = open();
    project.run(&["run", "--until-caught-up"]).unwrap();
    let before = in_table(&project);
    assert!(!before.is_empty(), "nothing was sent before it is off");

    // Off through a good end, a kill and a start.
    let project = project.set("VITRINE__FEEDS__DEMAND", "false");
    events
        .send_recorded(broker, &topics, day(4)..day(7))
        .unwrap();
    project.run(&["run", "--until-caught-up"]).unwrap();
    events
        .send_recorded(broker, &topics, day(7)..day(10))
        .unwrap();
    let running = project.start(&["run"]).unwrap();
    until_read(&project, sent_until(day(10)));
    let days =
        "SELECT count(DISTINCT window_start) FROM metrics.demand_orders WHERE window_kind = 'D1'";
    project
        .until("days have ended", |project| Ok(project.number(days)? >= 7))
        .unwrap();
    running.kill().unwrap();
    assert_eq!(in_table(&project), before, "it was off");

    let project = project.set("VITRINE__FEEDS__DEMAND", "true");
    events.send_recorded(broker, &topics, day(10)..).unwrap();
    project.run(&["run", "--drain"]).unwrap();

    let whole = open().set(
        "VITRINE__TOPICS__DEMAND",
        format!("{}.whole", topics.demand()),
    );
    whole.run(&["run", "--drain"]).unwrap();
    let expected = in_table(&whole);
    assert!(expected.len() > before.len());
    assert_eq!(in_table(&project), expected);
    let (rows, finals) = in_topic(broker, &topics.demand());
    assert_eq!(rows, expected);
    let (rows, expected_finals) = in_topic(broker, &format!("{}.whole", topics.demand()));
    assert_eq!(rows, expected);
    assert_eq!(finals, expected_finals);
    let open = "SELECT count(*) FROM feeds.demand_daily WHERE NOT is_final";
    assert_eq!(project.number(open).unwrap(), 0);
}
