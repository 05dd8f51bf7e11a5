//! Whether two sets of metric rows are equal: same keys, parts equal, ratios within 1e-9 (`CONTRACT.md` 5).

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use schemas::time::TimestampMs;

use crate::columns;
use crate::columns::conform;
use crate::error::{Error, ErrorKind, Result};
use crate::round::{Metric, row_schema};
use crate::time::{Day, Window, Zone};

/// How far two ratios may lie apart.
const TOLERANCE: f64 = 1e-9;

/// What comparing found in one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableAudit {
    pub table: String,
    /// Keys that stand on either side.
    pub compared: u64,
    pub differing: u64,
    /// Window, key and column of the first difference, with both values.
    pub first: Option<String>,
}

/// Published rows of one metric, by window.
#[derive(Default)]
pub struct PublishedRows {
    rows: Option<RecordBatch>,
    windows: BTreeMap<Window, Vec<u32>>,
}

impl PublishedRows {
    /// From rows of `metrics.<name>` (latest revisions).
    pub fn new(batches: &[RecordBatch], zone: Zone) -> Result<Self> {
        Self::of(batches, zone).map_err(not_comparable)
    }

    fn of(batches: &[RecordBatch], zone: Zone) -> Result<Self, ArrowError> {
        let Some(first) = batches.first() else {
            return Ok(Self::default());
        };
        let rows = concat_batches(&first.schema(), batches)?;
        let kinds = conformed(&rows, "window_kind", &DataType::Utf8)?;
        let kinds = kinds.as_string::<i32>();
        let starts = columns::instant(&rows, "window_start")?;
        let ends = columns::instant(&rows, "window_end")?;
        let day = |us: i64| zone.day_of(TimestampMs::from_micros(us));
        let mut windows: BTreeMap<Window, Vec<u32>> = BTreeMap::new();
        for (row, number) in (0..rows.num_rows()).zip(0_u32..) {
            let (first, end): (Day, Day) = (day(starts.value(row)), day(ends.value(row)));
            let kind = kinds
                .value(row)
                .parse()
                .map_err(ArrowError::InvalidArgumentError)?;
            let window = Window { kind, first, end };
            windows.entry(window).or_default().push(number);
        }
        Ok(Self {
            rows: Some(rows),
            windows,
        })
    }

    /// Windows with rows.
    pub fn windows(&self) -> impl Iterator<Item = Window> {
        self.windows.keys().copied()
    }

    /// The rows of one window, in the columns that the metric's queries give.
    pub fn window(&self, metric: &Metric, window: Window) -> Result<RecordBatch> {
        let schema = row_schema(metric);
        match (&self.rows, self.windows.get(&window)) {
            (Some(rows), Some(numbers)) => {
                take_record_batch(rows, &UInt32Array::from(numbers.clone()))
                    .and_then(|rows| conform(&rows, &schema, &[]))
                    .map_err(not_comparable)
            }
            _ => Ok(RecordBatch::new_empty(schema)),
        }
    }
}

pub(super) fn not_comparable(source: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "rows cannot be compared").caused_by(source)
}

fn two_rows(metric: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("metric={metric}: its queries gave two rows for one key"),
    )
}

fn conformed(rows: &RecordBatch, name: &str, to: &DataType) -> Result<ArrayRef, ArrowError> {
    arrow::compute::cast(columns::column(rows, name)?, to)
}

impl TableAudit {
    /// Of a metric's table, nothing compared yet.
    pub fn new(metric: &str) -> Self {
        Self {
            table: format!("metrics.{metric}"),
            ..Self::default()
        }
    }

    /// Compares the rows of one window; both sides have the columns that the metric's queries give.
    pub(super) fn compare(
        &mut self,
        metric: &Metric,
        window: Window,
        expected: &RecordBatch,
        actual: &RecordBatch,
    ) -> Result<()> {
        let is_key = |name: &String| metric.dimensions.contains(name);
        let schema = expected.schema();
        let places: Vec<usize> = (0..schema.fields().len()).collect();
        let (keys, values): (Vec<usize>, Vec<usize>) = places
            .iter()
            .partition(|&&place| is_key(schema.field(place).name()));
        let expected_keys = keyed(expected, &keys).map_err(not_comparable)?;
        let mut actual_keys = keyed(actual, &keys).map_err(not_comparable)?;
        if expected_keys.len() < expected.num_rows() || actual_keys.len() < actual.num_rows() {
            return Err(two_rows(&metric.name));
        }
        let mut differs = |batch: &RecordBatch, row: usize, what: String| {
            self.differing += 1;
            self.first
                .get_or_insert_with(|| format!("{} {what}", place(window, batch, &keys, row)));
        };
        self.compared += expected_keys.len() as u64;
        for (key, row) in expected_keys {
            match actual_keys.remove(&key) {
                None => differs(expected, row, "is missing".to_owned()),
                Some(other) => {
                    if let Some(what) = first_difference(expected, row, actual, other, &values) {
                        differs(expected, row, what);
                    }
                }
            }
        }
        self.compared += actual_keys.len() as u64;
        for row in actual_keys.into_values() {
            differs(actual, row, "should not be there".to_owned());
        }
        Ok(())
    }
}

/// Row numbers by their key columns.
fn keyed(batch: &RecordBatch, keys: &[usize]) -> Result<BTreeMap<Vec<u8>, usize>, ArrowError> {
    let columns: Vec<ArrayRef> = keys.iter().map(|&key| batch.column(key).clone()).collect();
    let fields = columns
        .iter()
        .map(|column| SortField::new(column.data_type().clone()))
        .collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    Ok((0..batch.num_rows())
        .map(|row| (rows.row(row).data().to_vec(), row))
        .collect())
}

/// The first column in which two rows differ, with both values.
fn first_difference(
    expected: &RecordBatch,
    row: usize,
    actual: &RecordBatch,
    other: usize,
    values: &[usize],
) -> Option<String> {
    values.iter().find_map(|&column| {
        let (a, b) = (expected.column(column), actual.column(column));
        if equal(a, row, b, other) {
            return None;
        }
        let schema = expected.schema();
        let name = schema.field(column).name();
        let (a, b) = (shown(a, row), shown(b, other));
        Some(format!("{name}: recomputed {a}, published {b}"))
    })
}

fn equal(a: &ArrayRef, row: usize, b: &ArrayRef, other: usize) -> bool {
    if a.is_null(row) || b.is_null(other) {
        return a.is_null(row) == b.is_null(other);
    }
    match (
        a.as_primitive_opt::<Float64Type>(),
        b.as_primitive_opt::<Float64Type>(),
    ) {
        (Some(a), Some(b)) => {
            let (a, b) = (a.value(row), b.value(other));
            (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE
        }
        _ => a.slice(row, 1) == b.slice(other, 1),
    }
}

fn shown(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    array_value_to_string(column, row).unwrap_or_else(|error| error.to_string())
}

/// `D1 2026-01-05 sku_id=K1 territory_id=T1`.
fn place(window: Window, batch: &RecordBatch, keys: &[usize], row: usize) -> String {
    let schema = batch.schema();
    let keys: String = keys
        .iter()
        .map(|&key| {
            format!(
                " {}={}",
                schema.field(key).name(),
                shown(batch.column(key), row)
            )
        })
        .collect();
    format!("{} {}{keys}", window.kind, window.first.date())
}

#[cfg(test)]
mod tests;
