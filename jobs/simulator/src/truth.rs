//! Ground truth that the pipeline has to find out: labels, true quantities, anomalies.

use std::collections::BTreeMap;

use schemas::time::TimestampMs;
use serde::Serialize;

/// A record that must not be accepted: one line of `truth/dirty.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirtyRecord<'r> {
    /// Topic folder.
    pub topic: &'static str,
    pub partition: u32,
    /// Line number in the file, from 0.
    pub offset: u64,
    /// `None` if the record has no readable one.
    pub event_id: Option<&'r str>,
    /// A reason of K3.
    pub reason: &'static str,
}

/// True sales of a SKU by a sample retailer between two stock counts: one line of `truth/sell_through.ndjson`.
///
/// `previous_stock_qty` + deliveries − returns in (`from`, `to`] = `sold_qty` + `stock_qty`, all of them true quantities. A wrong
/// count reports `stock_qty` + `miscount_qty`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoldInterval<'s> {
    pub customer_id: &'s str,
    pub sku_id: &'s str,
    /// Instant of the previous count.
    pub from: TimestampMs,
    /// Instant of this count.
    pub to: TimestampMs,
    pub previous_stock_qty: i64,
    pub stock_qty: i64,
    pub sold_qty: i64,
    /// Counted minus true.
    pub miscount_qty: i64,
}

/// A planted anomaly: one line of `truth/anomalies.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    pub kind: &'static str,
    /// Ids of its subjects, by name of the id.
    pub subjects: BTreeMap<&'static str, String>,
    pub from: TimestampMs,
    /// Exclusive.
    pub to: TimestampMs,
    /// The rule that should detect it (`DOMAIN.md` 5).
    pub expected_rule: &'static str,
}
