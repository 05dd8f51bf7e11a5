//! The logs: determinism, order, keys, contents.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic, decode};
use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};

use super::run::{Run, demo, dirty, instant, int, text};
use crate::Plan;

/// Contract 2's defaults.
pub(super) const LIMITS: Limits = Limits {
    max_future_skew: DurationMs::from_minutes(5),
    max_record_bytes: 1_048_576,
};

#[test]
fn the_same_plan_gives_the_same_records_and_another_seed_others() {
    let plan = Plan {
        customers: 120,
        ..dirty()
    };
    assert_eq!(Run::of(&plan), Run::of(&plan));
    let other = Plan {
        seed: 2,
        ..plan.clone()
    };
    assert_ne!(Run::of(&plan).records, Run::of(&other).records);
}

#[test]
fn the_number_of_partitions_changes_only_where_records_are() {
    let payloads = |partitions| {
        let plan = Plan {
            partitions,
            customers: 60,
            ..demo()
        };
        let records = Run::of(&plan).records;
        records
            .into_iter()
            .map(|record| record.payload)
            .collect::<Vec<_>>()
    };
    assert_eq!(payloads(1), payloads(7));
}

#[test]
fn records_are_in_order_of_arrival_and_clean_ones_record_it() {
    for plan in [demo(), dirty()] {
        let run = Run::of(&plan);
        assert!(run.records.is_sorted_by_key(|record| record.arrived_at));
    }
    for record in Run::of(&demo()).records {
        assert_eq!(instant(&record.json()["recorded_at"]), record.arrived_at);
    }
}

#[test]
fn a_clean_run_keeps_within_the_bounds_of_disorder() {
    let mut highest: BTreeMap<(Topic, u32), TimestampMs> = BTreeMap::new();
    let mut is_disordered = false;
    for record in Run::of(&demo()).records {
        let occurred_at = instant(&record.json()["occurred_at"]);
        let highest = highest
            .entry((record.topic, record.partition))
            .or_insert(occurred_at);
        assert!(occurred_at >= *highest - record.topic.default_out_of_orderness());
        is_disordered |= occurred_at < *highest;
        *highest = occurred_at.max(*highest);
    }
    assert!(is_disordered, "a run without any disorder proves nothing");
}

#[test]
fn every_clean_record_decodes_without_unknown_values_and_is_in_the_partition_of_its_key() {
    let plan = demo();
    let run = Run::of(&plan);
    for topic in Topic::ALL {
        let mut batch = EventBatchBuilder::new(topic);
        for record in run.records.iter().filter(|record| record.topic == topic) {
            let event = decode(topic, Some(&record.payload), &LIMITS).unwrap_or_else(|rejection| {
                panic!(
                    "{rejection:?}: {}",
                    String::from_utf8_lossy(&record.payload)
                )
            });
            if let Some(key) = event.key() {
                assert_eq!(key, record.key);
            }
            assert_eq!(
                partition_of(record.key.as_bytes(), plan.partitions),
                record.partition
            );
            batch.append(
                &event,
                &Place {
                    partition: record.partition as i32,
                    offset: record.offset as i64,
                    timestamp: None,
                },
            );
        }
        let columns = batch.finish();
        let unknown: Vec<&str> = texts(&columns)
            .filter_map(|(column, text)| (text == "UNKNOWN").then_some(column))
            .collect();
        assert!(
            unknown.is_empty(),
            "neither names nor codes in {topic:?}: {unknown:?}"
        );
    }
    assert_eq!(run.labels, []);
    assert_eq!(
        run.summary.by_verdict,
        BTreeMap::from([("accepted", run.records.len() as u64)])
    );
}

