//! One column of a file as a column of its kind.
//!
//! A CSV file holds text; a Parquet file holds the types that its writer chose. Text is parsed, other types are converted where that
//! loses nothing. What cannot be read is a problem, never a silent NULL.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, ListBuilder, StringBuilder,
    TimestampMicrosecondArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit};
use chrono::{DateTime, NaiveDate};
use schemas::id::{SEPARATOR, unescaped};

use super::schema::ColumnKind;
use super::text::{shown, without_empty};

/// The largest quantity (K25).
const MAX_QUANTITY: i64 = 100_000_000;

/// Receives the row of a value that cannot be read, and why.
type Report<'r> = &'r mut dyn FnMut(usize, String);

/// `array` as a column of `kind`; a value that cannot be read is NULL and reported with its row.
///
/// # Errors
/// Why no value of the column can be read.
pub(super) fn typed(
    array: &ArrayRef,
    kind: ColumnKind,
    report: Report<'_>,
) -> Result<ArrayRef, String> {
    // A column without a value may have any type: its writer had nothing to infer it from.
    if array.logical_null_count() == array.len() {
        return Ok(new_null_array(&kind.data_type(), array.len()));
    }
    let unpacked;
    let array = match array.data_type() {
        DataType::Dictionary(_, value_type) => {
            unpacked = cast(array, value_type)?;
            &unpacked
        }
        _ => array,
    };
    let found = array.data_type();
    // Not every writer says that its bytes are text.
    if found.is_string() || found.is_binary() {
        let texts = without_empty(&cast(array, &DataType::Utf8)?);
        return Ok(parsed(&texts, kind, report));
    }
    match kind {
        ColumnKind::Text if is_plain(found) => cast(array, &kind.data_type()),
        ColumnKind::TextList
            if item(found).is_some_and(|item| item.is_string() || is_plain(item)) =>
        {
            cast(array, &kind.data_type())
        }
        ColumnKind::Flag if *found == DataType::Boolean => Ok(array.clone()),
        ColumnKind::Flag if found.is_integer() => {
            let flags = converted(&numbers(array)?, report, |number| match number {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err("is neither 0 nor 1".to_owned()),
            });
            Ok(Arc::new(BooleanArray::from(flags)))
        }
        ColumnKind::Date if *found == DataType::Date32 => Ok(array.clone()),
        ColumnKind::Date => {
            let per_day = match found {
                DataType::Date64 => 86_400 * per_second(TimeUnit::Millisecond),
                DataType::Timestamp(unit, _) => 86_400 * per_second(*unit),
                _ => return Err(unreadable(found, kind)),
            };
            let dates = converted(&numbers(array)?, report, |number| {
                if number.rem_euclid(per_day) != 0 {
                    return Err(format!("of type {found} is not the start of a day"));
                }
                i32::try_from(number.div_euclid(per_day))
                    .map_err(|_| format!("of type {found} is beyond the calendar"))
            });
            Ok(Arc::new(Date32Array::from(dates)))
        }
        ColumnKind::Instant => {
            let DataType::Timestamp(unit, _) = found else {
                return Err(unreadable(found, kind));
            };
            let instants = converted(&numbers(array)?, report, |number| {
                micros(number, *unit).map_err(|why| format!("of type {found} {why}"))
            });
            Ok(instants_of(instants))
        }
        ColumnKind::Quantity
            if found.is_integer() || matches!(found, DataType::Decimal128(_, 0)) =>
        {
            let quantities = converted(&numbers(array)?, report, quantity);
            Ok(Arc::new(Int64Array::from(quantities)))
        }
        _ => Err(unreadable(found, kind)),
    }
}

/// Types whose values have one text each.
fn is_plain(found: &DataType) -> bool {
    matches!(
        found,
        DataType::Boolean
            | DataType::Date32
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Decimal128(_, 0)
    ) || found.is_integer()
}

