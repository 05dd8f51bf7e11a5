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
use super::flags::SeriesFlags;
use super::series::SeriesDays;
use crate::time::Day;

/// How an intent changes the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeedChange {
    pub days: Vec<(Day, Cells)>,
    max_gap_days: i32,
    flags: String,
    pending: BTreeSet<Day>,
    last_complete: Option<Day>,
    final_before: Option<Day>,
    sequence: i64,
}

/// The grid of one feed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeedGrid {
    pub(super) days: BTreeMap<Day, Cells>,
    series: SeriesDays,
    /// Version of the flags that days are made with.
    flags: String,
    pub(super) last_complete: Option<Day>,
    /// Days before this one have been said to be final.
    pub(super) final_before: Option<Day>,
    /// Number of the last record sent.
    pub(super) sequence: i64,
    /// Complete days that are to be made anew.
    pub(super) pending: BTreeSet<Day>,
}

impl FeedGrid {
    /// How many days of zeros follow a day with demand. Another number than before makes the days anew that only one covers.
    pub(crate) fn set_max_gap(&mut self, days: i32) {
        let before = self.series.max_gap_days();
        if before == days {
            return;
        }
        // The longer of the two covers every day that comes or goes.
        let mut longer = self.series.clone();
        longer.set_max_gap_days(before.max(days));
        self.series.set_max_gap_days(days);
        if let Some(last) = self.last_complete {
            self.pending.extend(longer.covered(Day(i32::MIN), last));
        }
    }

    /// With which flags days are made from now on. Others than before make all complete days anew.
    pub(crate) fn set_flags(&mut self, version: &str) {
        if self.flags == version {
            return;
        }
        version.clone_into(&mut self.flags);
        if let Some(last) = self.last_complete {
            self.pending
                .extend(self.series.covered(Day(i32::MIN), last));
        }
    }

    /// What a round said of a day.
    pub(crate) fn update(&mut self, day: Day, cells: Cells) {
        let before = self.days.insert(day, cells.clone()).unwrap_or_default();
        if Some(day) <= self.last_complete {
            self.pending.insert(day);
        }
        let names: BTreeSet<&String> = before.keys().chain(cells.keys()).collect();
        for name in names {
            let starts = |cells: &Cells| cells.get(name).is_some_and(|cell| cell.starts);
            if starts(&before) == starts(&cells) {
                continue;
            }
            let changed = self.series.set(name, day, starts(&cells));
            if let Some(last) = self.last_complete {
                let until = changed.end.min(last.plus(1));
                self.pending.extend((changed.start.0..until.0).map(Day));
            }
        }
    }

    /// Days up to `last` are complete: those of them that some series covers are made.
    pub(crate) fn complete(&mut self, last: Day) {
        if self.last_complete >= Some(last) {
            return;
        }
        let from = self
            .last_complete
            .map_or(Day(i32::MIN), |known| known.plus(1));
        self.pending.extend(self.series.covered(from, last));
        self.last_complete = Some(last);
    }

    /// Whether no round has said anything of any day.
    pub(crate) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// Whether a round has said something of the day, if only that there is nothing.
    pub(crate) fn has_said(&self, day: Day) -> bool {
        self.days.contains_key(&day)
    }

    /// Restores what an intent has sealed (recovery).
    pub(crate) fn restore(&mut self, change: &FeedChange) {
        self.series.set_max_gap_days(change.max_gap_days);
        self.flags.clone_from(&change.flags);
        for (day, cells) in &change.days {
            self.update(*day, cells.clone());
        }
        self.pending.clone_from(&change.pending);
        self.last_complete = change.last_complete;
        self.final_before = change.final_before;
        self.sequence = change.sequence;
    }

    /// What an intent must hold so that [`FeedGrid::restore`] can follow.
    pub(crate) fn change(&self, days: Vec<(Day, Cells)>) -> FeedChange {
        FeedChange {
            days,
            max_gap_days: self.series.max_gap_days(),
            flags: self.flags.clone(),
            pending: self.pending.clone(),
            last_complete: self.last_complete,
            final_before: self.final_before,
            sequence: self.sequence,
        }
    }

    /// The last day up to `limit` that any fact says something of.
    pub(crate) fn last_day(&self, limit: Day) -> Option<Day> {
        let mut days = self.days.range(..=limit).rev();
        let with_facts = days.find(|(_, cells)| !cells.is_empty());
        with_facts.map(|(day, _)| *day)
    }

    pub(crate) fn last_complete(&self) -> Option<Day> {
        self.last_complete
    }

    /// Days before this one have been said to be final.
    pub(crate) fn final_before(&self) -> Option<Day> {
        self.final_before
    }

    /// Whether there are days to be made anew.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Series that cover this day, in their order.
    pub(super) fn series(&self, day: Day) -> impl Iterator<Item = &String> {
        self.series.covering(day)
    }

    /// Days from `from` to `last` that some series covers, in their order.
    pub(super) fn covered(&self, from: Day, last: Day) -> impl Iterator<Item = Day> {
        self.series.covered(from, last)
    }

    pub(super) fn rows(
        &self,
        feed: &FeedDefinition,
        flags: &dyn SeriesFlags,
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
        let set = series
            .iter()
            .zip(&found)
            .map(|(name, cell)| Some(flag_of(*cell, flags, name, day)));
        columns.push(Arc::new(set.collect::<BooleanArray>()));
        let filled = found.iter().map(|cell| Some(cell.is_none()));
        columns.push(Arc::new(filled.collect::<BooleanArray>()));
        columns.push(Arc::new(Int64Array::from(vec![1; series.len()])));
        RecordBatch::try_new(schema, columns)
    }
}

/// The flag of a row: what the facts of the day say, else what reference data say.
pub(super) fn flag_of(
    cell: Option<&Cell>,
    flags: &dyn SeriesFlags,
    series: &str,
    day: Day,
) -> bool {
    let by_facts = cell.and_then(|cell| cell.flag);
    by_facts.unwrap_or_else(|| flags.is_set(series, day))
}
