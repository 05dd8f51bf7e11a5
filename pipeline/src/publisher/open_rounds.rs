//! Rounds that shards have been asked to answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::time::TimestampMs;

use super::event::{RoundInput, RoundRequest};
use super::plan::RoundKey;
use crate::shard::PartialAggregate;

/// Open rounds with the answers that have come so far.
pub(super) struct OpenRounds {
    last: u64,
    /// Round → shard → metric and its partial aggregate.
    answers: BTreeMap<u64, BTreeMap<u32, Vec<(String, Bytes)>>>,
}

impl OpenRounds {
    /// A shard that still answers a round of a former publisher must not be taken for one of ours: numbers begin at the time.
    pub(super) fn new(wall_time: TimestampMs) -> Self {
        Self {
            last: u64::try_from(wall_time.as_ms()).unwrap_or_default() << 16,
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn open(&mut self, key: RoundKey, metrics: Vec<String>) -> RoundRequest {
        self.last += 1;
        self.answers.insert(self.last, BTreeMap::new());
        RoundRequest {
            round: self.last,
            key,
            metrics,
        }
    }

    /// Answers to rounds that are not open are passed over.
    pub(super) fn answer(&mut self, shard: u32, partials: &[PartialAggregate]) {
        for partial in partials {
            if let Some(round) = self.answers.get_mut(&partial.round) {
                let answers = round.entry(shard).or_default();
                answers.push((partial.metric.clone(), partial.rows.clone()));
            }
        }
    }

    /// Whether each of `shards` has answered all of `requests`.
    pub(super) fn are_answered(&self, requests: &[RoundRequest], shards: u32) -> bool {
        requests.iter().all(|request| {
            let answers = self.answers.get(&request.round);
            answers.is_some_and(|answers| answers.len() == shards as usize)
        })
    }

    /// Ends these rounds.
    pub(super) fn take(&mut self, requests: Vec<RoundRequest>) -> Vec<RoundInput> {
        requests
            .into_iter()
            .map(|request| RoundInput {
                partials: self.answers.remove(&request.round).unwrap_or_default(),
                key: request.key,
            })
            .collect()
    }
}