/// The type of the items of a list.
fn item(found: &DataType) -> Option<&DataType> {
    match found {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

fn unreadable(found: &DataType, kind: ColumnKind) -> String {
    let wanted = match kind {
        ColumnKind::Text => "texts",
        ColumnKind::TextList => "lists of texts",
        ColumnKind::Flag => "flags",
        ColumnKind::Date => "dates",
        ColumnKind::Instant => "instants",
        ColumnKind::Quantity => "whole quantities",
    };
    format!("a column of type {found} cannot be read as {wanted}")
}

/// Converts a column; a value that the type cannot hold is an error.
fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &strict).map_err(|error| {
        let found = array.data_type();
        format!("a column of type {found} cannot be read: {error}")
    })
}

/// The whole numbers that a column holds, or that stand for its dates and instants.
fn numbers(array: &ArrayRef) -> Result<Vec<Option<i64>>, String> {
    let numbers = cast(array, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().iter().collect())
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// An instant in µs. One without a zone is UTC, as in the tables that Vitrine writes.
fn micros(number: i64, unit: TimeUnit) -> Result<i64, &'static str> {
    let micros = match unit {
        TimeUnit::Nanosecond if number % 1_000 == 0 => Some(number / 1_000),
        TimeUnit::Nanosecond => return Err("is finer than a microsecond"),
        unit => number.checked_mul(1_000_000 / per_second(unit)),
    };
    micros.ok_or("is beyond the calendar")
}

fn instants_of(micros: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

/// Texts, as a column of `kind`.
fn parsed(texts: &ArrayRef, kind: ColumnKind, report: Report<'_>) -> ArrayRef {
    let values: Vec<Option<&str>> = texts.as_string::<i32>().iter().collect();
    match kind {
        ColumnKind::Text => texts.clone(),
        ColumnKind::TextList => {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for value in values {
                match value {
                    Some(text) => {
                        lists.append_value(text.split(SEPARATOR).map(unescaped).map(Some))
                    }
                    None => lists.append_null(),
                }
            }
            Arc::new(lists.finish())
        }
        ColumnKind::Flag => Arc::new(BooleanArray::from(converted(&values, report, |text| {
            text.parse()
                .map_err(|_| "is neither true nor false".to_owned())
        }))),
        ColumnKind::Date => Arc::new(Date32Array::from(converted(&values, report, |text| {
            let date: NaiveDate = text
                .parse()
                .map_err(|_| "is not a date YYYY-MM-DD".to_owned())?;
            Ok(Date32Type::from_naive_date(date))
        }))),
        ColumnKind::Instant => instants_of(converted(&values, report, |text| {
            DateTime::parse_from_rfc3339(text)
                .map(|instant| instant.timestamp_micros())
                .map_err(|_| "is not an instant like 2026-01-05T00:00:00Z".to_owned())
        })),
        ColumnKind::Quantity => Arc::new(Int64Array::from(converted(&values, report, |text| {
            let number = text.parse().map_err(|_| not_a_quantity())?;
            quantity(number)
        }))),
    }
}

fn quantity(number: i64) -> Result<i64, String> {
    if (0..=MAX_QUANTITY).contains(&number) {
        Ok(number)
    } else {
        Err(not_a_quantity())
    }
}

fn not_a_quantity() -> String {
    format!("is not a whole quantity from 0 to {MAX_QUANTITY}")
}

/// Every value converted; one that cannot be is reported with its row.
fn converted<V: Copy + Display, T>(
    values: &[Option<V>],
    report: Report<'_>,
    convert: impl Fn(V) -> Result<T, String>,
) -> Vec<Option<T>> {
    let mut all = Vec::with_capacity(values.len());
    for (row, value) in values.iter().enumerate() {
        all.push(match value.map(|value| (value, convert(value))) {
            None => None,
            Some((_, Ok(converted))) => Some(converted),
            Some((value, Err(why))) => {
                report(row, format!("`{}` {why}", shown(&value.to_string())));
                None
            }
        });
    }
    all
}

#[cfg(test)]
mod tests;
