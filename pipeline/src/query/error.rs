//! What can go wrong with a query, said to the one who wrote it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use arrow::error::ArrowError;
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

/// More of something than is parsed and planned in reasonable time.
pub(super) fn too_deep_or_long(most: fmt::Arguments<'_>, advice: &str) -> Error {
    wrong_query(format!(
        "too deeply nested or too long: at most {most}; {advice}"
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
    wrong_query(format!("the query does not work: {}", own_words(message)))
}

/// It was planned, but something stopped it on the way: a value that it cannot be computed with, or what is not its fault.
pub(super) fn while_running(error: &DataFusionError) -> Error {
    stopped(error).unwrap_or_else(|| wrong_query(format!("the query stopped: {}", one_line(error))))
}

/// What is not the query's fault, whether it came up while planning or running: stored bytes, memory, files, a mistake below SQL.
fn stopped(error: &DataFusionError) -> Option<Error> {
    if let Some(damage) = damage_in(error) {
        return Some(Error::new(
            ErrorKind::Damaged,
            format!("the query stopped: {damage}"),
        ));
    }
    let kind = kind_of(error)?;
    Some(Error::new(
        kind,
        format!("the query stopped: {}", one_line(error)),
    ))
}

/// The kind of an error that is not the query's fault. `None`: another query would be answered, such as one that divides by no zero.
fn kind_of(error: &DataFusionError) -> Option<ErrorKind> {
    match root(error) {
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::NotYetImplemented(_)
            | ArrowError::CastError(_)
            | ArrowError::ParseError(_)
            | ArrowError::ComputeError(_)
            | ArrowError::DivideByZero
            | ArrowError::ArithmeticOverflow(_)
            | ArrowError::InvalidArgumentError(_)
            | ArrowError::DictionaryKeyOverflowError
            | ArrowError::RunEndIndexOverflowError
            | ArrowError::OffsetOverflowError(_) => None,
            ArrowError::ExternalError(source) => match source.downcast_ref::<DataFusionError>() {
                Some(inner) => kind_of(inner),
                None => Some(ErrorKind::Unavailable),
            },
            _ => Some(ErrorKind::Unavailable),
        },
        DataFusionError::NotImplemented(_)
        | DataFusionError::Plan(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::Execution(_)
        | DataFusionError::SQL(..) => None,
        // A mistake below SQL that this query came upon: others do not.
        DataFusionError::Internal(_) => None,
        DataFusionError::External(source) => match source.downcast_ref::<DataFusionError>() {
            Some(inner) => kind_of(inner),
            None => Some(ErrorKind::Unavailable),
        },
        _ => Some(ErrorKind::Unavailable),
    }
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
    let message = own_words(&error.strip_backtrace());
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
    if let Some(stopped) = stopped(error) {
        return stopped;
    }
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

pub(super) fn syntax(error: &ParserError) -> Error {
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
    own_words(&root(error).strip_backtrace())
}

/// On one line, without what asks for a report to the makers of the library, who cannot help here, and without their notation of a
/// parsed query.
fn own_words(message: &str) -> String {
    const ADVICE: &str = "This issue was likely caused by a bug in DataFusion's code.";
    const ADDRESS: &str = "https://github.com/apache/datafusion/issues";
    let mut text = squeeze(message);
    while let Some(from) = text.find(ADVICE) {
        let behind = text[from..].find(ADDRESS);
        let to = behind.map_or(text.len(), |at| from + at + ADDRESS.len());
        let head = text[..from].trim_end_matches(['.', ' ']).len();
        let tail = text[to..].to_owned();
        text.truncate(head);
        text.push_str(&tail);
    }
    without_tree(&text).replace("Unsupported ast node in sqltorel: ", "")
}

/// Where the library wrote out a tree that it parsed, the name of what it met is enough.
fn without_tree(text: &str) -> &str {
    let Some(tree) = text
        .find(" { ")
        .filter(|_| text.contains("Location(") || text.contains("QuoteDelimited"))
    else {
        return text;
    };
    let head = &text[..tree];
    let is_of_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | '(' | '[');
    let path = head.trim_end_matches(is_of_path).len();
    let name = head[path..].find(['(', '[']);
    &head[..name.map_or(head.len(), |at| path + at)]
}

fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_in_own_words() {
        for (theirs, ours) in [
            (
                "Internal error: Function 'btrim' failed, errors: (DataType: Int64)..\nThis issue was likely caused by a bug in \
                 DataFusion's code. Please help us to resolve this by filing a bug report in our issue tracker: \
                 https://github.com/apache/datafusion/issues. Candidate functions:\n\tbtrim(String)",
                "Internal error: Function 'btrim' failed, errors: (DataType: Int64). Candidate functions: btrim(String)",
            ),
            (
                "This feature is not implemented: Unsupported ast node in sqltorel: Convert { is_try: false, expr: Value(ValueWithSpan \
                 { value: Number(\"1\", false), span: Span(Location(1,16)..Location(1,17)) }) }",
                "This feature is not implemented: Convert",
            ),
            (
                "Expected string literal or number, got: Nested(Interval(Interval { value: Value(ValueWithSpan { span: \
                 Span(Location(1,27)..Location(1,34)) }) }))",
                "Expected string literal or number, got: Nested",
            ),
            ("a field { b: 1 } of (c)", "a field { b: 1 } of (c)"),
        ] {
            assert_eq!(own_words(theirs), ours);
        }
    }

    #[test]
    fn an_error_is_the_query_s_or_somebody_else_s_whenever_it_comes_up() {
        let exhausted = || DataFusionError::ResourcesExhausted("memory".to_owned());
        let io = || DataFusionError::IoError(std::io::Error::other("disk"));
        for (error, kind) in [
            (ArrowError::DivideByZero.into(), ErrorKind::Query),
            (
                ArrowError::CastError("x".to_owned()).into(),
                ErrorKind::Query,
            ),
            (
                DataFusionError::Execution("too large".to_owned()),
                ErrorKind::Query,
            ),
            (exhausted(), ErrorKind::Unavailable),
            (exhausted().context("sorting"), ErrorKind::Unavailable),
            (
                ArrowError::ExternalError(Box::new(exhausted())).into(),
                ErrorKind::Unavailable,
            ),
            (
                ArrowError::ExternalError(Box::new(DataFusionError::Execution("x".to_owned())))
                    .into(),
                ErrorKind::Query,
            ),
            (io(), ErrorKind::Unavailable),
            (
                DataFusionError::External(Box::new(Error::new(ErrorKind::Damaged, "hash"))),
                ErrorKind::Damaged,
            ),
        ] {
            assert_eq!(while_running(&error).kind(), kind, "{error}");
            assert_eq!(
                while_planning(&error, &Names::default()).kind(),
                kind,
                "{error}"
            );
        }
    }
}
