//! Metric queries: one folder per metric, with the SQL that the engine runs in each place (design 3.3).
//!
//! ```text
//!  facts.* ─ stream.sql ─▶ panes.<metric> ─ shard.sql ─▶ rows or parts.<metric> ─ public.sql ─▶ metrics.<metric>
//!            linear, per day                at a round, inside a shard               at the publisher
//! ```
//!
//! The first query of a metric begins with a header of `-- key: value` lines (metric, facts, windows, clock, look_back,
//! look_ahead, scope), followed by what is measured. A number that only other metrics read is a part like any other.

#[cfg(test)]
mod tests;

use pipeline::round::MetricQueries;

/// The queries in the folder of a metric.
macro_rules! metric {
    ($name:literal: $($place:ident),+) => {
        MetricQueries {
            $($place: Some(include_str!(concat!("../../metrics/", $name, "/", stringify!($place), ".sql"))),)+
            ..MetricQueries { name: $name, stream: None, shard: None, public: None }
        }
    };
}

/// Every metric, each after those whose panes or rows it reads.
pub fn queries() -> Vec<MetricQueries> {
    vec![
        metric!("demand_orders": stream, shard, public),
        metric!("sell_through": stream, shard),
        metric!("stock_to_sales": stream, shard),
        metric!("retailer_margin_by_sku": stream, shard),
        metric!("retailer_margin": shard),
        metric!("satisfaction": stream, shard, public),
        metric!("satisfaction_response": stream, public),
        metric!("sla_compliance": stream, public),
    ]
}
