//! Delta's statistics of a file, by which readers skip it.
//!
//! Bounds must hold for every row: decimals are written exactly (never through `f64`), instants widen to whole
//! milliseconds (what the protocol keeps), long texts are cut with a bound above what was cut.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::{max, max_string, min, min_string};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, Days, NaiveDate, SecondsFormat};
use serde::Serialize;
use serde_json::value::RawValue;

/// As many columns as Delta indexes by default; sort columns are added, as files are best skipped by these.
const INDEXED_COLUMNS: usize = 32;
/// Characters of a text bound.
const TEXT_PREFIX: usize = 32;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats<'a> {
    num_records: usize,
    min_values: BTreeMap<&'a str, Box<RawValue>>,
    max_values: BTreeMap<&'a str, Box<RawValue>>,
    null_count: BTreeMap<&'a str, usize>,
}

/// The statistics of `rows` as the Delta log stores them.
pub(super) fn stats_json(rows: &RecordBatch, sort_by: &[String]) -> String {
    let mut stats = Stats {
        num_records: rows.num_rows(),
        min_values: BTreeMap::new(),
        max_values: BTreeMap::new(),
        null_count: BTreeMap::new(),
    };
    let schema = rows.schema_ref();
    for (index, (field, values)) in schema.fields().iter().zip(rows.columns()).enumerate() {
        if field.data_type().is_nested()
            || (index >= INDEXED_COLUMNS && !sort_by.contains(field.name()))
        {
            continue;
        }
        stats.null_count.insert(field.name(), values.null_count());
        if let Some((least, greatest)) = bounds(values)
            && let (Ok(least), Ok(greatest)) = (
                RawValue::from_string(least),
                RawValue::from_string(greatest),
            )
        {
            stats.min_values.insert(field.name(), least);
            stats.max_values.insert(field.name(), greatest);
        }
    }
    // Maps with text keys serialise; a file without statistics would still be read correctly.
    serde_json::to_string(&stats)
        .unwrap_or_else(|_| format!("{{\"numRecords\":{}}}", rows.num_rows()))
}

/// Least and greatest value as JSON; `None` where all are NULL or the type has no order that readers use.
fn bounds(values: &ArrayRef) -> Option<(String, String)> {
    match values.data_type() {
        DataType::Int8 => primitive::<Int8Type>(values, |v| v.to_string()),
        DataType::Int16 => primitive::<Int16Type>(values, |v| v.to_string()),
        DataType::Int32 => primitive::<Int32Type>(values, |v| v.to_string()),
        DataType::Int64 => primitive::<Int64Type>(values, |v| v.to_string()),
        DataType::Decimal128(precision, scale) => primitive::<Decimal128Type>(values, |v| {
            Decimal128Type::format_decimal(v, *precision, *scale)
        }),
        DataType::Date32 => {
            let (least, greatest) = extremes::<Date32Type>(values)?;
            Some((date(least)?, date(greatest)?))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let (least, greatest) = extremes::<TimestampMicrosecondType>(values)?;
            Some((
                instant(least.div_euclid(1_000))?,
                instant(greatest.div_euclid(1_000) + i64::from(greatest % 1_000 != 0))?,
            ))
        }
        DataType::Float64 => {
            let floats = values.as_primitive::<Float64Type>();
            let finite = floats.iter().flatten().all(f64::is_finite);
            finite
                .then(|| primitive::<Float64Type>(values, |v| format!("{v:?}")))
                .flatten()
        }
        DataType::Utf8 => {
            let texts = values.as_string::<i32>();
            Some((
                text(min_string(texts)?, None)?,
                text(max_string(texts)?, Some(char::MAX))?,
            ))
        }
        _ => None,
    }
}

fn extremes<T: ArrowPrimitiveType>(values: &ArrayRef) -> Option<(T::Native, T::Native)>
where
    T::Native: arrow::datatypes::ArrowNativeType,
{
    let values: &PrimitiveArray<T> = values.as_primitive();
    Some((min(values)?, max(values)?))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    json: impl Fn(T::Native) -> String,
) -> Option<(String, String)> {
    let (least, greatest) = extremes::<T>(values)?;
    Some((json(least), json(greatest)))
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::default();
    let offset = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 {
        epoch.checked_sub_days(offset)
    } else {
        epoch.checked_add_days(offset)
    };
    date.map(|date| format!("\"{}\"", date.format("%Y-%m-%d")))
}

fn instant(ms: i64) -> Option<String> {
    DateTime::from_timestamp_millis(ms)
        .map(|at| format!("\"{}\"", at.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

/// A text bound; one that was cut ends in `above`, which is greater than anything that was cut off.
fn text(value: &str, above: Option<char>) -> Option<String> {
    let cut = match value.char_indices().nth(TEXT_PREFIX) {
        None => value.to_owned(),
        Some((at, _)) => value[..at].chars().chain(above).collect(),
    };
    serde_json::to_string(&cut).ok()
}

#[cfg(test)]
mod tests;
