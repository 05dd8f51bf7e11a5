//! Which windows want a round. Pure: what was touched and how far clocks have come go in, windows come out.

use std::collections::{BTreeMap, BTreeSet};

use schemas::event::TopicSet;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::finality::time_to_final;
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

/// What has been touched, and what has been computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Planner {
    dirty: BTreeSet<RoundKey>,
    /// Windows that had a round, with how far their clock had come when the last one was opened: it covers what was
    /// accepted until then (K40).
    ran: BTreeMap<RoundKey, TimestampMs>,
    /// The last day with a fact, per shard and metric with panes.
    last_days: BTreeMap<u32, BTreeMap<String, Day>>,
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

    /// Changed windows of a kind on a clock, in the order of their ends.
    pub(super) fn changed_of(
        &self,
        clock: TopicSet,
        kind: WindowKind,
    ) -> impl Iterator<Item = &RoundKey> {
        let first = RoundKey {
            clock,
            window: Window {
                kind,
                first: Day(i32::MIN),
                end: Day(i32::MIN),
            },
        };
        self.dirty
            .range(first..)
            .take_while(move |key| key.clock == clock && key.window.kind == kind)
    }

    /// How far the window's clock had come when its last round was opened.
    pub(super) fn ran_at(&self, key: &RoundKey) -> Option<TimestampMs> {
        self.ran.get(key).copied()
    }

    /// A round covers what was touched before it was opened, at `clock`.
    pub fn opened(&mut self, key: &RoundKey, clock: TimestampMs) {
        self.dirty.remove(key);
        self.ran.insert(key.clone(), clock);
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

#[cfg(test)]
mod tests;
