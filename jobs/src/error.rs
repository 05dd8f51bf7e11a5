//! One error for the whole crate: what happened, of which kind it is, and what caused it.
//!
//! Kinds are those of the engine ([`ErrorKind`]): they tell whose fault it is and whether a later try may succeed. Where several
//! places of the input are wrong, the error carries all of them as [`Problem`]s.

use std::error::Error as StdError;
use std::fmt;

use pipeline::error::ErrorKind;

/// Short for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something in this crate failed.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    problems: Vec<Problem>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            problems: Vec::new(),
            source: None,
        }))
    }

    /// Files that somebody has to correct, with every place that is wrong.
    pub(crate) fn with_problems(message: impl Into<String>, problems: Vec<Problem>) -> Self {
        let mut error = Self::new(ErrorKind::Configuration, message);
        error.0.problems = problems;
        error
    }

    /// For `map_err`: an error of this kind, caused by the one that is mapped.
    pub(crate) fn from_source<E: Into<Box<dyn StdError + Send + Sync>>>(
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        move |source| {
            let mut error = Self::new(kind, message);
            error.0.source = Some(source.into());
            error
        }
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Every place that is wrong; empty where the message says all.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (index, problem) in self.0.problems.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

/// One thing that is wrong in one place of a file, told so that the person who maintains the file finds it.
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
}
