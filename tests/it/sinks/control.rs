//! Control records of the demand feed: they say what the records before them and `feeds.status` say.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use pipeline::source::Record;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::project::Project;

use super::demand::{cell_of, header, number_in, revision_of};

/// The day that a control record is about.
pub(super) fn controlled(record: &Record) -> Option<NaiveDate> {
    let key = std::str::from_utf8(record.key.as_deref().unwrap()).unwrap();
    key.strip_prefix("control|").map(|ds| ds.parse().unwrap())
}

/// Each day of the run is final once, is restated if it changes after that, and both with the rows that a reader has by then.
pub(super) fn assert_controls(records: &[&Record], project: &Project, last_day: NaiveDate) {
    let mut held: BTreeMap<NaiveDate, BTreeMap<String, Value>> = BTreeMap::new();
    let (mut finals, mut restated) = (BTreeSet::new(), BTreeSet::new());
    let mut said = Vec::new();
    for record in records {
        let Some(ds) = controlled(record) else {
            let (series, ds) = cell_of(record);
            let day = held.entry(ds).or_default();
            match revision_of(record).0 {
                Some(value) => drop(day.insert(series, value)),
                None => drop(day.remove(&series)),
            }
            if finals.contains(&ds) {
                restated.insert(ds);
            }
            continue;
        };
        let control = header(record, "control");
        match control {
            "final" => assert!(finals.insert(ds), "{ds} is final twice"),
            "restated" => assert!(restated.remove(&ds), "{ds} is restated and did not change"),
            other => panic!("{ds} is {other}"),
        }
        let day = held.entry(ds).or_default();
        let body: Value = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
        let expected = json!({"feed": "demand_daily", "ds": ds.to_string(), "control": control, "rows": day.len(),
                              "checksum": checksum(day)});
        assert_eq!(body, expected);
        let mut row = expected;
        row["sequence"] = number_in(record, "sequence").into();
        row["epoch"] = number_in(record, "epoch").into();
        said.push(row);
    }
    assert!(
        restated.is_empty(),
        "changed after being final, and nothing said: {restated:?}"
    );
    let first_day = *held.keys().next().unwrap();
    let days: BTreeSet<NaiveDate> = first_day
        .iter_days()
        .take_while(|day| *day <= last_day)
        .collect();
    assert_eq!(finals, days);
    let query = "SELECT feed, ds, control, \"rows\", checksum, sequence, epoch FROM feeds.status ORDER BY sequence";
    assert_eq!(project.query(query).unwrap(), said);
    let open = "SELECT count(*) FROM feeds.demand_daily WHERE NOT is_final";
    assert_eq!(project.number(open).unwrap(), 0, "the run was drained");
}

/// As `schemas::table` documents it: SHA-256 of a line a row, in the order of `unique_id`.
fn checksum(day: &BTreeMap<String, Value>) -> String {
    const COLUMNS: [&str; 7] = [
        "y",
        "y_allocated",
        "y_delivered",
        "returned",
        "unmet_qty",
        "censored",
        "is_zero_filled",
    ];
    let mut hash = Sha256::new();
    for (series, row) in day {
        let ds = row["ds"].as_str().unwrap();
        let values = COLUMNS.map(|column| row[column].to_string()).join("|");
        hash.update(format!("{series}|{ds}|{values}\n"));
    }
    format!("{:x}", hash.finalize())
}
