//! One error for the whole crate: an error of the engine, and every place of the input that is wrong.
//!
//! [`EngineError`] has message, kind and cause; an error that comes from the engine keeps all three. Kinds are those of the engine
//! ([`ErrorKind`]): they say whose fault it is and whether a later try may succeed. Where several places of the input are wrong,
//! the error carries all of them as [`Problem`]s.

use std::error::Error as StdError;
use std::fmt;

use pipeline::error::{Error as EngineError, ErrorKind};

/// Short for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something in this crate failed.
pub struct Error {
    error: EngineError,
    problems: Vec<Problem>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        EngineError::new(kind, message).into()
    }

    /// Files that somebody has to correct, with every place that is wrong.
    pub(crate) fn with_problems(message: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self {
            error: EngineError::new(ErrorKind::Configuration, message),
            problems,
        }
    }

    /// For `map_err`: an error of this kind, caused by the one that is mapped.
    pub(crate) fn from_source<E: Into<Box<dyn StdError + Send + Sync>>>(
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        move |source| EngineError::new(kind, message).caused_by(source).into()
    }

    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }

    /// Every place that is wrong; empty where the message says all.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        Self {
            error,
            problems: Vec::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())?;
        match self.source() {
            Some(source) => write!(f, ": {source:?}"),
            None => Ok(()),
        }
    }
}

/// The cause is that of the engine's error, whose own message is part of this one's.
impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// One thing that is wrong in one place of a file, reported so that the person who maintains the file finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File name inside its folder.
    pub(crate) file: String,
    /// Line of a CSV file (its header is line 1), row of a Parquet file (from 1).
    pub(crate) line: Option<u64>,
    pub(crate) column: Option<&'static str>,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ": column={column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_in_the_message_and_kept() {
        let problems = vec![
            Problem {
                line: Some(3),
                column: Some("sku_id"),
                ..Problem::of_file("ref_sku.csv", "must not be empty")
            },
            Problem::of_file("ref_unit.csv", "not a CSV file"),
        ];
        let error = Error::with_problems("reference data cannot be read", problems.clone());
        assert_eq!(
            error.to_string(),
            "reference data cannot be read: ref_sku.csv:3: column=sku_id: must not be empty; \
             ref_unit.csv: not a CSV file"
        );
        assert_eq!(error.problems(), problems);
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }

    #[test]
    fn a_source_is_kept_and_not_repeated() {
        let source = std::io::Error::other("disk is gone");
        let error = Error::from_source(ErrorKind::Unavailable, "archive cannot be read")(source);
        assert_eq!(error.to_string(), "archive cannot be read");
        assert!(error.kind().is_retryable());
        assert_eq!(error.source().unwrap().to_string(), "disk is gone");
    }

    #[test]
    fn an_error_of_the_engine_keeps_kind_message_and_cause() {
        let cause = EngineError::new(ErrorKind::Internal, "no column=qty");
        let error: Error = cause.context("the metrics cannot be loaded").into();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(error.to_string(), "the metrics cannot be loaded");
        assert_eq!(error.source().unwrap().to_string(), "no column=qty");
        assert_eq!(
            format!("{error:?}"),
            "Internal: the metrics cannot be loaded: Internal: no column=qty"
        );
    }
}
