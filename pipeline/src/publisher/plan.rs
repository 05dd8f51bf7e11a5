//! Which windows want a round. Pure: what was touched and how far clocks have come go in, windows come out.

use std::collections::{BTreeMap, BTreeSet};

use schemas::event::TopicSet;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::feed::FeedDefinition;
use super::record::FinalUntil;
use crate::decode::TopicSettings;
use crate::round::Metric;
use crate::shard::Clocks;
use crate::time::{Day, Window, WindowKind, Zone};

/// Windows of all metrics on one clock: computed together, so that sums agree across tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoundKey {
    pub clock: TopicSet,
    pub window: Window,
}

/// What has been touched, what has been computed and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Planner {
    dirty: BTreeSet<RoundKey>,
    /// Windows that had a round, with the wall clock of the last one (paces revisions only).
    ran: BTreeMap<RoundKey, TimestampMs>,
    /// The last day with a fact, per shard and metric with panes.
    last_days: BTreeMap<u32, BTreeMap<String, Day>>,
    /// The highest clock seen by a round, per clock: what had ended before it is what `restated` is judged by.
    pub finality: Clocks,
}

impl Planner {
    /// Panes of `metric` changed on these days.
    pub fn touch(&mut self, metrics: &[Metric], metric: &str, days: &[Day]) {
        for reader in metrics
            .iter()
            .filter(|reader| reader.reads_panes.contains(metric))
        {
            for kind in &reader.windows {
                for day in days {
                    for window in kind.reading(*day, reader.look_back_days) {
                        self.dirty.insert(RoundKey {
                            clock: reader.clock,
                            window,
                        });
                    }
                }
            }
        }
    }

    /// The last days that hold facts in a shard, as its newest seal says: a fact that is retracted may have been the last.
    pub fn holds(&mut self, shard: u32, last_days: BTreeMap<String, Day>) {
        self.last_days.insert(shard, last_days);
    }

    /// List prices or reference data changed: windows of metrics that read them run again.
    pub fn touch_reference(&mut self, metrics: &[Metric]) {
        let readers: BTreeSet<(TopicSet, WindowKind)> = metrics
            .iter()
            .filter(|metric| metric.reads_as_of)
            .flat_map(|metric| {
                let clock = metric.clock;
                metric.windows.iter().map(move |kind| (clock, *kind))
            })
            .collect();
        let again: Vec<RoundKey> = self
            .ran
            .keys()
            .filter(|key| readers.contains(&(key.clock, key.window.kind)))
            .cloned()
            .collect();
        self.dirty.extend(again);
    }

    /// Windows that ended before their clock and changed since their last round.
    pub fn changed(&self, zone: Zone, clocks: &Clocks) -> Vec<RoundKey> {
        let has_ended = |key: &&RoundKey| {
            clocks
                .get(&key.clock)
                .is_some_and(|&clock| clock >= key.window.ends_at(zone))
        };
        self.dirty.iter().filter(has_ended).cloned().collect()
    }

    /// Those of them whose round is due: at once the first time, later every `revise_every`.
    pub fn due(
        &self,
        zone: Zone,
        clocks: &Clocks,
        now: TimestampMs,
        revise_every: DurationMs,
    ) -> Vec<RoundKey> {
        let mut due = self.changed(zone, clocks);
        due.retain(|key| {
            let last = self.ran.get(key);
            last.is_none_or(|&ran| now - ran >= revise_every)
        });
        due
    }

    /// A round covers what was touched before it was opened.
    pub fn opened(&mut self, key: &RoundKey, now: TimestampMs) {
        self.dirty.remove(key);
        self.ran.insert(key.clone(), now);
    }

    /// Metrics of a round, in the order of loading.
    pub fn metrics_of<'a>(metrics: &'a [Metric], key: &RoundKey) -> Vec<&'a Metric> {
        metrics
            .iter()
            .filter(|metric| metric.clock == key.clock && metric.windows.contains(&key.window.kind))
            .collect()
    }

    /// K7: the last instant at which a window that holds a fact becomes final, over all metrics.
    pub fn drain_instant(
        &self,
        metrics: &[Metric],
        zone: Zone,
        topics: &[TopicSettings],
    ) -> Option<TimestampMs> {
        let mut last = None;
        for metric in metrics {
            for panes in &metric.reads_panes {
                let shards = self.last_days.values();
                let Some(&day) = shards.filter_map(|days| days.get(panes)).max() else {
                    continue;
                };
                for kind in &metric.windows {
                    for window in kind.reading(day, 0) {
                        last = last.max(Some(window.ends_at(zone) + time_to_final(metric, topics)));
                    }
                }
            }
        }
        last
    }
}

/// K7: from a window's end to its being final: look-ahead and the largest lateness of the metric's topics.
fn time_to_final(metric: &Metric, topics: &[TopicSettings]) -> DurationMs {
    let read = topics.iter().filter(|of| metric.clock.contains(of.topic));
    let late = read.map(|of| of.time.allowed_lateness).max();
    DurationMs::from_days(i64::from(metric.look_ahead_days)) + late.unwrap_or_default()
}

/// Windows of `metric` that end at or before this instant are final.
pub(super) fn final_until(
    metric: &Metric,
    clocks: &Clocks,
    topics: &[TopicSettings],
) -> Option<TimestampMs> {
    clocks
        .get(&metric.clock)
        .map(|&clock| clock - time_to_final(metric, topics))
}

/// What every table's finality is at these clocks (K7).
pub(super) fn finality(
    metrics: &[Metric],
    feed: Option<&FeedDefinition>,
    clocks: &Clocks,
    topics: &[TopicSettings],
) -> Vec<FinalUntil> {
    let mut all = Vec::new();
    for metric in metrics {
        let Some(until) = final_until(metric, clocks, topics) else {
            continue;
        };
        for kind in &metric.windows {
            let is_fed =
                |feed: &&FeedDefinition| feed.metric == metric.name && *kind == WindowKind::D1;
            let tables = [
                Some(format!("metrics.{}", metric.name)),
                feed.filter(is_fed).map(FeedDefinition::table),
            ];
            all.extend(tables.into_iter().flatten().map(|table| FinalUntil {
                table,
                window_kind: kind.to_string(),
                until,
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests;
