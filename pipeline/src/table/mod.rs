//! Everything public: Delta tables that any Delta or Parquet reader can open.
//!
//! ```text
//! <storage>/tables/<schema>/<name>/_delta_log/…                      one commit an epoch that touches the table
//! <storage>/tables/<schema>/<name>/event_date=2026-01-05/part-….parquet
//! ```
//!
//! [`Tables`] does four things, in the order of an epoch: [`Tables::ensure`] makes a table with its comments,
//! [`Tables::stage`] writes Parquet files that nobody sees yet, [`Tables::commit`] names them in one Delta commit that carries
//! `txn(vitrine, epoch)`, [`Tables::pinned_files`] lists the files of a pinned version. Between stage and commit the
//! publisher seals its intent, which holds the [`TableChanges`]; a commit can therefore be repeated by whoever recovers it.
//!
//! Append-only: rows are never changed. [`Tables::compact`] merges small files into one, as part of an epoch's
//! changes; it removes files, not rows.
//!
//! [`Tables::vacuum`] deletes files that were replaced, or staged and never named, once no reader can need them. It writes no
//! commit.
//!
//! Neither Parquet as we write it nor a Delta log has checksums, so ours stand beside them: a file's hash in its name
//! ([`VerifiedStore`] compares it before a file is read), and in each epoch what its versions are made of ([`TableVersion`]).
//!
//! Left out: MERGE and deletion vectors (revisions are new rows); Delta's transaction retention (it would forget epochs);
//! deltalake's own writer (it wants DataFusion, and rounds decimal statistics through `f64`).

mod commit;
mod compact;
mod content;
mod delta_log;
mod error;
mod files;
mod pinned;
mod stage;
mod stats;
mod tables;
mod vacuum;
mod verified_store;

#[cfg(test)]
mod damage;
#[cfg(test)]
pub(crate) mod fixture;

pub use commit::{Compaction, TableChanges};
pub use files::DataFile;
pub use pinned::TableVersion;
pub use stage::{StagedFile, staging_tag};
pub use tables::{TableSpec, Tables};
pub use vacuum::{Pins, Vacuumed};
pub use verified_store::VerifiedStore;
