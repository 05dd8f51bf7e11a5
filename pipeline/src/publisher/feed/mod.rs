//! A feed: a gap-free grid of series × days made from the daily rows of one metric.
//!
//! A series runs from its first day that *starts* it to the last complete day, with explicit zeros in between. When a late
//! event moves a series' beginning, the days concerned are made anew; a row that then no longer holds gets a revision with
//! `n` = 0, and a null value on the topic.

mod control;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::event::TopicSet;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

pub(super) use self::control::StatusRow;
use self::records::records;

use crate::columns::{column, conform, text};
use crate::error::Result;
use crate::pane::COUNT;
use crate::round::{Metric, Published, Revisions, RowChanges, not_comparable};
use crate::sink::SinkRecord;
use crate::time::{Day, Window, WindowKind};

/// Column that names the series.
const SERIES: &str = "unique_id";
/// Column that says that no fact stands behind the row.
const ZERO_FILLED: &str = "is_zero_filled";
/// Column of the query's result: whether the day may begin the series.
const STARTS: &str = "starts";

/// What the calendar knows of a day; NULL for a year that is not loaded (K20).
#[derive(Clone, Copy, Debug, Default)]
pub struct CalendarDay {
    pub is_working_day: Option<bool>,
    pub is_holiday: Option<bool>,
    pub days_to_holiday: Option<i32>,
}

/// How a feed is made.
#[derive(Clone)]
pub struct FeedDefinition {
    pub name: String,
    /// The metric whose D1 rows it is made of.
    pub metric: String,
    /// Over `rows.<metric>`: `unique_id`, the values (BIGINT), the flag (BOOLEAN) and `starts` (BOOLEAN).
    pub sql: String,
    pub values: Vec<String>,
    pub flag: String,
    pub calendar: Arc<dyn Fn(Day) -> CalendarDay + Send + Sync>,
    /// The Kafka topic, where there is one.
    pub topic: Option<String>,
}

impl FeedDefinition {
    /// Name of its table.
    pub fn table(&self) -> String {
        format!("feeds.{}", self.name)
    }

    /// The feed as rounds compare it: one row a series, one window a day.
    fn metric(&self) -> Metric {
        let mut fields = vec![Field::new(SERIES, DataType::Utf8, false)];
        fields.extend(
            self.values
                .iter()
                .map(|name| Field::new(name, DataType::Int64, false)),
        );
        fields.push(Field::new(&self.flag, DataType::Boolean, false));
        fields.push(Field::new(ZERO_FILLED, DataType::Boolean, false));
        fields.push(Field::new(COUNT, DataType::Int64, false));
        Metric {
            name: self.table(),
            title: self.name.clone(),
            facts: None,
            windows: vec![WindowKind::D1],
            clock: TopicSet::default(),
            look_back_days: 0,
            look_ahead_days: 0,
            stream: None,
            shard: None,
            public: None,
            reads_panes: BTreeSet::new(),
            reads_rows: BTreeSet::new(),
            reads_as_of: false,
            table: Arc::new(Schema::new(fields)),
            dimensions: vec![SERIES.to_owned()],
        }
    }
}

/// What the facts of one day say of one series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cell {
    values: Vec<i64>,
    flag: bool,
    starts: bool,
}

/// Series → what the day says of it.
pub(super) type Cells = BTreeMap<String, Cell>;

/// Cells of a day from the result of the feed's query.
pub(super) fn cells(feed: &FeedDefinition, rows: &RecordBatch) -> Result<Cells, ArrowError> {
    let series = text(rows, SERIES)?;
    let values = feed
        .values
        .iter()
        .map(|name| {
            arrow::compute::cast(column(rows, name)?, &DataType::Int64)
                .map(|array| array.as_primitive::<Int64Type>().clone())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let flag = column(rows, &feed.flag)?.as_boolean();
    let starts = column(rows, STARTS)?.as_boolean();
    Ok((0..rows.num_rows())
        .map(|row| {
            let cell = Cell {
                values: values.iter().map(|array| array.value(row)).collect(),
                flag: flag.value(row),
                starts: starts.value(row),
            };
            (series.value(row).to_owned(), cell)
        })
        .collect())
}

/// Rows of newly complete days that one epoch holds, in whole days: catching up with months must not fill the memory.
const PAGE_ROWS: usize = 50_000;

/// How an intent changes the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FeedChange {
    pub days: Vec<(Day, Cells)>,
    pub last_complete: Option<Day>,
    pub final_before: Option<Day>,
    pub sequence: i64,
}

/// The grid of one feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct FeedGrid {
    days: BTreeMap<Day, Cells>,
    /// Days that may begin a series.
    starts: BTreeMap<String, BTreeSet<Day>>,
    last_complete: Option<Day>,
    /// Days before this one have been said to be final.
    final_before: Option<Day>,
    /// Number of the last record sent.
    sequence: i64,
    #[serde(skip)]
    dirty: BTreeSet<Day>,
}

