//! Exit codes (contract 1), and the errors of commands that have a code of their own.
//!
//! 0 done · 1 failed · 2 wrong usage or configuration · 3 audit found a difference · 4 another owner took over ·
//! 5 events are missing upstream.

use pipeline::query::QueryError;
use pipeline::query::output::OutputError;
use pipeline::run::process::{RunError, source_code};
use pipeline::source::SourceError;

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
    if let Some(error) = error.downcast_ref::<SourceError>() {
        // before anything ran: the partitions of topics, the folder of files
        return source_code(error);
    }
    if let Some(error) = error.downcast_ref::<RunError>() {
        return error.exit_code();
    }
    let query = error.downcast_ref::<QueryError>().or_else(|| {
        match error.downcast_ref::<OutputError>()? {
            OutputError::Query(query) => Some(query),
            _ => None,
        }
    });
    if query.is_some_and(QueryError::is_in_the_query) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_who_has_to_act() {
        let unknown_table = || QueryError::NoTable {
            name: "t".to_owned(),
            nearest: None,
        };
        let out_of_memory = QueryError::Run {
            message: "memory".to_owned(),
        };
        for (error, expected) in [
            (CommandError::Usage("no such key".to_owned()).into(), 2),
            (CommandError::Differences(7).into(), 3),
            (unknown_table().into(), 2),
            (OutputError::Query(QueryError::Empty).into(), 2),
            (anyhow::Error::from(unknown_table()).context("query=x"), 2),
            (out_of_memory.into(), 1),
            (anyhow::anyhow!("no epoch yet"), 1),
        ] {
            assert_eq!(code(&error), expected, "{error}");
        }
    }
}
