//! The demand feed: its topic says what its table says, whatever was killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use pipeline::source::Record;
use serde_json::{Value, json};
use tests::events::Topics;
use tests::kafka::Broker;
use tests::project::Project;

use super::control::{assert_controls, controlled};
use super::fortnight;
use crate::proof::number;
use crate::reader::{Reader, settings, starts};

/// Series and day.
type Cell = (String, NaiveDate);

/// One revision of a cell: what a record holds (null: the cell is gone) and the epoch it came with.
type Revision = (Option<Value>, i64);

#[test]
fn the_demand_topic_says_what_its_table_says_through_kills() {
    let broker = Broker::shared().unwrap();
    let events = fortnight();
    let topics = Topics::create(broker, 4, &[]).unwrap();
    events.send(broker, &topics).unwrap();
    broker.create_topic(&topics.demand(), 1, &[]).unwrap();
    let project = Project::on_kafka(broker, &topics, &events.reference())
        .unwrap()
        // one record a request: an epoch's records take a while, and a kill hits amid them
        .configure("[source.properties]\n\"batch.num.messages\" = \"1\"")
        .unwrap()
        .set("VITRINE__EPOCH__SEAL_EVERY", "200ms")
        .set("VITRINE__EPOCH__INTERVAL", "1s")
        .set("VITRINE__EPOCH__REVISE_EVERY", "1s");

    // one that sees records before they are committed: killed amid the first, amid their repetition, and amid those that follow
    let mut early = settings(broker);
    let uncommitted = ("isolation.level".to_owned(), "read_uncommitted".to_owned());
    early.properties.extend([uncommitted]);
    let mut reader = Reader::open(&early, &starts(&topics.demand(), &[0]));
    for _ in 0..3 {
        reader.read_on();
        let count = read(&reader).len();
        let mut running = project.start(&["run"]).unwrap();
        reader.until("more records come", |reader| count < read(reader).len());
        assert!(!running.has_ended().unwrap());
        running.kill().unwrap();
    }
    project.run(&["run", "--drain"]).unwrap();
    reader.read_on();
    let written = read(&reader).len();

    let mut reader = Reader::open(&settings(broker), &starts(&topics.demand(), &[0]));
    reader.read_to_ends();
    let records = read(&reader);
    let news = assert_numbered(records);
    assert!(
        records.len() < written,
        "no kill hit amid an epoch's records"
    );

    assert_controls(&news, &project, last_day());

    let mut sent: BTreeMap<Cell, Vec<Revision>> = BTreeMap::new();
    for record in news
        .into_iter()
        .filter(|record| controlled(record).is_none())
    {
        sent.entry(cell_of(record))
            .or_default()
            .push(revision_of(record));
    }
    assert_eq!(sent, stored(&project));
    // what a reader is left with that keeps the last record of each key
    let held: BTreeMap<Cell, Value> = records
        .iter()
        .filter(|record| controlled(record).is_none())
        .map(|record| (cell_of(record), revision_of(record).0))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .filter_map(|(cell, value)| Some((cell, value?)))
        .collect();
    assert_eq!(held, in_force(&project));
    assert_no_gaps(&held);
    assert_demand(&held, &project);
    assert_no_zero_too_early(&sent);
}

/// Of the fortnight.
fn last_day() -> NaiveDate {
    "2026-01-18".parse().unwrap()
}

fn read(reader: &Reader) -> &[Record] {
    reader.records.get(&0).map_or(&[], Vec::as_slice)
}

pub(super) fn header<'a>(record: &'a Record, name: &str) -> &'a str {
    let found = record.headers.iter().find(|(found, _)| found == name);
    let value = found.and_then(|(_, value)| value.as_deref());
    let value = value.unwrap_or_else(|| panic!("offset={} has no header {name}", record.offset));
    std::str::from_utf8(value).unwrap()
}

pub(super) fn number_in(record: &Record, name: &str) -> i64 {
    header(record, name).parse().unwrap()
}

/// Sequences run from 1 without gaps, each once.
fn assert_numbered(records: &[Record]) -> Vec<&Record> {
    for (record, expected) in records.iter().zip(1..) {
        let (offset, sequence) = (record.offset, number_in(record, "sequence"));
        assert_eq!(sequence, expected, "offset={offset}");
    }
    records.iter().collect()
}

/// From the key, `sku_id|territory_id|ds`.
pub(super) fn cell_of(record: &Record) -> Cell {
    let key = std::str::from_utf8(record.key.as_deref().unwrap()).unwrap();
    let (series, ds) = key.rsplit_once('|').unwrap();
    assert!(series.contains('|'), "{key}");
    (series.to_owned(), ds.parse().unwrap())
}

pub(super) fn revision_of(record: &Record) -> Revision {
    let value = record.payload.as_deref();
    let value = value.map(|bytes| serde_json::from_slice(bytes).unwrap());
    (value, number_in(record, "epoch"))
}

fn cell(row: &Value) -> Cell {
    let text = |name: &str| row[name].as_str().unwrap();
    (text("unique_id").to_owned(), text("ds").parse().unwrap())
}

const COLUMNS: &str = "unique_id, ds, y, y_allocated, y_delivered, returned, unmet_qty, censored, is_zero_filled, revision, \
                       CAST(as_of AS BIGINT) / 1000 AS as_of";

