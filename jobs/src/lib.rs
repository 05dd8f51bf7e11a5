//! The distributor's part of Vitrine: what the engine computes.
//!
//! ```text
//! operator/   events of one key ─▶ facts         order lines, sell-through, counts, prices, surveys, service steps
//! metrics/    facts ─▶ sums ─▶ rows, in SQL      one folder per metric in jobs/metrics: stream.sql, shard.sql, public.sql
//! reference/  reference data, list prices        what operators and queries look up, as of an instant
//! alerts/     facts and rows ─▶ transitions      A01, A15; thresholds in jobs/alerts/*.toml, steps in jobs/sla/steps.toml
//! feeds       daily rows ─▶ a gap-free grid      feeds.demand_daily; its query in jobs/feeds
//! catalogue   all of the above, as the engine takes it
//! snapshot    what queries of one epoch may see, as the engine takes it
//! error       one error for the crate
//! ```
//!
//! Start with [`catalogue`], then a metric's folder and the operator whose facts its `stream.sql` reads. Rules, formulas and
//! ids (K9, M06, A15) are defined in `DOMAIN.md` and in the contract. What this crate does not do: time, windows, state, logs,
//! tables (`pipeline`); commands and configuration (`vitrine`); simulated events (`simulator`).

pub mod alerts;
pub mod catalogue;
pub mod error;
pub mod feeds;
pub mod metrics;
pub mod operator;
pub mod reference;
pub mod snapshot;
