//! The labels of a dirty run, computed independently: K3-K5 by the decoder of `schemas`, K6 by a plain function.

use std::collections::{BTreeMap, BTreeSet};

use schemas::event::{Topic, decode};
use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};
use serde_json::Value;

use super::log::LIMITS;
use super::run::{Label, Record, Run, demo, dirty, instant};
use crate::Plan;

/// One topic partition: accepted `occurred_at` by id, and the highest of them.
#[derive(Default)]
struct PartitionState {
    accepted: BTreeMap<String, TimestampMs>,
    highest: TimestampMs,
}

fn judge(
    record: &Record,
    partitions: u32,
    states: &mut BTreeMap<(Topic, u32), PartitionState>,
) -> Option<&'static str> {
    let event = match decode(record.topic, Some(&record.payload), &LIMITS) {
        Ok(event) => event,
        Err(rejection) => return Some(rejection.reason.as_str()),
    };
    let occurred_at = event.occurred_at();
    if occurred_at > event.recorded_at() + LIMITS.max_future_skew {
        return Some("future_dated");
    }
    if event
        .key()
        .is_some_and(|key| partition_of(key.as_bytes(), partitions) != record.partition)
    {
        return Some("misplaced_key");
    }
    let state = states.entry((record.topic, record.partition)).or_default();
    let span = match record.topic {
        Topic::Orders => DurationMs::from_days(2) + DurationMs::from_secs(60),
        Topic::Complaints => DurationMs::from_days(2) + DurationMs::from_secs(5),
        Topic::Visits | Topic::Prices => DurationMs::from_days(7) + DurationMs::from_secs(600),
    };
    let limit = state.highest - span;
    if occurred_at < limit {
        return Some("too_late");
    }
    if state
        .accepted
        .get(event.event_id())
        .is_some_and(|accepted| *accepted >= limit)
    {
        return Some("duplicate");
    }
    state
        .accepted
        .insert(event.event_id().to_owned(), occurred_at);
    state.highest = state.highest.max(occurred_at);
    None
}

#[test]
fn k03_k06_labels_equal_independently_computed_verdicts() {
    for (seed, partitions) in [(1, 4), (2, 1), (3, 3)] {
        let plan = Plan {
            seed,
            partitions,
            ..dirty()
        };
        let run = Run::of(&plan);
        let mut states = BTreeMap::new();
        let mut expected = Vec::new();
        for record in &run.records {
            if let Some(reason) = judge(record, partitions, &mut states) {
                expected.push(Label {
                    topic: record.topic.default_topic(),
                    partition: record.partition,
                    offset: record.offset,
                    reason,
                });
            }
        }
        assert_eq!(run.labels, expected, "seed={seed}");
        let accepted = run.records.len() - expected.len();
        assert_eq!(run.summary.by_verdict["accepted"], accepted as u64);
    }
}

#[test]
fn a_dirty_run_contains_every_reason_that_a_file_can_contain() {
    let run = Run::of(&dirty());
    let found: BTreeSet<_> = run.labels.iter().map(|label| label.reason).collect();
    let expected = BTreeSet::from([
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
    ]);
    assert_eq!(found, expected);
    let bad_share = run.labels.len() * 1_000 / run.records.len();
    assert!((8..25).contains(&bad_share), "{bad_share} per mille");
}

#[test]
fn a_dirty_run_contains_every_event_of_the_clean_run() {
    let ids = |run: &Run| -> BTreeSet<String> {
        run.records
            .iter()
            .filter_map(|record| serde_json::from_slice::<Value>(&record.payload).ok())
            .filter_map(|event| event["event_id"].as_str().map(str::to_owned))
            .collect()
    };
    let clean = ids(&Run::of(&demo()));
    assert!(clean.is_subset(&ids(&Run::of(&dirty()))));
}

#[test]
fn a_dirty_run_has_accepted_records_beyond_the_bound_of_disorder() {
    let run = Run::of(&dirty());
    let labelled: BTreeSet<_> = run
        .labels
        .iter()
        .map(|label| (label.topic, label.partition, label.offset))
        .collect();
    let mut highest: BTreeMap<(Topic, u32), TimestampMs> = BTreeMap::new();
    let mut beyond = 0;
    for record in &run.records {
        if labelled.contains(&(
            record.topic.default_topic(),
            record.partition,
            record.offset,
        )) {
            continue;
        }
        let occurred_at = instant(&record.json()["occurred_at"]);
        let highest = highest
            .entry((record.topic, record.partition))
            .or_insert(occurred_at);
        beyond += u32::from(occurred_at < *highest - record.topic.default_out_of_orderness());
        *highest = occurred_at.max(*highest);
    }
    assert!(beyond > 30, "beyond={beyond}");
}
