//! What alerts are to be sent and what the log does not say yet. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::time::TimestampMs;

use super::alert_log::{AddedTransitions, AlertCheckpoint, AlertLogRecord, SettledDelivery};
use super::outbox::{Dispatch, RoutedTransition, Routes};
use super::schedule::DeliveryAttempt;

/// A record that is put only to move cursors comes when a source is ahead by more than this,
const CURSOR_LEAD: u64 = 512;
/// or when the last record is this old: long before records of a source are trimmed.
const CURSOR_AGE: Duration = Duration::from_secs(3_600);
/// Shortest time between two records.
const BETWEEN_RECORDS: Duration = Duration::from_secs(1);

/// A durable record of a source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceRecord {
    pub(super) source: Arc<str>,
    pub(super) number: u64,
    pub(super) transitions: Vec<RoutedTransition>,
    /// What ages are measured against; `None` where the record says nothing of alerts.
    pub(super) at: Option<TimestampMs>,
}

/// The outboxes of all sources and their cursors, with the changes that are to go into the log's next record.
#[derive(Clone, Debug, Default)]
pub(super) struct AlertOutboxState {
    whole: AlertCheckpoint,
    unsealed: AlertLogRecord,
    /// Cursors as the log has them.
    sealed_cursors: BTreeMap<Arc<str>, u64>,
}

impl AlertOutboxState {
    /// The state that a former owner has made durable.
    pub(super) fn restore(
        checkpoint: Option<AlertCheckpoint>,
        records: impl IntoIterator<Item = (u64, AlertLogRecord)>,
    ) -> Self {
        let mut whole = checkpoint.unwrap_or_default();
        for (number, record) in records {
            whole.apply(number, &record);
        }
        Self {
            sealed_cursors: whole.cursors.clone(),
            unsealed: AlertLogRecord::default(),
            whole,
        }
    }

    /// The number up to which records of `source` are known.
    pub(super) fn cursor(&self, source: &str) -> u64 {
        self.whole.cursors.get(source).copied().unwrap_or(0)
    }

    pub(super) fn cursors(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.whole.cursors
    }

    /// The same as the log has it.
    pub(super) fn sealed_cursors(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.sealed_cursors
    }

    /// What ages are measured against: the latest of all sources.
    pub(super) fn live_time(&self) -> TimestampMs {
        self.whole.live_time.unwrap_or(TimestampMs::MIN)
    }

    /// Registers a record of a source and says what may be sent. One that is known already changes nothing.
    pub(super) fn ingest(&mut self, record: SourceRecord) -> Vec<Dispatch> {
        let SourceRecord {
            source,
            number,
            transitions,
            at,
        } = record;
        if number <= self.cursor(&source) {
            return Vec::new();
        }
        self.whole.advance(&source, number);
        self.unsealed.cursors.insert(source.clone(), number);
        if at > self.whole.live_time {
            self.whole.live_time = at;
            self.unsealed.live_time = at;
        }
        if transitions.is_empty() {
            return Vec::new();
        }
        let added = AddedTransitions {
            source,
            at: at.unwrap_or(TimestampMs::MIN),
            transitions,
        };
        let dispatches = self.whole.add(&added);
        self.unsealed.added.push(added);
        dispatches
    }

    /// Registers what became of an attempt; it is reported once it is durable.
    pub(super) fn attempted(&mut self, source: &Arc<str>, attempt: DeliveryAttempt) {
        if attempt.outcome.is_settled() {
            self.settle_one(SettledDelivery {
                source: source.clone(),
                sequence: attempt.sequence,
                destination: attempt.destination.clone(),
            });
        }
        self.unsealed.attempts.push(attempt);
    }

    /// Attempts of records up to this one are rows of a sealed intent.
    pub(super) fn confirm(&mut self, number: u64) {
        self.whole.confirm(number);
    }

    /// Durable attempts that nobody has confirmed, by the number of their record.
    pub(super) fn unconfirmed(&self) -> &BTreeMap<u64, Vec<DeliveryAttempt>> {
        &self.whole.attempts
    }

    /// What a new owner sends first, by source and in order (`Outbox::take_over`).
    pub(super) fn take_over(&mut self, routes: &Routes) -> Vec<(Arc<str>, Dispatch)> {
        self.whole.age();
        let was_closed = self.whole.is_closed;
        let outboxes = self.whole.outboxes.iter();
        let strangers: Vec<_> = outboxes
            .flat_map(|(source, outbox)| {
                let strangers = outbox.strangers(routes).into_iter();
                strangers.map(|(sequence, destination)| SettledDelivery {
                    source: source.clone(),
                    sequence,
                    destination,
                })
            })
            .collect();
        for stranger in strangers {
            self.settle_one(stranger);
        }
        let outboxes = self.whole.outboxes.iter();
        outboxes
            .flat_map(|(source, outbox)| {
                let dispatches = outbox.take_over(routes, was_closed).into_iter();
                dispatches.map(|dispatch| (source.clone(), dispatch))
            })
            .collect()
    }

    /// In how long the next record is due, `since` being how long ago the last one was put; `None` where nothing has changed.
    pub(super) fn record_due_in(&self, since: Duration) -> Option<Duration> {
        let AlertLogRecord {
            cursors,
            added,
            settled,
            attempts,
            live_time: _,
            is_last: _,
        } = &self.unsealed;
        let has_changes = !added.is_empty() || !settled.is_empty() || !attempts.is_empty();
        if cursors.is_empty() && !has_changes {
            return None;
        }
        let is_ahead = |(source, number): (&Arc<str>, &u64)| {
            let sealed = self.sealed_cursors.get(source).copied().unwrap_or(0);
            number.saturating_sub(sealed) > CURSOR_LEAD
        };
        let is_soon = has_changes || cursors.iter().any(is_ahead);
        let every = if is_soon { BETWEEN_RECORDS } else { CURSOR_AGE };
        Some(every.saturating_sub(since))
    }

    /// The next record, if there is something to say.
    pub(super) fn unsealed(&self) -> Option<&AlertLogRecord> {
        (self.unsealed != AlertLogRecord::default()).then_some(&self.unsealed)
    }

    /// The next record is the last one of this owner, who needs none if it has nothing to say since the last one of another.
    pub(super) fn close(&mut self) {
        self.unsealed.is_last = self.unsealed().is_some() || !self.whole.is_closed;
    }

    /// [`AlertOutboxState::unsealed`] is durable as the record of this number; gives the attempts to report.
    pub(super) fn sealed(&mut self, number: u64) -> Vec<DeliveryAttempt> {
        let sealed = std::mem::take(&mut self.unsealed);
        self.whole.is_closed = sealed.is_last;
        self.whole.age();
        self.sealed_cursors.extend(sealed.cursors);
        self.whole.hold(number, sealed.attempts.clone());
        sealed.attempts
    }

    /// The state after all records of the log; only where nothing is unsealed.
    pub(super) fn checkpoint(&self) -> &AlertCheckpoint {
        debug_assert_eq!(self.unsealed(), None, "a checkpoint covers records only");
        &self.whole
    }

    fn settle_one(&mut self, settled: SettledDelivery) {
        if self.whole.settle(&settled) {
            self.unsealed.settled.push(settled);
        }
    }
}

#[cfg(test)]
mod tests;
