//! Arrival order cannot matter (P2): the same events in another order, prices last, give the same latest rows.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tests::events::{Events, KEYED, Line, TOPICS};
use tests::project::Project;

use crate::proof::{Sample, assert_equal, seed};

const HOUR_MS: i64 = 3_600_000;

/// Shuffled within blocks of 36 hours of event time: less than the two days that orders may come late.
#[test]
fn events_in_another_order() {
    let sample = Sample::three_weeks();
    let seed = seed();
    println!("seed={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let events = sample.events.copy(folder.path().join("events")).unwrap();
    for topic in TOPICS {
        for (partition, lines) in events.partitions(topic).unwrap().into_iter().enumerate() {
            let mut blocks: BTreeMap<i64, Vec<Line>> = BTreeMap::new();
            for line in lines {
                let block = instant(&line, "occurred_at").div_euclid(36 * HOUR_MS);
                blocks.entry(block).or_default().push(line);
            }
            let mut shuffled = Vec::new();
            for mut block in blocks.into_values() {
                block.shuffle(&mut random);
                shuffled.extend(block);
            }
            events.write(topic, partition, &shuffled).unwrap();
        }
    }
    same_rows(&events, sample);
}

/// Files are merged by `recorded_at`, so prices come last where that says they were written down last: no event is judged
/// by it but as the future, and of two events at one instant the later one wins, which it decides only among prices.
#[test]
fn prices_last() {
    let sample = Sample::three_weeks();
    let folder = tempfile::tempdir().unwrap();
    let events = sample.events.copy(folder.path().join("events")).unwrap();
    let last = KEYED
        .into_iter()
        .flat_map(|topic| events.partitions(topic).unwrap())
        .flatten()
        .map(|line| instant(&line, "recorded_at"))
        .max()
        .unwrap();
    for (partition, lines) in events
        .partitions("prices.v1")
        .unwrap()
        .into_iter()
        .enumerate()
    {
        let later: Vec<Line> = lines
            .iter()
            .map(|line| {
                let mut event: Value = serde_json::from_slice(line).unwrap();
                event["recorded_at"] = (instant(line, "recorded_at") + last).into();
                event.to_string().into_bytes()
            })
            .collect();
        events.write("prices.v1", partition, &later).unwrap();
    }
    same_rows(&events, sample);
}

/// Many small seals and epochs, so that rows are published before what changes them has come.
fn same_rows(events: &Events, sample: &Sample) {
    let project = Project::on_files(events)
        .unwrap()
        .set("VITRINE__EPOCH__SEAL_EVERY", "50ms")
        .set("VITRINE__EPOCH__INTERVAL", "500ms")
        .set("VITRINE__EPOCH__REVISE_EVERY", "1s");
    project.run(&["run", "--drain"]).unwrap();
    let lost = "SELECT sum(too_late_n + dead_letter_n) FROM ops.conservation";
    assert_eq!(
        project.number(lost).unwrap(),
        0,
        "nothing may be lost by its place"
    );
    assert_equal(&project, &sample.expected);
}

pub(crate) fn instant(line: &[u8], field: &str) -> i64 {
    let event: Value = serde_json::from_slice(line).unwrap();
    event[field].as_i64().unwrap()
}
