//! What the log `sink-records` holds: who sends, and which epochs have left.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::DeliveryAttempt;

/// Name of the log.
pub(super) const RECORD_LOG: &str = "sink-records";
/// Version of its payloads.
pub(super) const RECORD_LAYOUT: u16 = 2;

/// Epochs whose given-up records are kept: their owner may have died before it made rows of them.
const KEPT_EPOCHS: usize = 64;

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum RecordLogEntry {
    /// The name under which records of this storage are sent, by this owner and all that follow. Drawn once.
    Sender(String),
    /// All records of an epoch have left or were given up.
    Left {
        epoch: i64,
        /// Records that were refused for good, as rows of `ops.deliveries`.
        given_up: Vec<DeliveryAttempt>,
    },
}

/// The state after all records up to one: the payload of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RecordCheckpoint {
    pub(super) sender: Option<String>,
    /// The newest epoch whose records have left.
    pub(super) delivered: Option<i64>,
    /// The newest epochs with records that were given up.
    pub(super) given_up: BTreeMap<i64, Vec<DeliveryAttempt>>,
}

impl RecordCheckpoint {
    pub(super) fn apply(&mut self, entry: RecordLogEntry) {
        match entry {
            RecordLogEntry::Sender(sender) => self.sender = Some(sender),
            RecordLogEntry::Left { epoch, given_up } => {
                self.delivered = self.delivered.max(Some(epoch));
                if !given_up.is_empty() {
                    self.given_up.insert(epoch, given_up);
                }
                while self.given_up.len() > KEPT_EPOCHS {
                    self.given_up.pop_first();
                }
            }
        }
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

    #[test]
    fn given_up_records_of_the_newest_epochs_are_kept() {
        let mut state = RecordCheckpoint::default();
        state.apply(RecordLogEntry::Sender("s".to_owned()));
        for epoch in 1..=100 {
            let given_up = match epoch % 2 {
                0 => vec![attempt(&epoch.to_string())],
                _ => Vec::new(),
            };
            state.apply(RecordLogEntry::Left { epoch, given_up });
        }
        assert_eq!(
            (state.sender.as_deref(), state.delivered),
            (Some("s"), Some(100))
        );
        assert_eq!(state.given_up.len(), 50);
        for epoch in 101..=200 {
            let given_up = vec![attempt("x")];
            state.apply(RecordLogEntry::Left { epoch, given_up });
        }
        assert_eq!(state.given_up.len(), KEPT_EPOCHS);
        assert_eq!(*state.given_up.last_key_value().unwrap().0, 200);
    }
}
