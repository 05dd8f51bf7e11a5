//! How far the machine has come: what its driver asks. Nothing here changes anything.

use std::collections::BTreeMap;

use schemas::time::TimestampMs;

use super::Machine;
use crate::publisher::event::Now;
use crate::publisher::identity::StorageIdentity;
use crate::publisher::record::{EpochRecord, PublisherCheckpoint};
use crate::sink::RecordFile;

impl Machine {
    /// The last seal of a shard that has been ingested.
    pub(in crate::publisher) fn ingested(&self, shard: u32) -> u64 {
        self.seals.cut().get(&shard).copied().unwrap_or(0)
    }

    /// Backlog bytes of seals ingested for the epoch under way.
    pub(in crate::publisher) fn collected_bytes(&self) -> usize {
        self.seals.bytes()
    }

    /// Nothing is asked for, under way or left to say.
    pub(in crate::publisher) fn is_quiet(&self, now: Now) -> bool {
        self.is_between_epochs()
            && !self.has_due(now)
            && !self.has_news()
            && !self.is_heartbeat_due(now)
    }

    /// Everything that the shards read up to the ends seen at start has been ingested.
    pub(in crate::publisher) fn has_caught_up(&self) -> bool {
        (0..self.settings.shards).all(|shard| {
            let number = self.caught_up.get(&shard);
            number.is_some_and(|number| self.seals.cut().get(&shard) >= Some(number))
        })
    }

    /// All clocks of all shards have reached this instant.
    pub(in crate::publisher) fn has_drained(&self, to: TimestampMs) -> bool {
        (0..self.settings.shards).all(|shard| {
            let clocks = self.durable.state.clocks.get(&shard);
            clocks.is_some_and(|clocks| clocks.values().all(|&clock| clock >= to))
        })
    }

    /// How far ahead facts are believed, as far as one shard shows it (K41); `None` where all know it.
    pub(in crate::publisher) fn to_believe(&self) -> Option<TimestampMs> {
        let believed = self.durable.state.believed_until.values();
        let until = believed.copied().max();
        until.filter(|until| !self.all_believe(*until))
    }

    /// Whether every shard has sealed which of its facts up to there are the last.
    pub(in crate::publisher) fn all_believe(&self, until: TimestampMs) -> bool {
        let believed = &self.durable.state.believed_until;
        (0..self.settings.shards).all(|shard| believed.get(&shard) >= Some(&until))
    }

    /// K7: the last instant at which a window that holds a believed fact becomes final.
    pub(in crate::publisher) fn drain_instant(&self) -> Option<TimestampMs> {
        self.durable.state.planner.drain_instant(
            &self.metrics,
            self.settings.zone,
            &self.settings.topics,
        )
    }

    /// Staged records that are not known to be delivered, oldest first.
    pub(in crate::publisher) fn undelivered(&self) -> &BTreeMap<i64, RecordFile> {
        &self.durable.state.undelivered
    }

    /// What the storage was begun with, as its log says.
    pub(in crate::publisher) fn identity(&self) -> Option<&StorageIdentity> {
        self.durable.state.identity.as_ref()
    }

    pub(in crate::publisher) fn last(&self) -> Option<&EpochRecord> {
        self.durable.last.as_ref()
    }

    /// What a checkpoint holds, where one is due after this record. Heartbeats count: a start would have to replay them.
    pub(in crate::publisher) fn due_checkpoint(&self) -> Option<&PublisherCheckpoint> {
        let is_due = self.is_between_epochs() && self.checkpoints.is_due(self.next_record - 1);
        is_due.then_some(&self.durable)
    }

    /// Number that the next record of the publisher's log will have.
    pub(in crate::publisher) fn next_record(&self) -> u64 {
        self.next_record
    }

    /// Says how many of the records of this run were refused, if any were.
    pub(in crate::publisher) fn report_refused(&self) {
        if let Some(said) = self.refused.last_words(self.durable.summary().read) {
            said.report();
        }
    }

    pub(in crate::publisher) fn checkpoint(&self) -> &PublisherCheckpoint {
        &self.durable
    }
}
