//! What can go wrong with a query, said to the one who wrote it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

use super::depth::MAX_ARITHMETIC_DEPTH;
use super::names::{Names, nearest_column};
use crate::error::{Error, ErrorKind, panic_text};

fn wrong_query(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Query, message)
}

pub(super) fn too_deeply_nested() -> Error {
    wrong_query(format!(
        "too deeply nested: at most {MAX_ARITHMETIC_DEPTH} arithmetic operators inside one another; add up in parts, or use sum"
    ))
}

pub(super) fn empty() -> Error {
    wrong_query("the query is empty; end it with `;` after a SELECT")
}

pub(super) fn refused(what: impl fmt::Display) -> Error {
    wrong_query(format!(
        "only queries are answered here (SELECT, WITH, VALUES, EXPLAIN, SHOW, DESCRIBE), one at a time; refused: {what}"
    ))
}

pub(super) fn no_table(name: &str, nearest: Option<&str>) -> Error {
    let hint = hint(nearest, "information_schema.tables lists all");
    wrong_query(format!("no table `{name}`{hint}"))
}

fn no_column(name: &str, nearest: Option<&str>) -> Error {
    let hint = hint(nearest, "information_schema.columns lists all");
    wrong_query(format!("no column `{name}`{hint}"))
}

fn no_function(name: &str, nearest: Option<&str>) -> Error {
    let hint = hint(nearest, "information_schema.routines lists all");
    wrong_query(format!("no function `{name}`{hint}"))
}

/// The query contradicts itself or the types of its columns.
fn does_not_work(message: &str) -> Error {
    wrong_query(format!("the query does not work: {}", squeeze(message)))
}

/// Values or resources stopped it on the way: no mistake of its text.
pub(super) fn while_running(error: &DataFusionError) -> Error {
    if let Some(damage) = damage_in(error) {
        return Error::new(ErrorKind::Damaged, format!("the query stopped: {damage}"));
    }
    Error::new(
        ErrorKind::Unavailable,
        format!("the query stopped: {}", one_line(error)),
    )
}

/// What is damaged, where that is the reason.
fn damage_in(error: &DataFusionError) -> Option<&Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<Error>() {
            Some(found) if found.kind() == ErrorKind::Damaged => return Some(found),
            _ => cause = error.source(),
        }
    }
    None
}

/// What panicked below SQL, in its own words.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let said = squeeze(panic_text(panic));
    Error::new(
        ErrorKind::Internal,
        format!(
            "the query stopped: a function broke down ({said}); write the query without it, or with other values"
        ),
    )
}

/// The epoch cannot be shown: damage or a mistake in a view, not in the query.
pub(super) fn not_shown(epoch: i64, object: &str, error: &DataFusionError) -> Error {
    let message = error.strip_backtrace();
    Error::new(
        ErrorKind::Damaged,
        format!("cannot open epoch={epoch} at {object}: {message}; run `vitrine audit`"),
    )
}

/// The third argument of a sketch decides how much memory it takes.
pub(super) fn too_many_centroids(function: &str, most: u64) -> Error {
    wrong_query(format!(
        "the last argument of {function} must be a number from 1 to {most}"
    ))
}

pub(super) fn frame_too_large() -> Error {
    wrong_query(format!(
        "a window frame reaches {} rows at most; write UNBOUNDED",
        i64::MAX
    ))
}

/// Turns an error of parsing or planning into one with the nearest name.
pub(super) fn while_planning(error: &DataFusionError, names: &Names) -> Error {
    match root(error) {
        DataFusionError::SQL(parser, _) => syntax(parser),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => {
                let nearest = nearest_column(&field.name, valid_fields);
                no_column(&field.flat_name(), nearest.as_deref())
            }
            other => does_not_work(&other.to_string()),
        },
        DataFusionError::Plan(message) => match unknown_function(message) {
            Some(name) => no_function(name, names.nearest_function(name).as_deref()),
            None => does_not_work(message),
        },
        other => does_not_work(&one_line(other)),
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

fn syntax(error: &ParserError) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            message.as_str()
        }
        ParserError::RecursionLimitExceeded => "too deeply nested",
    };
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((head, place)) => (head, place_of(place)),
        None => (message, None),
    };
    let place = place
        .map(|(line, column)| format!(" at line={line} column={column}"))
        .unwrap_or_default();
    wrong_query(format!(
        "cannot read the query{place}: {}",
        squeeze(message)
    ))
}

/// Line and column of a mistake, counted from 1: `1, Column: 8` as the parser writes it.
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
    let message = root(error).strip_backtrace();
    // What follows asks for a report to the makers of the library, who cannot help here.
    let (message, _) = message
        .split_once(".\nThis issue was likely caused by a bug")
        .unwrap_or((&message, ""));
    squeeze(message)
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
