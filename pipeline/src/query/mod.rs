//! SQL over one epoch.
//!
//! ```text
//! epoch record ─▶ Snapshot ─▶ Session ─▶ query(sql) ─▶ QueryResult ─▶ output: table, CSV, JSON, Arrow, Parquet
//!                 catalog     session    guard, error            (rows as they are computed)
//! ```
//!
//! Start with [`catalog`] (what an epoch consists of) and [`Session`]. [`crate::sql`] holds the functions that metric queries use too.
//!
//! | schema | holds |
//! |---|---|
//! | `metrics.<t>` | the latest revision of each row that exists (n > 0), with `is_final` |
//! | `metrics_revisions.<t>` | all revisions, also those that say that a row is gone (n = 0) |
//! | `events.<topic>` | what was accepted |
//! | `facts.<t>`, `facts.<t>_current` | facts as stored, +1 and −1; what holds (weights summed, more than 0) |
//! | `feeds.<t>`, `feeds_revisions.<t>` | as for metrics |
//! | `ref`, `ops` | reference data as of the epoch; epochs, finality, dead letters, alerts … |
//! | `information_schema` | SQL's, with a column `comment` in `tables` and `columns` |
//!
//! A session may hold a [`Lease`], so that housekeeping leaves the files of its epoch while somebody reads them.
//!
//! [`statement`] splits scripts as the parser reads them.
//!
//! What it does not do: list folders, read anything that the epoch does not pin, write. Weighed and left: deltalake's own
//! table provider (one more reading of the log per query, and versions that need not belong together) · a max-aggregate
//! join for the latest revision (reads the table twice; filters reach only one side).

pub mod audit;
pub mod catalog;
mod depth;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod guard;
mod information;
mod lease;
mod limits;
mod load;
mod names;
pub mod output;
mod session;
mod spill;
pub mod statement;
mod table;
#[cfg(test)]
mod tests;
mod views;

pub use lease::{Lease, Leases, leases};
pub use names::Names;
pub use session::{DEFAULT_SCHEMA, Engine, QueryResult, Session};
pub use spill::SpillFolder;
