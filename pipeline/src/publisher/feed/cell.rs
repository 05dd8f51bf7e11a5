//! What the feed's query says of a day, series by series.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use super::definition::{FeedDefinition, SERIES};
use crate::columns::{column, text};
use crate::round::narrow_column;

/// Column of the query's result: whether the day may begin the series.
const STARTS: &str = "starts";

/// What the facts of one day say of one series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// `None`: the sum has left BIGINT (K25).
    pub(super) values: Vec<Option<i64>>,
    /// `None`: no fact of the day decides.
    pub(super) flag: Option<bool>,
    pub(super) starts: bool,
}

/// Series → what the day says of it.
pub(crate) type Cells = BTreeMap<String, Cell>;

/// One number of a column.
pub(super) fn value(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

/// Cells of a day from the result of the feed's query.
pub(crate) fn cells(feed: &FeedDefinition, rows: &RecordBatch) -> Result<Cells, ArrowError> {
    let series = text(rows, SERIES)?;
    let values = feed
        .values
        .iter()
        .map(|name| {
            narrow_column(column(rows, name)?, &DataType::Int64)
                .map(|array| array.as_primitive::<Int64Type>().clone())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let flag = column(rows, &feed.flag)?.as_boolean();
    let starts = column(rows, STARTS)?.as_boolean();
    Ok((0..rows.num_rows())
        .map(|row| {
            let cell = Cell {
                values: values.iter().map(|array| value(array, row)).collect(),
                flag: flag.is_valid(row).then(|| flag.value(row)),
                starts: starts.value(row),
            };
            (series.value(row).to_owned(), cell)
        })
        .collect())
}