/// Every text of the columns and of the columns of their lists, with the name of its column.
fn texts(columns: &RecordBatch) -> impl Iterator<Item = (&str, &str)> {
    let schema = columns.schema_ref().fields().iter().zip(columns.columns());
    schema.flat_map(|(field, column)| {
        let mut found: Vec<(&str, &ArrayRef)> = vec![(field.name(), column)];
        if let Some(list) = column.as_list_opt::<i32>() {
            match list.values().as_struct_opt() {
                Some(items) => found.extend(items.column_names().into_iter().zip(items.columns())),
                None => found.push((field.name(), list.values())),
            }
        }
        found.into_iter().flat_map(|(name, column)| {
            let texts = column.as_string_opt::<i32>().into_iter().flatten();
            texts.flatten().map(move |text| (name, text))
        })
    })
}

#[test]
fn event_ids_are_unique_uuids_of_version_7() {
    let run = Run::of(&demo());
    let mut ids = std::collections::BTreeSet::new();
    for record in &run.records {
        let event = record.json();
        let id = text(&event["event_id"]).to_owned();
        let digits = id.replace('-', "");
        let milliseconds = i64::from_str_radix(&digits[..12], 16).unwrap();
        assert_eq!(milliseconds, int(&event["occurred_at"]));
        assert_eq!((&digits[12..13], id.len()), ("7", 36));
        assert!(ids.insert(id));
    }
}

/// Event types of `DOMAIN.md` 3 that 28 days must contain.
const EXPECTED: [&str; 50] = [
    "order.placed",
    "order.amended",
    "order.approval_requested",
    "order.approved",
    "order.rejected",
    "order.confirmed",
    "order.allocated",
    "order.settled",
    "order.dispatched",
    "order.delivered",
    "order.returned",
    "order.exchanged",
    "order.refunded",
    "order.followed_up",
    "order.cancelled",
    "order.closed",
    "order.payment_due",
    "order.payment_received",
    "visit.plan_submitted",
    "visit.planned",
    "visit.rescheduled",
    "visit.cancelled",
    "visit.day_signed_in",
    "visit.started",
    "visit.completed",
    "visit.info_collected",
    "visit.class_checked",
    "visit.customer_info_changed",
    "visit.customer_info_updated",
    "case.opened",
    "case.call_ended",
    "case.answered",
    "promise.made",
    "promise.kept",
    "case.relayed",
    "case.transferred",
    "case.resource_replied",
    "case.dept_notified",
    "case.customer_informed",
    "case.progress_checked",
    "case.resolved",
    "case.closed",
    "case.repair_completed",
    "case.cause_analysed",
    "callback.attempted",
    "survey.sent",
    "survey.answered",
    "day.closed",
    "price.observed",
    "price.list_set",
];

#[test]
fn four_weeks_of_500_customers_contain_every_expected_event_type() {
    let plan = Plan { days: 28, ..demo() };
    let run = Run::of(&plan);
    for event_type in EXPECTED {
        assert!(
            run.summary.by_type.contains_key(event_type),
            "{event_type} is missing"
        );
    }
    assert!(
        (30_000..60_000).contains(&run.summary.records),
        "{}",
        run.summary.records
    );
    for kind in ["RESCUE", "COMPLAINT", "ENQUIRY"] {
        assert!(
            run.events("case.opened")
                .iter()
                .any(|case| case["case_kind"] == kind)
        );
    }
    let closed = run.events("case.closed");
    assert!(
        closed
            .iter()
            .any(|case| case["resolution_kind"] == "WITHDRAWN")
    );
    let placed = run.events("order.placed");
    let lines: Vec<_> = placed
        .iter()
        .flat_map(|order| order["lines"].as_array().unwrap())
        .collect();
    let unpriced = lines
        .iter()
        .filter(|line| line["wholesale_price_fen"].is_null())
        .count();
    assert!(
        unpriced * 100 > lines.len() && unpriced * 10 < lines.len(),
        "{unpriced} of {}",
        lines.len()
    );
    for event_type in [
        "order.placed",
        "order.delivered",
        "visit.info_collected",
        "price.observed",
    ] {
        let corrections = run
            .events(event_type)
            .iter()
            .filter(|event| event["corrects"].is_string())
            .count();
        assert!(corrections > 0, "no {event_type} is corrected");
    }
}
