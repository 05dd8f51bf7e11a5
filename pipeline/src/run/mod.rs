//! The process: shards on threads of their own, one publisher, start and stop.
//!
//! ```text
//!            commands: answer a round, drain, stop
//!        ┌──────────────────────────────────────────┐
//!        ▼                                          │
//!  Shard thread 0..n ─ Report: sealed, caught up ─▶ Publisher (async)
//!     │ seal                                          │ intent, epoch
//!     ▼                                               ▼
//!  log/shard-<p>                                   log/publisher, tables/
//! ```
//!
//! [`core`] is a shard's state without I/O, [`references`] says which reference data it sees, [`shard`] reads and seals, [`publisher`]
//! makes public, [`process`] puts it together; [`housekeeping`] deletes what nobody needs any more.

pub mod housekeeping;
pub mod process;
pub mod status;
