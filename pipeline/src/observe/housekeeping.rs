//! Deletion of what is not needed any more, and the leases that hold it back.

use std::fmt::{Debug, Display};

use object_store::path::Path;
use tracing::{debug, info, warn};

use crate::error::Error;

/// A run has deleted something.
pub(crate) struct HousekeepingDone {
    /// Of tables.
    pub files: u64,
    /// Of logs.
    pub records: u64,
    /// Of all that was deleted.
    pub bytes: u64,
    /// Of tables: replaced, and kept for their age or for a reader.
    pub waiting_files: u64,
}

impl HousekeepingDone {
    pub(crate) fn report(self) {
        let Self {
            files,
            records,
            bytes,
            waiting_files,
        } = self;
        info!(
            target: "pipeline::run::housekeeping",
            files,
            records,
            bytes,
            waiting_files,
            "housekeeping"
        );
    }
}

/// A run found nothing to delete.
pub(crate) struct HousekeepingIdle<'a> {
    pub done: &'a dyn Debug,
}

impl HousekeepingIdle<'_> {
    pub(crate) fn report(self) {
        let Self { done } = self;
        debug!(target: "pipeline::run::housekeeping", ?done, "housekeeping: nothing went");
    }
}

/// A part of a run failed; all others are done.
pub(crate) struct HousekeepingFailed<'a> {
    /// Of the first part that failed.
    pub error: &'a Error,
}

impl HousekeepingFailed<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        warn!(
            target: "pipeline::run::housekeeping",
            ?error,
            "housekeeping left something; it tries again next time"
        );
    }
}

/// A part failed of a run in which another had failed before.
pub(crate) struct HousekeepingPartFailed<'a> {
    pub error: &'a Error,
}

impl HousekeepingPartFailed<'_> {
    pub(crate) fn report(self) {
        let Self { error } = self;
        debug!(
            target: "pipeline::run::housekeeping",
            ?error,
            "housekeeping failed in one more part"
        );
    }
}

/// A reader still holds a lease that no longer counts.
pub(crate) struct LeaseLapsed<'a> {
    pub lease: &'a Path,
}

impl LeaseLapsed<'_> {
    pub(crate) fn report(self) {
        let Self { lease } = self;
        warn!(
            target: "pipeline::query::lease",
            %lease,
            "held for as long as a lease may be: files of its epoch may go now, open the newest epoch"
        );
    }
}

/// A lease could not be renewed, reported once until it can be.
pub(crate) struct LeaseNotRenewed<'a> {
    pub lease: &'a Path,
    pub error: &'a dyn Display,
}

impl LeaseNotRenewed<'_> {
    pub(crate) fn report(self) {
        let Self { lease, error } = self;
        warn!(
            target: "pipeline::query::lease",
            %lease,
            %error,
            "not renewed; trying on, but files of its epoch may go meanwhile"
        );
    }
}