/// All revisions in the table, in their order.
fn stored(project: &Project) -> BTreeMap<Cell, Vec<Revision>> {
    let query = format!(
        "SELECT {COLUMNS}, epoch, n FROM feeds_revisions.demand_daily ORDER BY unique_id, ds, revision"
    );
    let mut stored: BTreeMap<Cell, Vec<Revision>> = BTreeMap::new();
    for mut row in project.query(&query).unwrap() {
        let revisions = stored.entry(cell(&row)).or_default();
        assert_eq!(
            number(&row["revision"]),
            revisions.len() as i64 + 1,
            "{row}"
        );
        let columns = row.as_object_mut().unwrap();
        let (epoch, n) = (columns.remove("epoch"), columns.remove("n"));
        let holds = number(&n.unwrap()) > 0;
        revisions.push((holds.then_some(row), number(&epoch.unwrap())));
    }
    stored
}

/// The latest revisions, as readers of the table see them.
fn in_force(project: &Project) -> BTreeMap<Cell, Value> {
    let rows = project
        .query(&format!("SELECT {COLUMNS} FROM feeds.demand_daily"))
        .unwrap();
    let count = rows.len();
    let rows: BTreeMap<Cell, Value> = rows.into_iter().map(|row| (cell(&row), row)).collect();
    assert_eq!(rows.len(), count, "a cell has two rows in force");
    rows
}

/// A series runs from its first day with demand to the last complete day, which is the same for all.
fn assert_no_gaps(held: &BTreeMap<Cell, Value>) {
    let mut series: BTreeMap<&str, Vec<NaiveDate>> = BTreeMap::new();
    for (name, ds) in held.keys() {
        series.entry(name).or_default().push(*ds);
    }
    let last = last_day();
    assert!(series.len() > 50, "series={}", series.len());
    for (name, days) in series {
        for pair in days.windows(2) {
            assert_eq!(pair[1], pair[0] + Days::new(1), "{name} has a gap");
        }
        assert_eq!(days.last(), Some(&last), "{name} ends early");
        let first = &held[&(name.to_owned(), days[0])];
        assert!(number(&first["y"]) > 0, "{name} begins without demand");
    }
}

/// SKUs that are short and have no plan, for any class or area, from the first day to the last (K27).
fn unplanned_skus(project: &Project) -> BTreeSet<String> {
    let query = "SELECT sku_id FROM ref.ref_sku WHERE supply_status = 'CONSTRAINED' \
                 AND sku_id NOT IN (SELECT sku_id FROM ref.ref_allocation_plan)";
    let rows = project.query(query).unwrap();
    let names = rows.iter().map(|row| row["sku_id"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

/// Days with facts say what M01 says, days without are zeros that say so.
fn assert_demand(held: &BTreeMap<Cell, Value>, project: &Project) {
    let query = "SELECT sku_id || '|' || territory_id AS unique_id, window_date AS ds, sum(requested_qty) AS y, \
                 sum(allocated_qty) AS y_allocated, sum(delivered_qty) AS y_delivered, sum(returned_qty) AS returned, \
                 sum(unmet_qty) AS unmet_qty, sum(orders) AS orders, sum(censored_orders_n) > 0 AS censored, false AS is_zero_filled \
                 FROM metrics.demand_orders WHERE window_kind = 'D1' GROUP BY 1, 2";
    let mut rows = project.query(query).unwrap();
    let unplanned = unplanned_skus(project);
    let is_unplanned = |series: &str| unplanned.contains(series.split('|').next().unwrap());
    for row in &mut rows {
        if number(&row["orders"]) == 0 {
            row["censored"] = is_unplanned(row["unique_id"].as_str().unwrap()).into();
        }
    }
    let demand: BTreeMap<Cell, &Value> = rows.iter().map(|row| (cell(row), row)).collect();
    let mut nothing = json!({"y": 0, "y_allocated": 0, "y_delivered": 0, "returned": 0, "unmet_qty": 0,
                             "censored": false, "is_zero_filled": true});
    let names: Vec<String> = nothing.as_object().unwrap().keys().cloned().collect();
    let mut seen = BTreeSet::new();
    for (at, row) in held {
        nothing["censored"] = is_unplanned(&at.0).into();
        let expected = demand.get(at).copied().unwrap_or(&nothing);
        for name in &names {
            assert_eq!(row[name], expected[name], "{at:?} {name}");
        }
        seen.insert((row["censored"] == true, row["is_zero_filled"] == true));
    }
    assert_eq!(
        seen.len(),
        4,
        "days with and without orders, censored and not: {seen:?}"
    );
    let zeros = held
        .keys()
        .filter(|cell| !demand.contains_key(cell))
        .count();
    assert!(zeros > 0, "nothing had to be filled");
    for (at, row) in &demand {
        let is_before = !held.contains_key(at);
        assert!(
            !is_before || number(&row["y"]) == 0,
            "{at:?} has demand and is not in the feed"
        );
    }
}

/// No event here is late: a zero that facts took the place of was said before its day had been computed.
fn assert_no_zero_too_early(sent: &BTreeMap<Cell, Vec<Revision>>) {
    let is_filled = |revision: &Revision| {
        let (value, _) = revision;
        value.as_ref().map(|value| value["is_zero_filled"] == true)
    };
    for (cell, revisions) in sent {
        for pair in revisions.windows(2) {
            let [before, after] = [is_filled(&pair[0]), is_filled(&pair[1])];
            assert!(
                (before, after) != (Some(true), Some(false)),
                "{cell:?} was zero in epoch={} and demand in epoch={}",
                pair[0].1,
                pair[1].1
            );
        }
    }
}
