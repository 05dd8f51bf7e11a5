//! What can go wrong with a log, and what to do about it.

use super::record::Damage;

/// Every failure of a log; each message says what the operator or the caller is to do.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Only local folders are supported.
    #[error("unsupported storage url={url}: give an absolute folder as file:///path")]
    UnsupportedUrl { url: String },
    /// Another owner's claim stands at the number that was to be next (design 3.4).
    #[error(
        "another owner took over log={log} number={number} owner={owner}: this process has to end"
    )]
    Fenced {
        log: String,
        number: u64,
        owner: String,
    },
    /// The owner was silent for so long that its next number may have been written and trimmed since.
    #[error(
        "silent for too long log={log} silent_s={silent_s}: this process has to end and claim again"
    )]
    Silent { log: String, silent_s: u64 },
    /// A call was abandoned or failed half way, so what stands in the log is unknown.
    #[error("an earlier put has no known outcome log={log} number={number}: claim the log again")]
    Interrupted { log: String, number: u64 },
    /// A record or checkpoint fails its integrity check.
    #[error("damaged path={path}: restore this object from a copy")]
    Damaged {
        path: String,
        #[source]
        why: Damage,
    },
    /// A number is missing and no usable checkpoint covers it.
    #[error(
        "hole in log={log} missing={missing} newest={newest}: restore the record, or a checkpoint that covers it"
    )]
    Hole {
        log: String,
        missing: u64,
        newest: u64,
    },
    /// A record does not continue the one before it.
    #[error("broken chain log={log} number={number}: {what}; restore the log from a copy")]
    BrokenChain {
        log: String,
        number: u64,
        what: &'static str,
    },
    /// The object store refused or could not be reached.
    #[error("object store failed path={path}: check that the storage can be reached and written")]
    Store {
        path: String,
        #[source]
        source: object_store::Error,
    },
    /// The storage folder cannot be made or opened.
    #[error("storage folder failed path={path}: check that it exists and can be written")]
    Folder {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

impl LogError {
    /// True where another owner stands (or may stand) in the log: the process ends at once, with exit code 4.
    pub fn lost_ownership(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Silent { .. })
    }

    pub(super) fn store(path: &object_store::path::Path, source: object_store::Error) -> Self {
        Self::Store {
            path: path.to_string(),
            source,
        }
    }
}
