//! The process: shards on threads of their own, one publisher, two sinks; start and stop.
//!
//! ```text
//!            commands: aggregate, drain, stop
//!        ┌──────────────────────────────────────────┐
//!        ▼                                          │
//!  shard threads 0..n ─ reports: sealed, ended ─▶ publisher (async) ─ intents ─▶ sinks: alerts, records
//!     │ seal                                          │ intent, epoch record          │ acknowledged
//!     ▼                                               ▼                               ▼
//!  log/shard-<p>                                   log/publisher, tables/          log/sink-alerts, log/sink-records
//! ```
//!
//! [`process`] puts it together; [`housekeeping`] deletes what nobody needs any more; [`status`] reads what a process leaves.

mod age_clock;
pub mod housekeeping;
pub mod process;
pub mod status;
