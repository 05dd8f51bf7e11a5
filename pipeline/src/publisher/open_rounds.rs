//! Rounds that wait for partial aggregates of shards, and how soon a window may have its next one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{RoundInput, RoundRequest};
use super::plan::RoundKey;
use crate::shard::PartialAggregate;

/// Open rounds with the partial aggregates received so far.
pub(super) struct OpenRounds {
    last: u64,
    /// Round → shard → metric and its partial aggregate.
    partials: BTreeMap<u64, BTreeMap<u32, Vec<(String, Bytes)>>>,
    /// Shortest time between two rounds of a window.
    revise_every: Duration,
    /// Windows that had a round within that time. Nothing is stored of it: after a start every window may have one.
    opened_at: BTreeMap<RoundKey, Instant>,
}

impl OpenRounds {
    /// A partial aggregate for a round of a former publisher must not count for one of ours: numbers begin at that of the
    /// next record of the publisher's log, which no owner before this one has had (it has put its claim since).
    pub(super) fn new(next_record: u64, revise_every: Duration) -> Self {
        Self {
            last: next_record << 32,
            partials: BTreeMap::new(),
            revise_every,
            opened_at: BTreeMap::new(),
        }
    }

    /// Whether the window's last round is so long ago that a change may have another.
    pub(super) fn is_rested(&self, key: &RoundKey, now: Instant) -> bool {
        let opened = self.opened_at.get(key);
        opened.is_none_or(|at| now.saturating_duration_since(*at) >= self.revise_every)
    }

    pub(super) fn open(
        &mut self,
        key: RoundKey,
        metrics: Vec<String>,
        now: Instant,
    ) -> RoundRequest {
        self.last += 1;
        self.partials.insert(self.last, BTreeMap::new());
        self.opened_at.insert(key.clone(), now);
        RoundRequest {
            round: self.last,
            key,
            metrics,
        }
    }

    /// Registers partial aggregates of a shard; those for rounds that are not open are ignored.
    pub(super) fn receive(&mut self, shard: u32, partials: &[PartialAggregate]) {
        for partial in partials {
            if let Some(round) = self.partials.get_mut(&partial.round) {
                let of_shard = round.entry(shard).or_default();
                of_shard.push((partial.metric.clone(), partial.rows.clone()));
            }
        }
    }

    /// Whether all of `requests` have the partial aggregates of all `shards`.
    pub(super) fn are_complete(&self, requests: &[RoundRequest], shards: u32) -> bool {
        requests.iter().all(|request| {
            let of_round = self.partials.get(&request.round);
            of_round.is_some_and(|by_shard| by_shard.len() == shards as usize)
        })
    }

    /// Ends these rounds.
    pub(super) fn take(&mut self, requests: Vec<RoundRequest>, now: Instant) -> Vec<RoundInput> {
        let every = self.revise_every;
        self.opened_at
            .retain(|_, at| now.saturating_duration_since(*at) < every);
        requests
            .into_iter()
            .map(|request| RoundInput {
                partials: self.partials.remove(&request.round).unwrap_or_default(),
                key: request.key,
            })
            .collect()
    }
}
