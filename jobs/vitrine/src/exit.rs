//! Exit codes (contract 1), and the errors of commands that have a code of their own.
//!
//! 0 done · 1 failed · 2 wrong usage or configuration · 3 audit found a difference · 4 another owner took over ·
//! 5 events are missing upstream.
//!
//! A query of `vitrine sql` that has to change ends with 2, whether that is seen while it is planned or while it runs: `1 / 0` and a
//! division by a column that holds 0, a text that is no number, a result that is too large. It ends with 1 where the query is not at
//! fault: memory, a file that cannot be read, a reader that takes no more.

use std::error::Error as StdError;

use pipeline::error::ErrorKind;
use schemas::error::Fault;

/// An end of a command that has an exit code of its own and is no failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Wrong usage or configuration; whoever called has to change something.
    #[error("{0}")]
    Usage(String),
    /// An audit found this many differences.
    #[error("audit found differences={0}")]
    Differences(u64),
    /// Stopped in the middle, by a second signal or because the first was followed for too long.
    #[error("{0}")]
    Cut(String),
}

impl CommandError {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Differences(_) => 3,
            Self::Cut(_) => 1,
        }
    }
}

/// Whether the command was stopped in the middle: its threads are still at work.
pub(crate) fn is_cut(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(CommandError::Cut(_)))
}

/// The exit code of a command that ended with this error: that of the outermost error that has one.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

/// The exit code of one error of a chain; `None` leaves the decision to its cause.
fn code_of(error: &(dyn StdError + 'static)) -> Option<u8> {
    if let Some(error) = error.downcast_ref::<CommandError>() {
        return Some(error.code());
    }
    if let Some(error) = error.downcast_ref::<pipeline::error::Error>() {
        return Some(of_kind(error.kind()));
    }
    if let Some(error) = error.downcast_ref::<jobs::error::Error>() {
        return Some(of_kind(error.kind()));
    }
    let error = error.downcast_ref::<simulator::Error>()?;
    (error.fault() == Fault::User).then_some(2)
}

fn of_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Configuration | ErrorKind::Incompatible | ErrorKind::Query => 2,
        ErrorKind::Fenced => 4,
        ErrorKind::EventsMissing => 5,
        ErrorKind::Damaged
        | ErrorKind::Unavailable
        | ErrorKind::DeadLetters
        | ErrorKind::Internal => 1,
    }
}

/// An error with its causes on one line; a cause that another message contains is not repeated.
pub(crate) fn one_line(error: impl Into<anyhow::Error>) -> String {
    let mut line = String::new();
    for cause in error.into().chain() {
        let message = cause.to_string().replace('\n', " ");
        if line.contains(&message) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&message);
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use anyhow::anyhow;
    use jobs::reference::{ReferenceArchive, ReferenceData};
    use object_store::memory::InMemory;
    use pipeline::error::Error;

    use super::*;

    #[test]
    fn codes_tell_who_has_to_act() {
        for (kind, expected) in [
            (ErrorKind::Configuration, 2),
            (ErrorKind::Incompatible, 2),
            (ErrorKind::Query, 2),
            (ErrorKind::Fenced, 4),
            (ErrorKind::EventsMissing, 5),
            (ErrorKind::Damaged, 1),
            (ErrorKind::Unavailable, 1),
            (ErrorKind::DeadLetters, 1),
            (ErrorKind::Internal, 1),
        ] {
            let error = || Error::new(kind, "what happened");
            assert_eq!(code(&error().into()), expected, "{kind:?}");
            let ended = error().context("shard=3 ended");
            assert_eq!(code(&ended.into()), expected, "{kind:?} of a shard");
            let opened = anyhow::Error::from(error()).context("inputs cannot be opened");
            assert_eq!(code(&opened), expected, "{kind:?} with context");
            // The simulator stops where its receiver fails: the code is the receiver's.
            let stopped = simulator::Error::Sink {
                topic: "orders.v1",
                source: Box::new(error()),
            };
            assert_eq!(code(&stopped.into()), expected, "{kind:?} of a receiver");
        }
        for (error, expected) in [
            (CommandError::Usage("no such key".to_owned()).into(), 2),
            (CommandError::Differences(7).into(), 3),
            (anyhow!("no epoch yet"), 1),
            (
                anyhow::Error::from(CommandError::Differences(7)).context("audit"),
                3,
            ),
        ] {
            assert_eq!(code(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_run_is_wrong_usage_and_a_full_disk_is_not() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        for (error, expected) in [
            (
                simulator::Error::Plan {
                    setting: "days",
                    value: 0,
                },
                2,
            ),
            (
                simulator::Error::Write {
                    path: "out".into(),
                    source: full,
                },
                1,
            ),
        ] {
            let text = error.to_string();
            assert_eq!(code(&error.into()), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn files_to_correct_are_configuration_and_lost_ones_are_not() {
        let wrong = ReferenceData::load(Path::new("/nowhere/ref"))
            .err()
            .unwrap();
        assert_eq!(code(&wrong.into()), 2);
        let archive = ReferenceArchive::new(Arc::new(InMemory::new()));
        let lost = archive.read("nowhere").await.err().unwrap();
        assert_eq!(code(&lost.into()), 1);
    }
}
