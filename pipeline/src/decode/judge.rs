//! The verdict on each record of one input partition.

use schemas::event::{Event, Limits, Reason, Rejection, Topic, decode};
use schemas::partition::partition_of;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::known::KnownIds;
use crate::source::{Record, TimestampKind};
use crate::time::{Advance, PartitionTime, TopicTime};

/// What configuration says of one topic.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    pub topic: Topic,
    /// Its name at the broker, or its folder.
    pub name: String,
    pub time: TopicTime,
}

/// How producers place keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Partitioner {
    /// As the Java client and librdkafka's `murmur2`.
    Murmur2,
    /// As librdkafka's `consistent`.
    Crc32,
    /// Anywhere; only with one partition.
    Any,
}

impl Partitioner {
    fn place(self, key: &[u8], partitions: u32) -> Option<u32> {
        match self {
            Self::Murmur2 => Some(partition_of(key, partitions)),
            Self::Crc32 => Some(crc32fast::hash(key) % partitions.max(1)),
            Self::Any => None,
        }
    }
}

/// What becomes of a record.
#[derive(Debug)]
pub enum Verdict<'p> {
    /// With what it did to the time of its partition.
    Accepted(Event<'p>, Advance),
    Duplicate,
    /// Below its partition's limit (K6); listed in `ops.late_events`.
    TooLate(Event<'p>),
    Dead(Rejection),
}

/// How many records of an input had which verdict: `read = accepted + duplicate + dead + too_late` (P4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub too_late: u64,
    pub dead: u64,
    /// Offsets that were gone upstream before they were read, and were passed over. Not part of `read`.
    pub missing: u64,
}

impl Counters {
    pub fn is_conserved(&self) -> bool {
        self.read == self.accepted + self.duplicate + self.too_late + self.dead
    }
}

/// Hashes of accepted ids with their `occurred_at`, of one input.
pub type SavedIds = Vec<(u128, TimestampMs)>;

/// Where a judge goes on.
#[derive(Clone, Debug, Default)]
pub struct JudgeState {
    pub time: PartitionTime,
    pub known: SavedIds,
    pub counters: Counters,
}

/// Judges the records of one topic-partition, in the order of their offsets.
#[derive(Debug)]
pub struct InputJudge {
    settings: TopicSettings,
    limits: Limits,
    partitioner: Partitioner,
    partition: u32,
    partitions: u32,
    time: PartitionTime,
    known: KnownIds,
    counters: Counters,
}

impl InputJudge {
    /// `partitions` is the number of partitions of the customer topics; topics without a key are not checked for place.
    pub fn new(
        settings: TopicSettings,
        limits: Limits,
        partitioner: Partitioner,
        partition: u32,
        partitions: u32,
        state: JudgeState,
    ) -> Self {
        let mut time = state.time;
        time.adopt(&settings.time);
        Self {
            settings,
            limits,
            partitioner,
            partition,
            partitions,
            time,
            known: KnownIds::load(state.known),
            counters: state.counters,
        }
    }

