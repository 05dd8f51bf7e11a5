//! What may be wrong with reference files, said so that the person who keeps them finds the place.

use std::fmt;

/// One thing that is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File name inside the reference folder.
    pub file: String,
    /// Line of a CSV file (its header is line 1), row of a Parquet file (from 1).
    pub line: Option<u64>,
    pub column: Option<&'static str>,
    pub message: String,
}

impl Problem {
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
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

/// The reference folder cannot be used: all that is wrong, not only the first.
#[derive(Debug, thiserror::Error)]
#[error("reference data cannot be read: {}", list(.0))]
pub struct ReferenceError(pub Vec<Problem>);

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("; ")
}
