//! Rounds that wait for partial aggregates of shards.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::time::TimestampMs;

use super::event::{RoundInput, RoundRequest};
use super::plan::RoundKey;
use crate::shard::PartialAggregate;

/// Open rounds with the partial aggregates received so far.
pub(super) struct OpenRounds {
    last: u64,
    /// Round → shard → metric and its partial aggregate.
    partials: BTreeMap<u64, BTreeMap<u32, Vec<(String, Bytes)>>>,
}

impl OpenRounds {
    /// A partial aggregate for a round of a former publisher must not count for one of ours: numbers begin at the time.
    pub(super) fn new(wall_time: TimestampMs) -> Self {
        Self {
            last: u64::try_from(wall_time.as_ms()).unwrap_or_default() << 16,
            partials: BTreeMap::new(),
        }
    }

    pub(super) fn open(&mut self, key: RoundKey, metrics: Vec<String>) -> RoundRequest {
        self.last += 1;
        self.partials.insert(self.last, BTreeMap::new());
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
    pub(super) fn take(&mut self, requests: Vec<RoundRequest>) -> Vec<RoundInput> {
        requests
            .into_iter()
            .map(|request| RoundInput {
                partials: self.partials.remove(&request.round).unwrap_or_default(),
                key: request.key,
            })
            .collect()
    }
}
