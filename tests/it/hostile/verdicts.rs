//! Thousands of hostile records: the verdict on each is the oracle's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tests::by_hand::{line, write_customers};
use tests::event_schemas::event_schemas;
use tests::events::{Events, Line, TOPICS};
use tests::project::Project;

use super::generate::{CANARY, PARTITIONS, record};
use crate::bad_input::{NOON_MS, order};
use crate::proof::{expect_with, number, seed};

const RECORDS: usize = 6_000;

/// (topic, partition, offset) → verdict or reason.
type Verdicts = BTreeMap<(String, i64, i64), String>;

#[test]
fn f18_f19_hostile_records_get_the_verdicts_of_the_oracle() {
    let seed = seed();
    println!("VITRINE_TEST_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let events = Events::in_folder(folder.path().join("events"));
    let mut lines = written(seed);
    let first = line(&order("e-0", NOON_MS));
    let partition = schemas::partition::partition_of(b"C1", PARTITIONS);
    lines
        .get_mut(&(TOPICS[0], partition))
        .unwrap()
        .insert(0, first);
    for ((topic, partition), lines) in &lines {
        events.write(topic, *partition as usize, lines).unwrap();
    }
    let reference = events.reference();
    write_customers(&reference, &[]).unwrap();

    let expected = folder.path().join("expected");
    expect_with(&events, &reference, &expected);
    let expected = of_the_oracle(&fs::read_to_string(expected.join("verdicts.csv")).unwrap());

    // Two thirds are dead here, which a service would stop at.
    let project = Project::on_files(&events)
        .unwrap()
        .set("VITRINE__LIMITS__DEAD_LETTER_STOP_RATIO", "1.0");
    project.run(&["run", "--drain"]).unwrap();
    let found = of_the_product(&project, expected.keys());
    let differing: Vec<String> = expected
        .iter()
        .filter(|(place, verdict)| found.get(*place) != Some(*verdict))
        .map(|((topic, partition, offset), verdict)| {
            let line = &lines[&(topic_of(topic), *partition as u32)][*offset as usize];
            let place = (topic.clone(), *partition, *offset);
            let text: String = String::from_utf8_lossy(line).chars().take(2_000).collect();
            format!(
                "oracle={verdict} product={:?} {place:?} {text}",
                found.get(&place)
            )
        })
        .collect();
    assert!(
        differing.is_empty(),
        "seed={seed}: {} differ, such as\n{}",
        differing.len(),
        differing[..differing.len().min(5)].join("\n")
    );

    // Whatever can happen to a record of a file has happened to one.
    let reasons: BTreeSet<&str> = expected.values().map(String::as_str).collect();
    let all = [
        "accepted",
        "bad_value",
        "duplicate",
        "future_dated",
        "invalid_utf8",
        "malformed_json",
        "misplaced_key",
        "missing_field",
        "tombstone",
        "too_large",
        "too_late",
        "unknown_event_type",
        "unsupported_schema_version",
    ];
    assert_eq!(reasons.into_iter().collect::<Vec<_>>(), all, "seed={seed}");
    assert_no_canary(&project);
    // The records of the far future moved no watermark, and the books balance.
    project.run(&["audit"]).unwrap();
}

/// What a person typed stands in ids at most (K29, K42, K46).
fn assert_no_canary(project: &Project) {
    let is_id = |column: &str| {
        let names = ["base_ref", "corrects", "scope", "customer_ids"];
        column.ends_with("_id") || names.contains(&column)
    };
    let mut in_ids = 0;
    for topic in TOPICS.map(|topic| topic.trim_end_matches(".v1")) {
        let rows = project.query(&format!("SELECT * FROM events.{topic}"));
        for row in rows.unwrap() {
            let mut pending: Vec<(String, &Value)> = vec![(topic.to_owned(), &row)];
            while let Some((column, value)) = pending.pop() {
                match value {
                    Value::Object(fields) => {
                        pending.extend(fields.iter().map(|(name, value)| (name.clone(), value)));
                    }
                    Value::Array(items) => {
                        pending.extend(items.iter().map(|item| (column.clone(), item)));
                    }
                    Value::String(text) if text.contains(CANARY) => {
                        assert!(is_id(&column), "{topic}.{column}: {row}");
                        in_ids += 1;
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(in_ids > 0, "no canary was accepted anywhere");
}

/// The lines of every file.
fn written(seed: u64) -> BTreeMap<(&'static str, u32), Vec<Line>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let schemas = event_schemas().unwrap();
    let mut files: BTreeMap<(&'static str, u32), Vec<Line>> = BTreeMap::new();
    for topic in TOPICS {
        for partition in 0..PARTITIONS {
            files.insert((topic, partition), Vec::new());
        }
    }
    for number in 1..RECORDS {
        let one = schemas.choose(&mut random).unwrap();
        let (partition, line) = record(one, number, &mut random);
        let line = line.into_iter().filter(|byte| *byte != b'\n').collect();
        files.get_mut(&(one.topic, partition)).unwrap().push(line);
    }
    files
}

fn topic_of(name: &str) -> &'static str {
    TOPICS
        .into_iter()
        .find(|topic| topic.trim_end_matches(".v1") == name)
        .unwrap()
}

fn of_the_oracle(csv: &str) -> Verdicts {
    csv.lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let mut next = || cells.next().unwrap();
            let topic = next().trim_end_matches(".v1").to_owned();
            let place = (topic, next().parse().unwrap(), next().parse().unwrap());
            (place, next().to_owned())
        })
        .collect()
}

/// From the tables that hold records; one that is in none was a duplicate.
fn of_the_product<'a>(
    project: &Project,
    places: impl Iterator<Item = &'a (String, i64, i64)>,
) -> Verdicts {
    let mut found: Verdicts = BTreeMap::new();
    let mut add = |query: &str| {
        for row in project.query(query).unwrap() {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let topic = text("topic").trim_end_matches(".v1").to_owned();
            let place = (topic, number(&row["partition"]), number(&row["offset"]));
            let twice = found.insert(place, text("verdict"));
            assert_eq!(twice, None, "two verdicts on {row}");
        }
    };
    let columns = r#""partition", "offset""#;
    add(&format!(
        "SELECT topic, {columns}, reason AS verdict FROM ops.dead_letters"
    ));
    add(&format!(
        "SELECT topic, {columns}, 'too_late' AS verdict FROM ops.late_events"
    ));
    for topic in TOPICS.map(|topic| topic.trim_end_matches(".v1")) {
        add(&format!(
            "SELECT '{topic}' AS topic, {columns}, 'accepted' AS verdict FROM events.{topic}"
        ));
    }
    for place in places {
        found
            .entry(place.clone())
            .or_insert_with(|| "duplicate".to_owned());
    }
    let duplicates = found.values().filter(|verdict| *verdict == "duplicate");
    let counted = project.number("SELECT sum(duplicate_n) FROM ops.conservation");
    assert_eq!(counted.unwrap(), duplicates.count() as i64);
    found
}
