//! What can go wrong with a query, said to the one who wrote it.

use std::fmt;

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

use super::names::{Names, nearest_column};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("the query is empty; end it with `;` after a SELECT")]
    Empty,
    #[error(
        "only queries are answered here (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE), one at a time; refused: {what}"
    )]
    Refused { what: String },
    #[error("cannot read the query{position}: {message}")]
    Syntax {
        position: QueryPosition,
        message: String,
    },
    #[error("no table `{name}`{}", hint(.nearest.as_deref(), "information_schema.tables lists all"))]
    NoTable {
        name: String,
        nearest: Option<String>,
    },
    #[error("no column `{name}`{}", hint(.nearest.as_deref(), "information_schema.columns lists all"))]
    NoColumn {
        name: String,
        nearest: Option<String>,
    },
    #[error("no function `{name}`{}", hint(.nearest.as_deref(), "information_schema.routines lists all"))]
    NoFunction {
        name: String,
        nearest: Option<String>,
    },
    /// The query contradicts itself or the types of its columns.
    #[error("the query does not work: {message}")]
    Plan { message: String },
    /// Values or resources stopped it on the way.
    #[error("the query stopped: {message}")]
    Run { message: String },
    /// The epoch cannot be shown: damage or a mistake in a view, not in the query.
    #[error("cannot open epoch={epoch} at {object}: {message}; run `vitrine audit`")]
    Snapshot {
        epoch: i64,
        object: String,
        message: String,
    },
}

impl QueryError {
    /// Is it the query that has to change?
    pub fn is_in_the_query(&self) -> bool {
        !matches!(self, Self::Run { .. } | Self::Snapshot { .. })
    }

    pub(super) fn while_running(error: &DataFusionError) -> Self {
        Self::Run {
            message: one_line(error),
        }
    }

    /// Turns an error of parsing or planning into one with the nearest name.
    pub(super) fn while_planning(error: &DataFusionError, names: &Names) -> Self {
        match root(error) {
            DataFusionError::SQL(parser, _) => syntax(parser),
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound {
                    field,
                    valid_fields,
                } => Self::NoColumn {
                    name: field.flat_name(),
                    nearest: nearest_column(&field.name, valid_fields),
                },
                other => Self::Plan {
                    message: squeeze(&other.to_string()),
                },
            },
            DataFusionError::Plan(message) => match unknown_function(message) {
                Some(name) => Self::NoFunction {
                    name: name.to_owned(),
                    nearest: names.nearest_function(name),
                },
                None => Self::Plan {
                    message: squeeze(message),
                },
            },
            other => Self::Plan {
                message: one_line(other),
            },
        }
    }
}

/// Line and column of a mistake, counted from 1; shown with a leading blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryPosition(pub Option<(u64, u64)>);

impl fmt::Display for QueryPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " at line={line} column={column}"),
            None => Ok(()),
        }
    }
}

fn hint(nearest: Option<&str>, otherwise: &str) -> String {
    match nearest {
        Some(name) => format!("; nearest: `{name}`"),
        None => format!("; {otherwise}"),
    }
}

/// The innermost error that says something. Several at once (one per selected column): the first.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(error, root),
        other => other,
    }
}

fn syntax(error: &ParserError) -> QueryError {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            message.as_str()
        }
        ParserError::RecursionLimitExceeded => "too deeply nested",
    };
    let (message, position) = match message.rsplit_once(" at Line: ") {
        Some((head, place)) => (head, place_of(place)),
        None => (message, None),
    };
    QueryError::Syntax {
        position: QueryPosition(position),
        message: squeeze(message),
    }
}

/// `1, Column: 8` as the parser writes it.
fn place_of(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.split_once(", Column: ")?;
    Some((line.trim().parse().ok()?, column.trim().parse().ok()?))
}

fn unknown_function(message: &str) -> Option<&str> {
    message
        .strip_prefix("Invalid function '")?
        .split('\'')
        .next()
}

fn one_line(error: &DataFusionError) -> String {
    squeeze(&root(error).strip_backtrace())
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
