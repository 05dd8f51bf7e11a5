//! Exit codes (contract 1), and the errors of commands that have a code of their own.
//!
//! 0 done · 1 failed · 2 wrong usage or configuration · 3 audit found a difference · 4 another owner took over ·
//! 5 events are missing upstream.

use pipeline::error::{Error, ErrorKind};

/// An end of a command that the exit code tells apart from a failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Wrong usage or configuration; whoever called has to change something.
    #[error("{0}")]
    Usage(String),
    /// An audit found this many differences.
    #[error("audit found differences={0}")]
    Differences(u64),
}

impl CommandError {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Differences(_) => 3,
        }
    }
}

/// The exit code of a command that ended with this error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<CommandError>() {
        return error.code();
    }
    match error.downcast_ref::<Error>() {
        Some(error) => of_kind(error.kind()),
        None => 1,
    }
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

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

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
        }
        for (error, expected) in [
            (CommandError::Usage("no such key".to_owned()).into(), 2),
            (CommandError::Differences(7).into(), 3),
            (anyhow!("no epoch yet"), 1),
        ] {
            assert_eq!(code(&error), expected, "{error}");
        }
    }
}
