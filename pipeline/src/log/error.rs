//! What can go wrong with a log, and what to do about it.
//!
//! [`ErrorKind::Fenced`]: another owner stands, or may stand, in the log, so the process ends at once.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::time::Duration;

use object_store::Error as StoreError;

use super::record::{Damage, OtherVersion};
use crate::error::{Error, ErrorKind};

/// Another owner's claim stands at the number that was to be next (design 3.4).
pub(super) fn fenced(log: &str, number: u64, owner: &str) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!(
            "another owner took over log={log} number={number} owner={owner}: this process has to end"
        ),
    )
}

/// The owner was silent for so long that its next number may have been written and trimmed since.
pub(super) fn silent(log: &str, silent: Duration) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!(
            "silent for too long log={log} silent_s={}: this process has to end and claim again",
            silent.as_secs()
        ),
    )
}

/// A call was abandoned or failed half way, so what stands in the log is unknown.
pub(super) fn interrupted(log: &str, number: u64) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "an earlier put has no known outcome log={log} number={number}: claim the log again"
        ),
    )
}

/// A record or checkpoint fails its integrity check.
pub(super) fn damaged(path: impl Display, damage: Damage) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("damaged path={path}: restore this object from a copy"),
    )
    .caused_by(damage)
}

/// Another version of this program wrote a record or a checkpoint; `place` says which.
pub(super) fn other_version(log: &str, place: impl Display, found: OtherVersion) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "log={log} {place} holds {found}: use the program that wrote it, or replay the events into a new storage"
        ),
    )
}

/// A number is missing and no usable checkpoint covers it.
pub(super) fn hole(log: &str, missing: u64, newest: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "hole in log={log} missing={missing} newest={newest}: restore the record, or a checkpoint that covers it"
        ),
    )
}

/// A record does not continue the one before it.
pub(super) fn broken_chain(log: &str, number: u64, what: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("broken chain log={log} number={number}: {what}; restore the log from a copy"),
    )
}

/// For `map_err`: the object store refused or could not be reached.
pub(crate) fn store_failed(path: impl Display) -> impl FnOnce(StoreError) -> Error {
    let message = format!(
        "object store failed path={path}: check that the storage can be reached and written"
    );
    move |source| {
        let kind = match source {
            // A store or a path that this program must not use: trying again is of no use.
            StoreError::NotSupported { .. }
            | StoreError::NotImplemented { .. }
            | StoreError::InvalidPath { .. } => ErrorKind::Internal,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, message).caused_by(source)
    }
}

/// For `map_err`: the storage folder cannot be made or opened.
pub(super) fn folder(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display();
    let message =
        format!("storage folder failed path={path}: check that it exists and can be written");
    Error::from_source(ErrorKind::Unavailable, message)
}
