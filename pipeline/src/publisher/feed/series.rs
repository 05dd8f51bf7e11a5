//! Which days the series of a feed cover: each day with demand, and a bounded number of days after it (K43).
//!
//! Work grows with the days that have demand, never with the years between two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::time::Day;

/// The days with demand of every series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SeriesDays {
    max_gap_days: i32,
    by_series: BTreeMap<String, BTreeSet<Day>>,
    /// Days on which some series has demand, and how many have.
    by_day: BTreeMap<Day, usize>,
}

impl SeriesDays {
    pub(super) fn max_gap_days(&self) -> i32 {
        self.max_gap_days
    }

    /// How many days of zeros follow a day with demand.
    pub(super) fn set_max_gap_days(&mut self, days: i32) {
        self.max_gap_days = days;
    }

    /// The series has demand on this day, or has none any more; the days that it covers now and did not before, or no longer.
    pub(super) fn set(&mut self, series: &str, day: Day, has_demand: bool) -> Range<Day> {
        let days = self.by_series.entry(series.to_owned()).or_default();
        let before = days.range(..day).next_back().copied();
        let after = days.range(day.plus(1)..).next().copied();
        let is_new = if has_demand {
            days.insert(day)
        } else {
            days.remove(&day)
        };
        if days.is_empty() {
            self.by_series.remove(series);
        }
        if !is_new {
            return day..day;
        }
        let of_day = self.by_day.entry(day).or_default();
        if has_demand {
            *of_day += 1;
        } else {
            *of_day -= 1;
        }
        if *of_day == 0 {
            self.by_day.remove(&day);
        }
        let end_of = |day: Day| day.plus(self.max_gap_days).plus(1);
        let from = before.map_or(day, |before| day.max(end_of(before)));
        let until = after.map_or(end_of(day), |after| end_of(day).min(after));
        from..until.max(from)
    }

    /// Series that cover this day, in their order.
    pub(super) fn covering(&self, day: Day) -> impl Iterator<Item = &String> {
        let reach = day.plus(-self.max_gap_days)..=day;
        self.by_series
            .iter()
            .filter(move |(_, days)| days.range(reach.clone()).next_back().is_some())
            .map(|(name, _)| name)
    }

    /// Days from `from` to `last` that some series covers, in their order.
    pub(super) fn covered(&self, from: Day, last: Day) -> impl Iterator<Item = Day> {
        let mut next = from;
        let gap = self.max_gap_days;
        self.by_day
            .range(from.plus(-gap)..=last.max(from.plus(-gap)))
            .flat_map(move |(&day, _)| {
                let begins = day.max(next);
                next = day.plus(gap).min(last).plus(1).max(next);
                (begins.0..next.0).map(Day)
            })
    }
}

#[cfg(test)]
mod tests;
