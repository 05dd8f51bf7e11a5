//! The files of a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::run::{Run, demo, dirty, text};
use crate::{Error, Plan, write_dir};

/// All files under a folder, by path.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.extend(
                contents(&path)
                    .into_iter()
                    .map(|(file, bytes)| (format!("{name}/{file}"), bytes)),
            );
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn rows(csv: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv);
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn the_same_plan_writes_the_same_bytes_also_over_an_earlier_run() {
    let plan = Plan {
        customers: 60,
        ..dirty()
    };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_dir(&plan, first.path()).unwrap();
    let earlier = Plan {
        partitions: 9,
        seed: 5,
        ..plan.clone()
    };
    write_dir(&earlier, second.path()).unwrap();
    write_dir(&plan, second.path()).unwrap();
    let (first, second) = (contents(first.path()), contents(second.path()));
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    assert!(first == second, "contents differ");
    assert_eq!(first.len(), 16 + 7 + 4);
}

#[test]
fn the_offset_of_a_label_is_the_line_number_in_the_file() {
    let plan = Plan {
        customers: 200,
        ..dirty()
    };
    let dir = tempfile::tempdir().unwrap();
    let summary = write_dir(&plan, dir.path()).unwrap();
    let files = contents(dir.path());
    let lines = |name: &str| -> Vec<Vec<u8>> {
        let bytes = files[name].strip_suffix(b"\n").unwrap_or(&files[name]);
        bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let mut tombstones = 0;
    for label in lines("truth/dirty.ndjson") {
        let label: Value = serde_json::from_slice(&label).unwrap();
        let log = lines(&format!(
            "{}/{}.ndjson",
            text(&label["topic"]),
            label["partition"]
        ));
        let line = &log[label["offset"].as_u64().unwrap() as usize];
        if let Some(id) = label["event_id"].as_str() {
            assert!(String::from_utf8_lossy(line).contains(id));
        }
        let is_tombstone = label["reason"] == "tombstone";
        assert_eq!(is_tombstone, line == b"null");
        tombstones += u32::from(is_tombstone);
    }
    assert!(tombstones > 0);
    let written: usize = files
        .keys()
        .filter(|name| name.contains(".v1/"))
        .map(|name| lines(name).len())
        .sum();
    assert_eq!(written as u64, summary.records);
    let totals: Value = serde_json::from_slice(&files["truth/summary.json"]).unwrap();
    assert_eq!(totals["records"].as_u64(), Some(summary.records));
    assert_eq!(
        lines("truth/anomalies.ndjson").len(),
        summary.anomalies.len()
    );
}

#[test]
fn reference_data_contain_the_ids_in_events_except_for_one_customer() {
    let plan = demo();
    let dir = tempfile::tempdir().unwrap();
    write_dir(&plan, dir.path()).unwrap();
    let files = contents(dir.path());
    let customers = rows(&files["ref/ref_customer.csv"]);
    let mut versions: BTreeMap<&str, Vec<&BTreeMap<String, String>>> = BTreeMap::new();
    for row in &customers {
        versions.entry(&row["customer_id"]).or_default().push(row);
    }
    assert_eq!(versions.len(), 499, "one of 500 is not listed");
    let moved: Vec<_> = versions.values().filter(|rows| rows.len() == 2).collect();
    assert!(moved.len() >= 5);
    for rows in &moved {
        assert_eq!(rows[0]["valid_to"], rows[1]["valid_from"]);
        assert_eq!(rows[1]["valid_from"], "2026-01-11T16:00:00Z");
        let same = |column: &str| rows[0][column] == rows[1][column];
        assert!(!same("class_id") || !same("territory_id"));
    }
    assert!(
        moved
            .iter()
            .any(|rows| rows[0]["class_id"] != rows[1]["class_id"])
    );
    assert!(
        moved
            .iter()
            .any(|rows| rows[0]["territory_id"] != rows[1]["territory_id"])
    );
    let samples = customers.iter().filter(|row| row["is_sample"] == "true");
    let sample_ids: std::collections::BTreeSet<_> =
        samples.map(|row| row["customer_id"].as_str()).collect();
    assert_eq!(sample_ids.len(), 50);

    let skus: std::collections::BTreeSet<_> = rows(&files["ref/ref_sku.csv"])
        .into_iter()
        .map(|row| row["sku_id"].clone())
        .collect();
    let run = Run::of(&plan);
    let mut unlisted = std::collections::BTreeSet::new();
    for event in run.events("order.placed") {
        let customer_id = text(&event["customer_id"]);
        if !versions.contains_key(customer_id) {
            unlisted.insert(customer_id.to_owned());
        }
        for line in event["lines"].as_array().unwrap() {
            assert!(skus.contains(text(&line["sku_id"])));
        }
    }
    assert_eq!(
        unlisted.len(),
        1,
        "the customer that is not listed orders too"
    );
    for event in run.events("visit.info_collected") {
        assert!(sample_ids.contains(text(&event["customer_id"])));
    }
    let units: std::collections::BTreeSet<_> = rows(&files["ref/ref_unit.csv"])
        .into_iter()
        .map(|row| row["unit_id"].clone())
        .collect();
    for event in run.events("case.opened") {
        assert!(units.contains(text(&event["unit_id"])));
    }
}

#[test]
fn an_empty_or_endless_plan_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for plan in [
        Plan { days: 0, ..demo() },
        Plan {
            customers: 0,
            ..demo()
        },
        Plan {
            partitions: 0,
            ..demo()
        },
    ] {
        let error = write_dir(&plan, dir.path()).unwrap_err();
        assert!(matches!(error, Error::Plan { value: 0, .. }), "{error}");
    }
    let endless = Plan {
        days: 100_000_000,
        ..demo()
    };
    let error = write_dir(&endless, dir.path()).unwrap_err();
    assert!(error.to_string().contains("days=100000000"), "{error}");
    assert!(contents(dir.path()).is_empty());
    let file = dir.path().join("in_the_way");
    fs::write(&file, "").unwrap();
    let error = write_dir(&demo(), &file).unwrap_err();
    assert!(error.to_string().contains("in_the_way"), "{error}");
}
