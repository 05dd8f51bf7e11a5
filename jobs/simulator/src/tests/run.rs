//! A run with everything that it produces.

use schemas::event::Topic;
use schemas::time::TimestampMs;
use serde_json::Value;

use crate::{DirtyRecord, Error, EventSink, Plan, SimulationSummary, SoldInterval, generate};

/// A record as the sink received it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    pub topic: Topic,
    pub partition: u32,
    pub offset: u64,
    pub key: String,
    pub arrived_at: TimestampMs,
    pub payload: Vec<u8>,
}

impl Record {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }
}

/// A label of `truth/dirty.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    pub topic: &'static str,
    pub partition: u32,
    pub offset: u64,
    pub reason: &'static str,
}

/// A line of `truth/sell_through.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sold {
    pub customer_id: String,
    pub sku_id: String,
    pub from: TimestampMs,
    pub to: TimestampMs,
    pub previous_stock_qty: i64,
    pub stock_qty: i64,
    pub sold_qty: i64,
    pub miscount_qty: i64,
}

/// Everything that a run produces.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Run {
    pub records: Vec<Record>,
    pub labels: Vec<Label>,
    pub sold: Vec<Sold>,
    pub summary: SimulationSummary,
    pub offsets: std::collections::BTreeMap<(Topic, u32), u64>,
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
    pub(super) fn of(plan: &Plan) -> Self {
        let mut run = Self::default();
        run.summary = generate(plan, &mut run).unwrap();
        run
    }

    /// The payloads of one event type.
    pub(super) fn events(&self, event_type: &str) -> Vec<Value> {
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
    pub(super) fn standing(&self, event_type: &str) -> Vec<Value> {
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

pub(super) fn demo() -> Plan {
    Plan::default()
}

pub(super) fn dirty() -> Plan {
    Plan {
        dirty: true,
        ..demo()
    }
}

pub(super) fn int(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

pub(super) fn instant(value: &Value) -> TimestampMs {
    TimestampMs::from_ms(int(value))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
