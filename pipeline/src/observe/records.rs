//! Delivery of an epoch's records: the feed and dead letters.

use std::error::Error as _;
use std::fmt::Display;

use object_store::path::Path;
use tracing::{debug, error, info, warn};

use crate::error::Error;

/// Records cannot leave, as an [`Outage`](super::Outage) says when it is to be reported.
pub(crate) struct RecordsNotDelivered<'a> {
    pub epoch: Option<i64>,
    pub error: &'a Error,
}

impl RecordsNotDelivered<'_> {
    pub(crate) fn report(self) {
        let Self { epoch, error } = self;
        warn!(
            target: "pipeline::sink::record_delivery",
            epoch,
            %error,
            cause = cause(error),
            "records of an epoch cannot leave, will be repeated"
        );
    }
}

/// An outage that was reported is over.
pub(crate) struct RecordsResumed;

impl RecordsResumed {
    pub(crate) fn report(self) {
        info!(target: "pipeline::sink::record_delivery", "records leave again");
    }
}

/// A record is given up. Its key and value are not shown.
pub(crate) struct RecordRefused<'a> {
    pub epoch: Option<i64>,
    pub topic: &'a str,
    /// Where it came from, or its number.
    pub place: &'a str,
    /// In the epoch's file.
    pub position: usize,
    pub error: &'a Error,
}

impl RecordRefused<'_> {
    pub(crate) fn report(self) {
        let Self {
            epoch,
            topic,
            place,
            position,
            error,
        } = self;
        error!(
            target: "pipeline::sink::record_delivery",
            epoch,
            topic,
            place,
            position,
            %error,
            cause = cause(error),
            "a record was refused for good and is skipped"
        );
    }
}

/// A staged file is of no use any more and still there; housekeeping deletes it.
pub(crate) struct RecordFileNotDeleted<'a> {
    pub path: &'a Path,
    pub error: &'a dyn Display,
}

impl RecordFileNotDeleted<'_> {
    pub(crate) fn report(self) {
        let Self { path, error } = self;
        debug!(
            target: "pipeline::sink::record_file",
            %path,
            %error,
            "a staged file whose records have left could not be deleted"
        );
    }
}

fn cause(error: &Error) -> Option<String> {
    error.source().map(ToString::to_string)
}
