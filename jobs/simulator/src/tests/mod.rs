//! Tests of whole runs, by their records and not by the state of the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anomalies;
mod balance;
mod files;
mod log;
mod verdicts;

use schemas::event::Topic;
use schemas::time::TimestampMs;
use serde_json::Value;

use super::*;

/// A record as the sink received it.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    topic: Topic,
    partition: u32,
    offset: u64,
    key: String,
    arrived_at: TimestampMs,
    payload: Vec<u8>,
}

impl Record {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// A label of `truth/dirty.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Label {
    topic: &'static str,
    partition: u32,
    offset: u64,
    reason: &'static str,
}

/// A line of `truth/sell_through.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sold {
    customer_id: String,
    sku_id: String,
    from: TimestampMs,
    to: TimestampMs,
    previous_stock_qty: i64,
    stock_qty: i64,
    sold_qty: i64,
    miscount_qty: i64,
}

/// Everything that a run produces.
#[derive(Debug, Default, PartialEq)]
struct Run {
    records: Vec<Record>,
    labels: Vec<Label>,
    sold: Vec<Sold>,
    summary: SimulationSummary,
    offsets: std::collections::BTreeMap<(Topic, u32), u64>,
}

impl EventSink for Run {
    fn event(
        &mut self,
        topic: Topic,
        partition: u32,
        key: Option<&str>,
        recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), Error> {
        let next = self.offsets.entry((topic, partition)).or_default();
        let offset = *next;
        *next += 1;
        self.records.push(Record {
            topic,
            partition,
            offset,
            key: key.unwrap().to_owned(),
            arrived_at: recorded_at,
            payload: payload.to_vec(),
        });
        Ok(())
    }

    fn dirty(&mut self, record: &DirtyRecord<'_>) -> Result<(), Error> {
        self.labels.push(Label {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            reason: record.reason,
        });
        Ok(())
    }

    fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), Error> {
        self.sold.push(Sold {
            customer_id: interval.customer_id.to_owned(),
            sku_id: interval.sku_id.to_owned(),
            from: interval.from,
            to: interval.to,
            previous_stock_qty: interval.previous_stock_qty,
            stock_qty: interval.stock_qty,
            sold_qty: interval.sold_qty,
            miscount_qty: interval.miscount_qty,
        });
        Ok(())
    }
}

impl Run {
    fn of(plan: &Plan) -> Self {
        let mut run = Self::default();
        run.summary = generate(plan, &mut run).unwrap();
        run
    }

    /// The payloads of one event type.
    fn events(&self, event_type: &str) -> Vec<Value> {
        let needle = format!("\"event_type\":\"{event_type}\",");
        // Every undamaged payload begins with an event_id of 36 characters.
        let start = "{\"event_id\":\"\",".len() + 36;
        self.records
            .iter()
            .filter(|record| {
                record
                    .payload
                    .get(start..)
                    .is_some_and(|rest| rest.starts_with(needle.as_bytes()))
            })
            .map(Record::json)
            .collect()
    }

    /// The same, without corrected events.
    fn standing(&self, event_type: &str) -> Vec<Value> {
        let events = self.events(event_type);
        let corrected: std::collections::BTreeSet<_> = events
            .iter()
            .filter_map(|event| event["corrects"].as_str().map(str::to_owned))
            .collect();
        events
            .into_iter()
            .filter(|event| !corrected.contains(event["event_id"].as_str().unwrap()))
            .collect()
    }
}

fn demo() -> Plan {
    Plan::default()
}

fn dirty() -> Plan {
    Plan {
        dirty: true,
        ..demo()
    }
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn instant(value: &Value) -> TimestampMs {
    TimestampMs::from_ms(int(value))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
