//! What the log `sink-alerts` holds: changes in its records, the whole in its checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::outbox::{Dispatch, Outbox, RoutedTransition};
use super::schedule::DeliveryAttempt;

/// Name of the log.
pub(super) const ALERT_LOG: &str = "sink-alerts";
/// Version of its payloads.
pub(super) const ALERT_LAYOUT: u16 = 3;

/// What has changed since the record before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AlertLogRecord {
    /// Source → the number up to which its records are known; those that moved.
    pub(super) cursors: BTreeMap<Arc<str>, u64>,
    /// What ages are measured against, if it is later than before.
    pub(super) live_time: Option<TimestampMs>,
    pub(super) added: Vec<AddedTransitions>,
    pub(super) settled: Vec<SettledDelivery>,
    /// Rows of `ops.deliveries` that the publisher is still to write.
    pub(super) attempts: Vec<DeliveryAttempt>,
    /// Its owner sends nothing more, and all answers that it has are in here.
    pub(super) is_last: bool,
}

/// The transitions of one record of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AddedTransitions {
    pub(super) source: Arc<str>,
    pub(super) at: TimestampMs,
    pub(super) transitions: Vec<RoutedTransition>,
}

/// A transition that will not be sent to this destination any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SettledDelivery {
    pub(super) source: Arc<str>,
    pub(super) sequence: i64,
    pub(super) destination: Arc<str>,
}

/// The state after all records up to one: the payload of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AlertCheckpoint {
    /// One a source: sequences rise within a source, and so within a dedupe key.
    pub(super) outboxes: BTreeMap<Arc<str>, Outbox>,
    pub(super) cursors: BTreeMap<Arc<str>, u64>,
    pub(super) live_time: Option<TimestampMs>,
    /// Number of the record that holds them → attempts that the publisher has not confirmed.
    pub(super) attempts: BTreeMap<u64, Vec<DeliveryAttempt>>,
    /// The newest record is the last one of its owner: nothing has been sent whose answer is not known.
    pub(super) is_closed: bool,
}

impl AlertCheckpoint {
    /// Adds the record of this number.
    pub(super) fn apply(&mut self, number: u64, record: &AlertLogRecord) {
        self.hold(number, record.attempts.clone());
        for added in &record.added {
            self.add(added);
        }
        for settled in &record.settled {
            self.settle(settled);
        }
        for (source, number) in &record.cursors {
            self.advance(source, *number);
        }
        self.live_time = self.live_time.max(record.live_time);
        self.is_closed = record.is_last;
    }

    /// Forgets what no new owner would repeat.
    pub(super) fn age(&mut self) {
        if let Some(now) = self.live_time {
            self.outboxes
                .values_mut()
                .for_each(|outbox| outbox.age(now));
        }
    }

    /// Puts transitions into their outbox; says where they are to be sent.
    pub(super) fn add(&mut self, added: &AddedTransitions) -> Vec<Dispatch> {
        let outbox = self.outboxes.entry(added.source.clone()).or_default();
        outbox.add(&added.transitions, added.at)
    }

    /// Keeps attempts until the publisher has confirmed the record that holds them.
    pub(super) fn hold(&mut self, number: u64, attempts: Vec<DeliveryAttempt>) {
        if !attempts.is_empty() {
            self.attempts.insert(number, attempts);
        }
    }

    /// Attempts of records up to this one are rows of a sealed intent.
    pub(super) fn confirm(&mut self, number: u64) {
        self.attempts.retain(|held, _| *held > number);
    }

    /// Whether it was open.
    pub(super) fn settle(&mut self, settled: &SettledDelivery) -> bool {
        self.outboxes
            .get_mut(&settled.source)
            .is_some_and(|outbox| outbox.settle(settled.sequence, &settled.destination))
    }

    pub(super) fn advance(&mut self, source: &Arc<str>, number: u64) {
        let cursor = self.cursors.entry(source.clone()).or_default();
        *cursor = number.max(*cursor);
    }
}