impl FeedGrid {
    /// What a round said of a day.
    pub(super) fn update(&mut self, day: Day, cells: Cells) {
        let before = self.days.insert(day, cells.clone()).unwrap_or_default();
        self.dirty.insert(day);
        let series: BTreeSet<&String> = before.keys().chain(cells.keys()).collect();
        for name in series {
            let starts = |cells: &Cells| cells.get(name).is_some_and(|cell| cell.starts);
            if starts(&before) == starts(&cells) {
                continue;
            }
            let days = self.starts.entry(name.clone()).or_default();
            let old = days.first().copied();
            if starts(&cells) {
                days.insert(day);
            } else {
                days.remove(&day);
            }
            let new = days.first().copied();
            let (Some(from), until) = (
                old.min(new).or(old.max(new)),
                old.min(new).and(old.max(new)),
            ) else {
                continue;
            };
            // From where the series begins now to where it began before, or to the end if it is new or gone.
            let end = until.or(self.last_complete.map(|last| last.plus(1)));
            for number in from.0..end.unwrap_or(from).0 {
                self.dirty.insert(Day(number));
            }
        }
    }

    /// Days up to `last` are complete.
    pub(super) fn complete(&mut self, last: Day) {
        let Some(first) = self.days.keys().next() else {
            return;
        };
        let from = self.last_complete.map_or(*first, |known| known.plus(1));
        for number in from.0..=last.0 {
            self.dirty.insert(Day(number));
        }
        self.last_complete = self.last_complete.max(Some(last));
    }

    /// Whether a round has said something of the day, if only that there is nothing.
    pub(super) fn has_said(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// `last`, or an earlier day if the days up to it are more than one epoch should hold.
    pub(super) fn page(&self, last: Day) -> Option<Day> {
        let first = self.days.keys().next()?;
        let known = self.last_complete.unwrap_or(first.plus(-1));
        let days = (PAGE_ROWS / self.starts.len().max(1)).max(1);
        Some(last.min(known.plus(i32::try_from(days).unwrap_or(i32::MAX / 2))))
    }

    /// Restores what an intent has sealed (recovery).
    pub(super) fn restore(&mut self, change: &FeedChange) {
        for (day, cells) in &change.days {
            self.update(*day, cells.clone());
        }
        if let Some(last) = change.last_complete {
            self.complete(last);
        }
        self.final_before = self.final_before.max(change.final_before);
        self.sequence = self.sequence.max(change.sequence);
        self.dirty.clear();
    }

    /// What an intent must hold so that [`FeedGrid::restore`] can follow.
    pub(super) fn change(&self, days: Vec<(Day, Cells)>) -> FeedChange {
        FeedChange {
            days,
            last_complete: self.last_complete,
            final_before: self.final_before,
            sequence: self.sequence,
        }
    }

    /// The last day that any fact says something of.
    pub(super) fn last_day(&self) -> Option<Day> {
        let with_facts = self.days.iter().rev().find(|(_, cells)| !cells.is_empty());
        with_facts.map(|(day, _)| *day)
    }

    pub(super) fn last_complete(&self) -> Option<Day> {
        self.last_complete
    }

    /// Whether there are days to be made anew.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
            .iter()
            .any(|day| Some(*day) <= self.last_complete)
    }

    /// Series that have begun by this day, in their order.
    fn series(&self, day: Day) -> impl Iterator<Item = &String> {
        self.starts
            .iter()
            .filter(move |(_, days)| days.first().is_some_and(|first| *first <= day))
            .map(|(name, _)| name)
    }

    fn rows(
        &self,
        feed: &FeedDefinition,
        day: Day,
        schema: SchemaRef,
    ) -> Result<RecordBatch, ArrowError> {
        let empty = Cells::new();
        let cells = self.days.get(&day).unwrap_or(&empty);
        let series: Vec<&String> = self.series(day).collect();
        let found: Vec<Option<&Cell>> = series.iter().map(|name| cells.get(*name)).collect();
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(series.iter()))];
        for index in 0..feed.values.len() {
            let value = |cell: &Option<&Cell>| cell.map_or(0, |cell| cell.values[index]);
            columns.push(Arc::new(Int64Array::from_iter_values(
                found.iter().map(value),
            )));
        }
        let flags = found
            .iter()
            .map(|cell| Some(cell.is_some_and(|cell| cell.flag)));
        columns.push(Arc::new(flags.collect::<BooleanArray>()));
        let filled = found.iter().map(|cell| Some(cell.is_none()));
        columns.push(Arc::new(filled.collect::<BooleanArray>()));
        columns.push(Arc::new(Int64Array::from(vec![1; series.len()])));
        RecordBatch::try_new(schema, columns)
    }
}

/// What one epoch adds to a feed.
pub(super) struct FeedStep {
    pub rows: Vec<RecordBatch>,
    pub records: Vec<SinkRecord>,
    pub published: Revisions,
    /// What control records of the epoch say, behind its other records.
    pub status: Vec<StatusRow>,
}

/// Rows and records of the days that are to be made anew, and control records now that all days before `final_before` are
/// final.
pub(super) fn step(
    feed: &FeedDefinition,
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
        status: Vec::new(),
    };
    let days: Vec<Day> = std::mem::take(&mut grid.dirty)
        .into_iter()
        .filter(|day| Some(*day) <= grid.last_complete)
        .collect();
    for day in days {
        let window = Window {
            kind: WindowKind::D1,
            first: day,
            end: day.plus(1),
        };
        let rows = grid.rows(feed, day, metric.table.clone()).map_err(&wrong)?;
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
        step.status = grid.controls(feed, &changed, final_before, (epoch, as_of));
    }
    if let Some(topic) = &feed.topic {
        let records = step.status.iter().map(|row| row.record(topic));
        step.records.extend(records);
    }
    Ok(step)
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
            ("epoch", Arc::new(Int64Array::from(vec![epoch; rows]))),
        ],
    )
}

#[cfg(test)]
mod tests;
