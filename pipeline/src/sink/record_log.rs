//! What the log `sink-records` holds: who sends, which records were given up, and which epochs have left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::DeliveryAttempt;

/// Name of the log.
pub(super) const RECORD_LOG: &str = "sink-records";
/// Version of its payloads.
pub(super) const RECORD_LAYOUT: u16 = 3;

/// Epochs whose given-up records are kept: their owner may have died before it made rows of them.
const KEPT_EPOCHS: usize = 64;

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum RecordLogEntry {
    /// The name under which records of this storage are sent, by this owner and all that follow. Drawn once.
    Sender(String),
    /// A record was refused for good, and those of its epoch before it have left or were given up.
    GivenUp {
        epoch: i64,
        position: usize,
        /// A row of `ops.deliveries`.
        attempt: DeliveryAttempt,
    },
    /// All records of an epoch have left or were given up.
    Left { epoch: i64 },
}

/// The state after all records up to one: the payload of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RecordCheckpoint {
    /// Empty before it is drawn.
    pub(super) sender: String,
    /// The newest epoch whose records have left.
    pub(super) delivered: Option<i64>,
    /// The newest epochs with records that were given up, by position.
    given_up: BTreeMap<i64, BTreeMap<usize, DeliveryAttempt>>,
}

impl RecordCheckpoint {
    pub(super) fn apply(&mut self, entry: RecordLogEntry) {
        match entry {
            RecordLogEntry::Sender(sender) => self.sender = sender,
            RecordLogEntry::GivenUp {
                epoch,
                position,
                attempt,
            } => {
                let of_epoch = self.given_up.entry(epoch).or_default();
                of_epoch.insert(position, attempt);
                while self.given_up.len() > KEPT_EPOCHS {
                    self.given_up.pop_first();
                }
            }
            RecordLogEntry::Left { epoch } => self.delivered = self.delivered.max(Some(epoch)),
        }
    }

    /// Rows of `ops.deliveries` about records of the epoch that were given up, in their order.
    pub(super) fn given_up(&self, epoch: i64) -> Vec<DeliveryAttempt> {
        let of_epoch = self.given_up.get(&epoch).into_iter();
        of_epoch.flat_map(BTreeMap::values).cloned().collect()
    }

    /// The position behind the last record of the epoch that was given up.
    pub(super) fn behind_given_up(&self, epoch: i64) -> usize {
        let last = self.given_up.get(&epoch).and_then(BTreeMap::last_key_value);
        last.map_or(0, |(position, _)| position + 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use schemas::time::TimestampMs;

    use super::super::schedule::DeliveryOutcome;
    use super::*;

    fn attempt(id: &str) -> DeliveryAttempt {
        DeliveryAttempt {
            id: id.into(),
            sequence: 0,
            dedupe_key: "".into(),
            destination: "topic t".into(),
            attempt: 1,
            attempted_at: TimestampMs::from_ms(5),
            outcome: DeliveryOutcome::Refused,
            status: None,
            error: Some("larger".to_owned()),
        }
    }

    fn given_up(epoch: i64) -> RecordLogEntry {
        RecordLogEntry::GivenUp {
            epoch,
            position: 3,
            attempt: attempt(&epoch.to_string()),
        }
    }

    #[test]
    fn given_up_records_of_the_newest_epochs_are_kept() {
        let mut state = RecordCheckpoint::default();
        state.apply(RecordLogEntry::Sender("s".to_owned()));
        for epoch in 1..=100 {
            if epoch % 2 == 0 {
                state.apply(given_up(epoch));
            }
            state.apply(RecordLogEntry::Left { epoch });
        }
        assert_eq!((state.sender.as_str(), state.delivered), ("s", Some(100)));
        assert_eq!(state.given_up.len(), 50);
        for epoch in 101..=200 {
            state.apply(given_up(epoch));
            state.apply(RecordLogEntry::Left { epoch });
        }
        assert_eq!(state.given_up.len(), KEPT_EPOCHS);
        assert_eq!(*state.given_up.last_key_value().unwrap().0, 200);
        assert_eq!(state.given_up(200), [attempt("200")]);
        assert_eq!(
            (state.behind_given_up(200), state.behind_given_up(1)),
            (4, 0)
        );
    }
}
