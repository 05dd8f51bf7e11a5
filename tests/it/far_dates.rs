//! Device clocks that are decades off: work and files grow with events, never with the years between two of them (K41, K43).

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};
use tests::PATIENCE;
use tests::by_hand::{event, line, write_customers};
use tests::events::{Events, Line};
use tests::project::Project;

use crate::proof::{assert_equal, expect};
use crate::refusals::refused;

/// 2026-01-05, noon in Shanghai.
const NOON: TimestampMs = TimestampMs::from_ms(1_767_585_600_000);
/// 2000-01-01, noon in Shanghai: a battery of a clock was empty.
const EMPTY_BATTERY: TimestampMs = TimestampMs::from_ms(946_699_200_000);
/// 9998-12-31, noon in Shanghai.
const END_OF_TIME: TimestampMs = TimestampMs::from_ms(253_370_736_000_000);

/// A run that works through the years between two events takes longer.
const AT_MOST: Duration = Duration::from_secs(180);

fn order(order_id: &str, customer: &str, at: TimestampMs) -> Line {
    let order = json!({
        "customer_id": customer, "order_id": order_id, "order_kind": "REGULAR",
        "lines": [{"line_no": 1, "sku_id": "S1", "requested_qty": 3, "wholesale_price_fen": 100}],
    });
    line(&event("order.placed", order_id, at, order))
}

/// Three days of orders of two customers.
fn few_days() -> Vec<Line> {
    let days = (0..3).map(|day| NOON + DurationMs::from_days(day));
    days.flat_map(|at| {
        ["C1", "C2"].map(|customer| order(&format!("{customer}-{at}"), customer, at))
    })
    .collect()
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path()),
            false => 1,
        })
        .sum()
}

/// Event files with these orders, and reference data that know no customer.
fn written(folder: &Path, lines: &[Line]) -> Events {
    let events = Events::in_folder(folder.join("events"));
    write_customers(&events.reference(), &[]).unwrap();
    events.write("orders.v1", 0, lines).unwrap();
    events
}

/// A storage that has drained these orders, with a short gap so that each day with demand is followed by ten of zeros.
fn drained(folder: &Path, lines: &[Line]) -> (Events, Project) {
    drained_partitions(folder, &[lines.to_vec()], "10d")
}

/// The same with the orders of several partitions, and so long a gap.
fn drained_partitions(folder: &Path, partitions: &[Vec<Line>], gap: &str) -> (Events, Project) {
    let events = written(folder, &[]);
    for (partition, lines) in partitions.iter().enumerate() {
        events.write("orders.v1", partition, lines).unwrap();
    }
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__FEEDS__MAX_GAP", gap);
    let running = project.start(&["run", "--drain"]).unwrap();
    running.wait(AT_MOST).unwrap().success().unwrap();
    (events, project)
}

/// A far order leaves a few files more than the others alone: those of its own windows and of ten days of zeros.
fn assert_files(project: &Project) {
    static WITHOUT: OnceLock<usize> = OnceLock::new();
    let without = *WITHOUT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (_, project) = drained(folder.path(), &few_days());
        files(&project.storage())
    });
    let with = files(&project.storage());
    assert!(with < without + 250, "files={with} without={without}");
}

fn days_of(project: &Project, columns: &str, table: &str) -> Vec<String> {
    let query = format!("SELECT {columns} AS cell FROM feeds.{table} ORDER BY ds");
    let rows = project.query(&query).unwrap();
    let text = |row: Value| row["cell"].as_str().unwrap().to_owned();
    rows.into_iter().map(text).collect()
}

#[test]
fn k43_one_order_of_2000_before_the_others_costs_what_one_order_costs() {
    let mut lines = few_days();
    lines.insert(0, order("old", "C3", EMPTY_BATTERY));
    let folder = tempfile::tempdir().unwrap();
    let (_, project) = drained(folder.path(), &lines);
    let rows = days_of(
        &project,
        "CAST(ds AS VARCHAR) || ' ' || CAST(y AS VARCHAR)",
        "demand_daily",
    );
    let zeros = (2..=11).map(|day| format!("2000-01-{day:02} 0"));
    let expected: Vec<String> = ["2000-01-01 3".to_owned()]
        .into_iter()
        .chain(zeros)
        .chain((5..=7).map(|day| format!("2026-01-{day:02} 6")))
        .collect();
    assert_eq!(rows, expected);
    // each of these days is said to be final, and no other
    let finals = days_of(&project, "CAST(ds AS VARCHAR) || ' ' || control", "status");
    let expected: Vec<String> = rows
        .iter()
        .map(|row| format!("{} final", &row[..10]))
        .collect();
    assert_eq!(finals, expected);
    let open = "SELECT count(*) FROM feeds.demand_daily WHERE NOT is_final";
    assert_eq!(project.number(open).unwrap(), 0);
    assert_files(&project);
    project.run(&["audit"]).unwrap();
}

