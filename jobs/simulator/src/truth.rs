//! What the simulator knows and the pipeline has to find out: labels, hidden quantities, anomalies.

use std::collections::BTreeMap;

use serde::Serialize;

/// A record that must not be accepted: one line of `truth/dirty.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirtyRecord<'r> {
    /// Topic folder.
    pub topic: &'static str,
    pub partition: u32,
    /// Line number in the file, from 0.
    pub offset: u64,
    /// None where the record has no readable one.
    pub event_id: Option<&'r str>,
    /// A reason of K3.
    pub reason: &'static str,
}

/// What a sample retailer truly sold of a SKU between two stock counts: one line of `truth/sell_through.ndjson`.
///
/// `previous_stock_qty` + deliveries − returns in (`from`, `to`] = `sold_qty` + `stock_qty`, all of them true quantities; a
/// count that the retailer got wrong shows `stock_qty` + `miscount_qty` instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoldInterval<'s> {
    pub customer_id: &'s str,
    pub sku_id: &'s str,
    /// Instant of the former count, ms.
    pub from: i64,
    /// Instant of this count, ms.
    pub to: i64,
    pub previous_stock_qty: i64,
    pub stock_qty: i64,
    pub sold_qty: i64,
    /// Counted minus true.
    pub miscount_qty: i64,
}

/// A planted trouble: one line of `truth/anomalies.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    pub kind: &'static str,
    /// Ids of what it is about, by name of the id.
    pub subjects: BTreeMap<&'static str, String>,
    /// ms, end exclusive.
    pub from: i64,
    pub to: i64,
    /// The rule that ought to see it (`DOMAIN.md` 5).
    pub expected_rule: &'static str,
}
