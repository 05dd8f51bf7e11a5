//! The distributor's part of Vitrine: what the engine computes, and the program `vitrine` around it.
//!
//! ```text
//! operator/   events of one key ─▶ facts        order lines, sell-through, counts, prices, surveys, service steps
//! metrics/    facts ─▶ sums ─▶ rows, as SQL      one folder a metric: stream.sql, shard.sql, public.sql
//! world/      reference data, list prices        what operators and texts look up, as of an instant
//! alerts/     facts and rows ─▶ changes          A01, A15; thresholds in ../alerts/*.toml, steps in ../sla.toml
//! feeds/      daily rows ─▶ a gap-free grid      feeds.demand_daily
//! simulate/   a distributor that behaves         events, reference data and the truth about them
//! config/     vitrine.toml
//! cli/        the commands
//! catalogue   all of the above, as the engine takes it
//! ```
//!
//! Start with [`catalogue`], then a metric's folder and the operator whose facts its `stream.sql` reads. Rules, formulas and
//! ids (K9, M06, A15) are those of the domain reference and the contract. What this crate does not do: time, windows, state,
//! logs, tables. Those are `pipeline`'s.

pub mod alerts;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod feeds;
pub mod metrics;
pub mod operator;
pub mod simulate;
pub mod world;