    /// How far event time has come.
    pub fn time(&self) -> &PartitionTime {
        &self.time
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    pub fn settings(&self) -> &TopicSettings {
        &self.settings
    }

    pub fn known_ids(&self) -> usize {
        self.known.len()
    }

    /// The ids that it remembers.
    pub fn saved_ids(&self) -> SavedIds {
        self.known.save()
    }

    pub fn save(&self) -> JudgeState {
        JudgeState {
            time: self.time.clone(),
            known: self.saved_ids(),
            counters: self.counters,
        }
    }

    /// The verdict; accepted records move the time of the partition and are remembered.
    pub fn judge<'p>(&mut self, record: &'p Record) -> Verdict<'p> {
        self.counters.read += 1;
        let verdict = self.verdict(record);
        match &verdict {
            Verdict::Accepted(event, _) => {
                self.counters.accepted += 1;
                self.remember(event.event_id(), event.occurred_at());
            }
            Verdict::Duplicate => self.counters.duplicate += 1,
            Verdict::TooLate(_) => self.counters.too_late += 1,
            Verdict::Dead(_) => self.counters.dead += 1,
        }
        verdict
    }

    /// Takes over time and counters from a sealed record (recovery).
    pub fn restore(&mut self, time: &PartitionTime, counters: Counters) {
        self.time.clone_from(time);
        self.time.adopt(&self.settings.time);
        self.counters = counters;
    }

    /// Counts offsets that were gone before they were read.
    pub fn count_missing(&mut self, offsets: u64) {
        self.counters.missing += offsets;
    }

    /// Remembers the id of an accepted event; recovery calls it for the events of sealed records.
    pub fn remember(&mut self, event_id: &str, occurred_at: TimestampMs) {
        self.known.insert(event_id, occurred_at, self.time.limit());
    }

    fn verdict<'p>(&mut self, record: &'p Record) -> Verdict<'p> {
        // By the length that it came with: of a payload that is too large only the beginning is here.
        if record.payload_len > self.limits.max_record_bytes as u64 {
            return Verdict::Dead(Rejection::new(Reason::TooLarge, ""));
        }
        let payload = record.payload.as_deref();
        let event = match decode(self.settings.topic, payload, &self.limits) {
            Ok(event) => event,
            Err(rejection) => return Verdict::Dead(rejection),
        };
        if self.is_future_dated(record, &event) {
            return Verdict::Dead(Rejection::new(Reason::FutureDated, "occurred_at"));
        }
        if self.settings.topic.is_keyed()
            && let Some(reason) = self.wrong_key(record, &event)
        {
            return Verdict::Dead(Rejection::new(reason, ""));
        }
        self.time
            .meet(witness(&event), event.occurred_at(), &self.settings.time);
        let limit = self.time.limit();
        if limit.is_some_and(|limit| event.occurred_at() < limit) {
            return Verdict::TooLate(event);
        }
        if self.known.contains(event.event_id(), limit) {
            return Verdict::Duplicate;
        }
        let settings = &self.settings.time;
        let advance = self
            .time
            .advance(witness(&event), event.occurred_at(), settings);
        Verdict::Accepted(event, advance)
    }

    /// K5.
    fn is_future_dated(&self, record: &Record, event: &Event<'_>) -> bool {
        let skew = self.limits.max_future_skew;
        let occurred_at = event.occurred_at();
        let allowed_after_broker = match record.timestamp_kind {
            TimestampKind::None => None,
            TimestampKind::CreateTime => Some(DurationMs::DAY),
            TimestampKind::LogAppendTime => Some(skew),
        };
        let after_broker = record.timestamp.zip(allowed_after_broker);
        occurred_at > event.recorded_at() + skew
            // A producer may have written any number as its time.
            || after_broker
                .is_some_and(|(broker, allowed)| occurred_at > broker + allowed)
    }

    /// `misplaced_key` before `key_mismatch` (K3). Files have no record key: the payload's id is the key (K1).
    fn wrong_key(&self, record: &Record, event: &Event<'_>) -> Option<Reason> {
        let own_id = event.key().map(str::as_bytes);
        let key = match record.timestamp_kind {
            TimestampKind::None => record.key.as_deref().or(own_id),
            _ => record.key.as_deref(),
        };
        let Some(key) = key else {
            return Some(Reason::KeyMismatch);
        };
        let place = self.partitioner.place(key, self.partitions);
        if place.is_some_and(|place| place != self.partition) {
            return Some(Reason::MisplacedKey);
        }
        (own_id != Some(key)).then_some(Reason::KeyMismatch)
    }
}

/// Whose event this is, by K41: the key of its topic; in `prices`, whose records have any key, the scope of K23.
fn witness<'e>(event: &'e Event<'_>) -> &'e str {
    event.key().or_else(|| event.scope()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
