//! One error for the crate: what happened, whose fault it is, and whether a later try may succeed.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use schemas::error::Fault;
use thiserror::Error;

/// Why a simulation stopped.
#[derive(Debug, Error)]
pub enum Error {
    /// The plan cannot be run.
    #[error("a plan needs at least one of each: setting={setting} value={value}")]
    Plan { setting: &'static str, value: u32 },
    /// Start date and number of days leave the calendar.
    #[error(
        "the plan leaves the years 2000 to 9997; choose another start or fewer days: start={start} days={days}"
    )]
    Calendar { start: NaiveDate, days: u32 },
    /// A file or folder cannot be written.
    #[error("cannot write; check the folder and free space: path={path}")]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The receiver of the events refused one.
    #[error("the receiver of the events failed: topic={topic}")]
    Sink {
        topic: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub fn fault(&self) -> Fault {
        match self {
            Self::Plan { .. } | Self::Calendar { .. } => Fault::User,
            Self::Write { .. } | Self::Sink { .. } => Fault::External,
        }
    }

    /// Whether the same run may succeed later, without anybody changing anything here. It sends the same records again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Sink { .. })
    }

    /// For `map_err`: a file or folder that cannot be written.
    pub(crate) fn write<E: Into<std::io::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        |source| Self::Write {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn only_a_failed_receiver_is_worth_another_try() {
        let sink = Error::Sink {
            topic: "orders.v1",
            source: "gone".into(),
        };
        assert!(sink.is_retryable() && sink.fault() == Fault::External);
        let plan = Error::Plan {
            setting: "days",
            value: 0,
        };
        assert!(!plan.is_retryable() && plan.fault() == Fault::User);
        let write = Error::write(Path::new("out"))(std::io::Error::other("disk full"));
        assert!(!write.is_retryable() && write.fault() == Fault::External);
        // The source is kept and not repeated.
        assert!(write.source().is_some() && !write.to_string().contains("disk full"));
    }
}
