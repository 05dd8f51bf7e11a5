//! Which rounds the machine opens, and what is final by now.

use schemas::time::TimestampMs;

use super::Machine;
use crate::publisher::event::{Now, RoundRequest};
use crate::publisher::finality::{Finality, table_of};
use crate::publisher::plan::{Planner, RoundKey};
use crate::publisher::record::FinalUntil;
use crate::shard::Clocks;
use crate::time::WindowKind;

/// Windows computed for one epoch at most.
const ROUNDS_PER_EPOCH: usize = 16;

impl Machine {
    pub(super) fn open_rounds(&mut self, now: Now) -> Vec<RoundRequest> {
        if !self.has_shards {
            return Vec::new();
        }
        let clocks = self.clocks();
        let mut due = self.due(now);
        // The oldest first; what is left over goes out with the next epoch, so that catching up shows progress.
        due.sort_by_key(|key| (key.window.end, key.window.kind));
        due.truncate(ROUNDS_PER_EPOCH);
        due.into_iter()
            .map(|key| {
                // What is touched from now on may be missing in the partial aggregates, so it is marked again.
                let clock = clocks.get(&key.clock).copied();
                let planner = &mut self.durable.state.planner;
                planner.opened(&key, clock.unwrap_or(TimestampMs::MIN));
                let metrics = Planner::metrics_of(&self.metrics, &key);
                let names = metrics.iter().map(|metric| metric.name.clone());
                self.rounds.open(key, names.collect(), now.monotonic)
            })
            .collect()
    }

    /// Changed windows whose round is due: at once the first time and at finality, else every `revise_every`.
    fn due(&self, now: Now) -> Vec<RoundKey> {
        let planner = &self.durable.state.planner;
        let clocks = self.clocks();
        let mut due = planner.changed(self.settings.zone, &clocks);
        if !self.revises_all {
            let finality = self.judge_finality(&clocks);
            due.retain(|key| {
                self.rounds.is_rested(key, now.monotonic) || finality.owes_round(planner, key)
            });
        }
        due
    }

    /// Whether windows wait for a round.
    pub(super) fn has_due(&self, now: Now) -> bool {
        self.has_shards && !self.due(now).is_empty()
    }

    /// How far all shards have come; nothing before each of them has sealed.
    pub(in crate::publisher) fn clocks(&self) -> Clocks {
        self.durable.state.least_clocks(self.settings.shards)
    }

    /// What is final at these clocks.
    pub(in crate::publisher) fn judge_finality<'a>(&'a self, clocks: &'a Clocks) -> Finality<'a> {
        let last = self.durable.last.as_ref();
        Finality {
            zone: self.settings.zone,
            metrics: &self.metrics,
            topics: &self.settings.topics,
            clocks,
            said: last.map_or(&[], |last| &last.finality),
        }
    }

    /// What the next epoch record says of every table.
    pub(in crate::publisher) fn finality(&self) -> Vec<FinalUntil> {
        let (planner, clocks) = (&self.durable.state.planner, self.clocks());
        let finality = self.judge_finality(&clocks);
        let mut all = Vec::new();
        for metric in self.metrics.iter() {
            for &kind in &metric.windows {
                let until = finality.until(planner, metric, kind);
                all.extend(until.map(|until| FinalUntil {
                    table: table_of(metric),
                    window_kind: kind.to_string(),
                    until,
                }));
            }
        }
        // A day of a feed is final once a control record says so.
        let feed = self.feed.as_ref().zip(self.durable.grid.final_before());
        all.extend(feed.map(|(feed, day)| FinalUntil {
            table: feed.table(),
            window_kind: WindowKind::D1.to_string(),
            until: self.settings.zone.start_of(day),
        }));
        all
    }
}