#[test]
fn k43_one_order_of_9998_after_the_others_costs_what_one_order_costs() {
    let mut lines = few_days();
    lines.push(order("far", "C3", END_OF_TIME));
    let folder = tempfile::tempdir().unwrap();
    let (_, project) = drained(folder.path(), &lines);
    // Draining passes over the far order (K41): the feed ends with the last of the others.
    let rows = days_of(
        &project,
        "CAST(ds AS VARCHAR) || ' ' || CAST(y AS VARCHAR)",
        "demand_daily",
    );
    let expected: Vec<String> = (5..=7).map(|day| format!("2026-01-{day:02} 6")).collect();
    assert_eq!(rows, expected);
    assert_files(&project);
    project.run(&["audit"]).unwrap();
}

/// The only customer of a partition is silent for half a year and orders once more, later than all others.
#[test]
fn k41_a_drain_believes_what_any_partition_shows() {
    let day = DurationMs::from_days;
    let folder = tempfile::tempdir().unwrap();
    let alone = [0, 190].map(|days| order(&format!("alone-{days}"), "C4", NOON + day(days)));
    let others = (0..7).map(|n| order(&format!("other-{n}"), "C1", NOON + day(27 * n)));
    let partitions = [alone.to_vec(), others.collect()];
    let (events, project) = drained_partitions(folder.path(), &partitions, "400d");
    // 28 days from the Monday of that week, 14 ahead and seven late; those of June would end four weeks earlier
    assert_drained(&events, &project, ["2026-07-14"; 2], "2026-08-30T16:00:00Z");
}

/// An order lies beyond what is believed; the windows that hold those before it become final later still.
#[test]
fn k41_what_ends_before_the_end_of_a_drain_is_final_and_the_feed_passes_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = few_days();
    lines.push(order("far", "C3", NOON + DurationMs::from_days(35)));
    let (events, project) = drained_partitions(folder.path(), &[lines], "400d");
    assert_drained(
        &events,
        &project,
        ["2026-01-07", "2026-02-09"],
        "2026-02-22T16:00:00Z",
    );
}

/// Event time was moved to the instant; feed and metrics end with these days, in the oracle too, and all that the feed shows is final.
fn assert_drained(events: &Events, project: &Project, last: [&str; 2], to: &str) {
    let to = TimestampMs::from_datetime(to.parse().unwrap());
    let drained_to = &project.status().unwrap()["epoch"]["drained_to_ms"];
    assert_eq!(drained_to, &json!(to.as_ms()));
    let text = |query: &str| project.query(query).unwrap()[0]["last"].clone();
    let of_feed = text("SELECT CAST(max(ds) AS VARCHAR) AS last FROM feeds.demand_daily");
    let of_metric = text(
        "SELECT CAST(max(window_date) AS VARCHAR) AS last FROM metrics.demand_orders WHERE window_kind = 'D1'",
    );
    assert_eq!([of_feed, of_metric], last.map(|day| json!(day)));
    let open = "SELECT count(*) FROM feeds.demand_daily WHERE NOT is_final";
    assert_eq!(project.number(open).unwrap(), 0);
    let expected = events.dir().with_extension("expected");
    expect(events, &expected);
    assert_equal(project, &expected);
}

/// The gap is shortened on a storage that exists: rows beyond it leave, and come back when it grows again.
#[test]
fn k43_another_gap_makes_the_days_anew_that_it_concerns() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = few_days();
    lines.insert(0, order("before", "C3", NOON - DurationMs::from_days(20)));
    let (events, project) = drained(folder.path(), &lines);
    let count = |project: &Project| {
        let query = "SELECT count(*) FROM feeds.demand_daily WHERE y = 0";
        project.number(query).unwrap()
    };
    assert_eq!(count(&project), 10);
    let again = |project: Project, gap: &str| {
        let project = project.set("VITRINE__FEEDS__MAX_GAP", gap);
        project.run(&["run", "--drain"]).unwrap();
        project
    };
    let project = again(project, "4d");
    assert_eq!(count(&project), 4);
    let project = again(project, "400d");
    assert_eq!(count(&project), 19);
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    assert_equal(&project, &expected);
}

/// More than a thousand windows wait for their rounds: a signal ends the run after the epoch under way, and the next run goes on.
#[test]
fn f34_a_signal_ends_a_long_backlog_between_two_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let days = (0..1_000).map(|day| NOON + DurationMs::from_days(day - 1_000));
    let lines: Vec<Line> = days
        .flat_map(|at| {
            ["C1", "C2"].map(|customer| order(&format!("{customer}-{at}"), customer, at))
        })
        .collect();
    let events = written(folder.path(), &lines);
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__EPOCH__INTERVAL", "100ms");
    let running = project.start(&["run", "--drain"]).unwrap();
    project
        .until("time has been moved on", |project| {
            Ok(!project.status()?["epoch"]["drained_to_ms"].is_null())
        })
        .unwrap();
    running.terminate(PATIENCE).unwrap();
    let waiting = project.status().unwrap()["epoch"]["unrevised_windows"].clone();
    assert!(waiting.as_i64().unwrap() > 0, "nothing was left to do");
    // K7: the storage is drained though not everything is published; only a drain finishes it.
    let line = refused(&project, &["run"], 2);
    assert!(line.contains("run --drain"), "{line}");
    project.run(&["run", "--drain"]).unwrap();
    let expected = folder.path().join("expected");
    expect(&events, &expected);
    assert_equal(&project, &expected);
}
