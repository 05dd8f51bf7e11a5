//! The grid of a feed: what is known of each day, which days are complete, and which are to be made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Cells};
use super::definition::FeedDefinition;
use crate::time::Day;

/// Rows of newly complete days that one epoch holds, in whole days: catching up with months must not fill the memory.
const PAGE_ROWS: usize = 50_000;

/// How an intent changes the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeedChange {
    pub days: Vec<(Day, Cells)>,
    pub last_complete: Option<Day>,
    pub final_before: Option<Day>,
    pub sequence: i64,
}

/// The grid of one feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeedGrid {
    pub(super) days: BTreeMap<Day, Cells>,
    /// Days that may begin a series.
    starts: BTreeMap<String, BTreeSet<Day>>,
    pub(super) last_complete: Option<Day>,
    /// Days before this one have been said to be final.
    pub(super) final_before: Option<Day>,
    /// Number of the last record sent.
    pub(super) sequence: i64,
    #[serde(skip)]
    pub(super) dirty: BTreeSet<Day>,
}

impl FeedGrid {
    /// What a round said of a day.
    pub(crate) fn update(&mut self, day: Day, cells: Cells) {
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
    pub(crate) fn complete(&mut self, last: Day) {
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
    pub(crate) fn has_said(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// `last`, or an earlier day if the days up to it are more than one epoch should hold.
    pub(crate) fn page(&self, last: Day) -> Option<Day> {
        let first = self.days.keys().next()?;
        let known = self.last_complete.unwrap_or(first.plus(-1));
        let days = (PAGE_ROWS / self.starts.len().max(1)).max(1);
        Some(last.min(known.plus(i32::try_from(days).unwrap_or(i32::MAX / 2))))
    }

    /// Restores what an intent has sealed (recovery).
    pub(crate) fn restore(&mut self, change: &FeedChange) {
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
    pub(crate) fn change(&self, days: Vec<(Day, Cells)>) -> FeedChange {
        FeedChange {
            days,
            last_complete: self.last_complete,
            final_before: self.final_before,
            sequence: self.sequence,
        }
    }

    /// The last day that any fact says something of.
    pub(crate) fn last_day(&self) -> Option<Day> {
        let with_facts = self.days.iter().rev().find(|(_, cells)| !cells.is_empty());
        with_facts.map(|(day, _)| *day)
    }

    pub(crate) fn last_complete(&self) -> Option<Day> {
        self.last_complete
    }

    /// Whether there are days to be made anew.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
            .iter()
            .any(|day| Some(*day) <= self.last_complete)
    }

    /// Series that have begun by this day, in their order.
    pub(super) fn series(&self, day: Day) -> impl Iterator<Item = &String> {
        self.starts
            .iter()
            .filter(move |(_, days)| days.first().is_some_and(|first| *first <= day))
            .map(|(name, _)| name)
    }

    pub(super) fn rows(
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
            let value = |cell: &Option<&Cell>| cell.map_or(Some(0), |cell| cell.values[index]);
            columns.push(Arc::new(Int64Array::from_iter(found.iter().map(value))));
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
