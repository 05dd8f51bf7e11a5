//! Which rows are final, and which windows owe a round before theirs are (K7, K40). Pure.
//!
//! ```text
//!            window ends      final instant: end + look-ahead + lateness
//!  ──────────────┼───────────────────┼─────────────────────────────────▶ its clock
//!                 a change ▲          └ round at finality, where there was a change: final with its epoch
//!                                     └ none where there was none: final at once
//! ```
//!
//! What an epoch record has said stays: a row that was final does not stop being final, and what changes it is restated.

use schemas::time::{DurationMs, TimestampMs};

use super::plan::{Planner, RoundKey};
use super::record::FinalUntil;
use crate::decode::TopicSettings;
use crate::round::Metric;
use crate::shard::Clocks;
use crate::time::{Window, WindowKind, Zone};

const INSTANT: DurationMs = DurationMs::from_ms(1);

/// K7: from a window's end to its being final: look-ahead and the largest lateness of the metric's topics.
pub(super) fn time_to_final(metric: &Metric, topics: &[TopicSettings]) -> DurationMs {
    let read = topics.iter().filter(|of| metric.clock.contains(of.topic));
    let late = read.map(|of| of.time.allowed_lateness).max();
    DurationMs::from_days(i64::from(metric.look_ahead_days)) + late.unwrap_or_default()
}

/// Name of a metric's table.
pub(super) fn table_of(metric: &Metric) -> String {
    format!("metrics.{}", metric.name)
}

/// What finality is judged by.
pub(super) struct Finality<'a> {
    pub zone: Zone,
    pub metrics: &'a [Metric],
    pub topics: &'a [TopicSettings],
    /// How far all shards have come.
    pub clocks: &'a Clocks,
    /// What the newest epoch record says.
    pub said: &'a [FinalUntil],
}

impl Finality<'_> {
    /// Rows of a table for windows of this kind that end at or before the instant have been said to be final.
    pub(super) fn said(&self, table: &str, kind: WindowKind) -> Option<TimestampMs> {
        let mut said = self.said.iter();
        let of_table = said.find(|of| of.table == table && of.window_kind == kind.as_str());
        of_table.map(|of| of.until)
    }

    /// Whether the rows of this window have been said to be final.
    pub(super) fn is_said(&self, metric: &Metric, window: Window) -> bool {
        let said = self.said(&table_of(metric), window.kind);
        said.is_some_and(|until| window.ends_at(self.zone) <= until)
    }

    /// Rows of `metric` for windows of this kind that end at or before the instant are final now.
    pub(super) fn until(
        &self,
        planner: &Planner,
        metric: &Metric,
        kind: WindowKind,
    ) -> Option<TimestampMs> {
        let said = self.said(&table_of(metric), kind);
        let Some(clock) = self.clocks.get(&metric.clock) else {
            return said;
        };
        let by_clock = *clock - time_to_final(metric, self.topics);
        let ends_at = |key: &RoundKey| key.window.ends_at(self.zone);
        let owing = planner
            .changed_of(metric.clock, kind)
            .take_while(|key| ends_at(key) <= by_clock)
            .find(|key| self.is_owed_by(planner, metric, key));
        let until = owing.map_or(by_clock, |key| ends_at(key) - INSTANT);
        said.max(Some(until))
    }

    /// Whether a changed window is past its final instant and has not been computed since: its round is due, whenever the one
    /// before it was.
    pub(super) fn owes_round(&self, planner: &Planner, key: &RoundKey) -> bool {
        Planner::metrics_of(self.metrics, key)
            .into_iter()
            .any(|metric| self.is_owed_by(planner, metric, key))
    }

    fn is_owed_by(&self, planner: &Planner, metric: &Metric, key: &RoundKey) -> bool {
        let final_at = key.window.ends_at(self.zone) + time_to_final(metric, self.topics);
        self.clocks
            .get(&key.clock)
            .is_some_and(|&clock| clock >= final_at)
            && planner.ran_at(key).is_none_or(|ran| ran < final_at)
            && !self.is_said(metric, key.window)
    }
}

#[cfg(test)]
mod tests;
