//! What an epoch adds to a feed: rows of its table, records of its topic.

use std::sync::Arc;

use arrow::array::{Array, BooleanArray, Date32Array, Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::time::TimestampMs;

use super::control::StatusRow;
use super::definition::FeedDefinition;
use super::flags::SeriesFlags;
use super::grid::FeedGrid;
use super::records::records;
use crate::columns::conform;
use crate::error::Result;
use crate::publisher::rows::epoch_column;
use crate::round::{Overflows, Published, Revisions, RowChanges, not_comparable};
use crate::sink::SinkRecord;
use crate::time::{Day, Window, WindowKind};

/// What one epoch adds to a feed.
pub(crate) struct FeedStep {
    pub rows: Vec<RecordBatch>,
    pub records: Vec<SinkRecord>,
    pub published: Revisions,
    /// In which columns of a day's rows a sum has left BIGINT, and in how many rows.
    pub overflows: Vec<(Window, Overflows)>,
    /// What control records of the epoch say, behind its other records.
    pub status: Vec<StatusRow>,
}

/// Rows that one epoch looks at, in whole days: catching up with months must not fill the memory.
const PAGE_ROWS: usize = 50_000;

/// Rows and records of the first days that are to be made anew, and control records now that all days before `final_before`
/// are final.
pub(crate) fn step(
    (feed, flags): (&FeedDefinition, &dyn SeriesFlags),
    grid: &mut FeedGrid,
    published: &Published,
    table: &SchemaRef,
    (epoch, as_of): (i64, TimestampMs),
    final_before: Option<Day>,
) -> Result<FeedStep> {
    let metric = feed.metric();
    let wrong = not_comparable(&metric.name);
    let mut step = FeedStep {
        rows: Vec::new(),
        records: Vec::new(),
        published: Vec::new(),
        overflows: Vec::new(),
        status: Vec::new(),
    };
    let mut seen = 0;
    while seen < PAGE_ROWS
        && let Some(day) = grid.pending.pop_first()
    {
        let window = Window {
            kind: WindowKind::D1,
            first: day,
            end: day.plus(1),
        };
        let rows = grid
            .rows(feed, flags, day, metric.table.clone())
            .map_err(&wrong)?;
        seen += rows.num_rows().max(1);
        step.overflows.push((window, overflows(feed, &rows)));
        let changes = published.compare(&metric, window, &rows)?;
        if changes.keys.is_empty() {
            continue;
        }
        let batch = table_rows(feed, &changes, day, table, epoch, as_of).map_err(&wrong)?;
        if let Some(topic) = &feed.topic {
            let records = records(feed, grid, &changes, (day, epoch, as_of), topic);
            step.records.extend(records.map_err(&wrong)?);
        }
        step.rows.push(batch);
        step.published
            .push((metric.name.clone(), window, changes.keys));
    }
    if let Some(final_before) = final_before {
        let changed = step.published.iter().map(|(_, window, _)| window.first);
        let changed: Vec<Day> = changed.collect();
        step.status = grid.controls((feed, flags), &changed, final_before, (epoch, as_of));
    }
    if let Some(topic) = &feed.topic {
        let records = step.status.iter().map(|row| row.record(topic));
        step.records.extend(records);
    }
    Ok(step)
}

/// A value is NULL for no other reason.
fn overflows(feed: &FeedDefinition, rows: &RecordBatch) -> Overflows {
    let nulls = |name: &String| {
        let column = rows.column_by_name(name)?;
        (column.null_count() > 0).then(|| (name.clone(), column.null_count() as i64))
    };
    feed.values.iter().filter_map(nulls).collect()
}

fn table_rows(
    feed: &FeedDefinition,
    changes: &RowChanges,
    day: Day,
    table: &SchemaRef,
    epoch: i64,
    as_of: TimestampMs,
) -> Result<RecordBatch, ArrowError> {
    let rows = changes.rows.num_rows();
    let kind = (feed.calendar)(day);
    let micros = vec![as_of.as_micros(); rows];
    conform(
        &changes.rows,
        table,
        &[
            ("ds", Arc::new(Date32Array::from(vec![day.0; rows]))),
            (
                "window_date",
                Arc::new(Date32Array::from(vec![day.0; rows])),
            ),
            (
                "is_working_day",
                Arc::new(BooleanArray::from(vec![kind.is_working_day; rows])),
            ),
            (
                "is_holiday",
                Arc::new(BooleanArray::from(vec![kind.is_holiday; rows])),
            ),
            (
                "days_to_holiday",
                Arc::new(Int32Array::from(vec![kind.days_to_holiday; rows])),
            ),
            (
                "revision",
                Arc::new(Int32Array::from(changes.revisions.clone())),
            ),
            (
                "as_of",
                Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC")),
            ),
            ("epoch", epoch_column(rows, epoch)),
        ],
    )
}

#[cfg(test)]
mod tests;
