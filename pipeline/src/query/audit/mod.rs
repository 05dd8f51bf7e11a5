//! Every metric row once more: all accepted events at once through the same operators and queries, compared with what was
//! published epoch by epoch.
//!
//! ```text
//! events.* of an epoch ─▶ ShardState per shard, one apply at the epoch's clocks ─▶ rounds of all windows that ended ─▶ rows
//! metrics.* of the same epoch ──────────────────────────────────────────────────────────────── compare ──▶ TableAudit
//! ```
//!
//! Micro-batches, differences, retractions, recovery, rounds and revisions are what this checks: none of them takes part. The
//! operators and queries themselves are checked elsewhere, by an oracle that shares nothing with them.
//!
//! Shards are computed one by one at their own clocks, not as one: in a running service clocks differ, and a clock decides
//! whether a deadline has passed. Windows that the epoch names as not revised yet (`[epoch] revise_every`) are left out.

mod compare;
mod recompute;

pub use compare::{PublishedRows, TableAudit};
pub use recompute::Audit;
