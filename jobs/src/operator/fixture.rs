//! Event batches and history entries for tests of operators.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use pipeline::history::{EventOrder, EventPlace, HistoryEntry, Operator, OperatorContext};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic, decode};
use schemas::time::{DurationMs, TimestampMs};
use serde_json::{Value, json};

use crate::reference::RetailReference;

/// A place for history entries of which nothing is removed.
pub(crate) const PLACE: EventPlace = EventPlace {
    topic: Topic::Orders,
    partition: 0,
    offset: 0,
};

/// An instant written as RFC 3339.
pub(crate) fn instant(text: &str) -> TimestampMs {
    TimestampMs::from_datetime(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}

/// An instant as a number.
pub(crate) const fn at(ms: i64) -> TimestampMs {
    TimestampMs::from_ms(ms)
}

/// Accepted events of `topic`, from (event_type, occurred_at, further fields); ids are e0, e1, ...
pub(crate) fn batch(topic: Topic, events: &[(&str, &str, Value)]) -> RecordBatch {
    let limits = Limits {
        max_future_skew: DurationMs::from_minutes(5),
        max_record_bytes: 1 << 20,
    };
    let mut builder = EventBatchBuilder::new(topic);
    for (offset, (event_type, occurred_at, fields)) in events.iter().enumerate() {
        let mut record = json!({
            "event_id": format!("e{offset}"),
            "event_type": event_type,
            "schema_version": 1,
            "occurred_at": instant(occurred_at),
            "recorded_at": instant(occurred_at),
            "customer_id": "C1",
        });
        let record = record.as_object_mut().unwrap();
        record.extend(fields.as_object().unwrap().clone());
        let payload = serde_json::to_vec(record).unwrap();
        let event = decode(topic, Some(&payload), &limits)
            .unwrap_or_else(|rejection| panic!("{rejection:?}"));
        let place = Place {
            partition: 0,
            offset: offset as i64,
            timestamp: None,
        };
        builder.append(&event, &place);
    }
    builder.finish()
}

/// What `operator` projects from a batch: (row, key, event).
pub(crate) fn projected<O: Operator>(
    operator: &O,
    topic: Topic,
    batch: &RecordBatch,
) -> Vec<(usize, O::Key, O::Event)> {
    let mut found = Vec::new();
    operator
        .project(topic, batch, &mut |row, key, event| {
            found.push((row, key, event))
        })
        .unwrap();
    found
}

/// A history entry that is ordered by its instant alone.
pub(crate) fn entry<E>(occurred_at: TimestampMs, event: E) -> HistoryEntry<E> {
    HistoryEntry {
        stamp: EventOrder {
            occurred_at,
            recorded_at: occurred_at,
            event_id: format!("e{}", occurred_at.as_ms()).into(),
            place: PLACE,
            part: 0,
        },
        event,
    }
}

/// The facts of one key after all clocks have passed.
pub(crate) fn facts_of<O: Operator<Reference = RetailReference>>(
    operator: &O,
    key: &O::Key,
    history: &[HistoryEntry<O::Event>],
    reference: &RetailReference,
) -> Vec<O::Fact> {
    let mut context = OperatorContext::new(TimestampMs::MAX, reference);
    let mut out = Vec::new();
    operator.facts(key, history, &mut context, &mut out);
    out
}
