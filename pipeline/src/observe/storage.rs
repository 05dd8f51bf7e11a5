//! Trouble with logs and tables. Each loses nothing: what failed is tried again, or done later.

use std::error::Error as _;
use std::fmt::Display;
use std::time::Duration;

use tracing::{debug, warn};

use crate::error::Error;

/// A step failed and begins again after a pause.
pub(crate) struct TryFailed<'a> {
    /// What is being tried, for example `staging a file`.
    pub what: &'a str,
    pub error: &'a Error,
    pub pause: Duration,
}

impl TryFailed<'_> {
    pub(crate) fn report(self) {
        let Self { what, error, pause } = self;
        warn!(
            target: "pipeline::time::backoff",
            what,
            %error,
            cause = error.source(),
            pause_ms = pause.as_millis() as u64,
            "failed; trying again"
        );
    }
}

/// The store did not take the checkpoint of a log.
pub(crate) struct CheckpointNotWritten<'a> {
    pub log: &'a str,
    pub error: &'a Error,
}

impl CheckpointNotWritten<'_> {
    pub(crate) fn report(self) {
        let Self { log, error } = self;
        warn!(
            target: "pipeline::log::owner",
            log,
            %error,
            "checkpoint not written; a later one will be"
        );
    }
}

/// A table has no Delta log yet.
pub(crate) struct TableMissing<'a> {
    pub table: &'a str,
    pub error: &'a dyn Display,
}

impl TableMissing<'_> {
    pub(crate) fn report(self) {
        let Self { table, error } = self;
        debug!(target: "pipeline::table::files", table, %error, "no such table");
    }
}

/// Another program has replaced files that a compaction was to replace.
pub(crate) struct CompactionLeftOut<'a> {
    /// Of the file that holds the merged rows, from the table's folder.
    pub path: &'a str,
}

impl CompactionLeftOut<'_> {
    pub(crate) fn report(self) {
        let Self { path } = self;
        warn!(
            target: "pipeline::table::commit",
            path,
            "compaction is left out: its files are no longer in the table"
        );
    }
}

/// A checkpoint of a Delta log was due at `version` and could not be written.
pub(crate) struct TableCheckpointNotWritten<'a> {
    pub table: &'a str,
    pub version: i64,
    pub error: &'a dyn Display,
}

impl TableCheckpointNotWritten<'_> {
    pub(crate) fn report(self) {
        let Self {
            table,
            version,
            error,
        } = self;
        warn!(
            target: "pipeline::table::commit",
            table,
            version,
            %error,
            "no checkpoint was written; the next one is due in 100 versions"
        );
    }
}

/// Entries of a Delta log that its checkpoint makes superfluous could not be deleted.
pub(crate) struct TableLogNotTrimmed<'a> {
    pub table: &'a str,
    pub version: i64,
    pub error: &'a dyn Display,
}

impl TableLogNotTrimmed<'_> {
    pub(crate) fn report(self) {
        let Self {
            table,
            version,
            error,
        } = self;
        warn!(
            target: "pipeline::table::commit",
            table,
            version,
            %error,
            "old log entries stay until the next checkpoint"
        );
    }
}
