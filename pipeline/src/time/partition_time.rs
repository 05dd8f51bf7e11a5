//! How far event time has come in one partition, and what a far jump may do to it (K6, K41, K44).

use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::TopicTime;

/// An accepted event as far as event time is concerned: whose it is, and when it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Witness {
    key: String,
    occurred_at: TimestampMs,
}

/// What an accepted event did to the time of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// It is the highest now, or lies at or below it.
    Within,
    /// It lies more than `max_jump` ahead and moves nothing. `is_first` of its key since the last move.
    Pending { is_first: bool },
    /// It lies more than `max_jump` ahead and so does a record of another key: the lesser of the two is the highest now.
    Witnessed,
}

/// The highest accepted `occurred_at` of one partition and the limit that follows from it.
///
/// One device with a wrong clock cannot move it far (K41): an event more than `max_jump` ahead stays *pending* until a record of
/// a second key is that far ahead too. The very first record has nothing to be compared with. It counts until a second key shows
/// that it lies far ahead; then it becomes pending and that key's record is the first.
///
/// The limit never goes back when `out_of_orderness` or `allowed_lateness` change (K44). It goes back only with a first record
/// that was replaced.
///
/// ```
/// # use pipeline::time::{Advance, PartitionTime, TopicTime};
/// # use schemas::time::{DurationMs, TimestampMs};
/// let settings = TopicTime {
///     out_of_orderness: DurationMs::MINUTE,
///     allowed_lateness: DurationMs::from_days(2),
///     idle_after: DurationMs::from_secs(30),
///     max_jump: DurationMs::from_days(31),
/// };
/// let day = |number| TimestampMs::from_ms(0) + DurationMs::from_days(number);
/// let mut time = PartitionTime::default();
/// time.advance("C1", day(10), &settings);
/// assert_eq!(time.advance("C1", day(400), &settings), Advance::Pending { is_first: true });
/// assert_eq!(time.highest(), Some(day(10)));
/// assert_eq!(time.advance("C2", day(401), &settings), Advance::Witnessed);
/// assert_eq!(time.highest(), Some(day(400)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTime {
    highest: Option<TimestampMs>,
    limit: Option<TimestampMs>,
    /// The first accepted record, as long as all records since came from its key.
    first: Option<Witness>,
    /// The key that is far ahead of the highest, and its latest record. A second such key ends it, so there is one at most.
    pending: Option<Witness>,
}

impl PartitionTime {
    /// The highest accepted `occurred_at` that counts; `None` before the first accepted record.
    pub fn highest(&self) -> Option<TimestampMs> {
        self.highest
    }

    /// K6: what occurred before this is too late, and an id accepted before it is forgotten. `None` before the first record.
    pub fn limit(&self) -> Option<TimestampMs> {
        self.limit
    }

    /// Puts changed settings in force: they may raise the limit, and never lower it.
    pub fn adopt(&mut self, settings: &TopicTime) {
        let limit = self.highest.map(|highest| settings.limit(highest));
        self.limit = self.limit.max(limit);
    }

    /// A valid record, before its verdict: that of a second key replaces a first record that lies more than `max_jump` above it.
    pub fn meet(&mut self, key: &str, occurred_at: TimestampMs, settings: &TopicTime) {
        let Some(first) = self.first.take_if(|first| first.key != key) else {
            return;
        };
        if first.occurred_at - occurred_at <= settings.max_jump {
            return;
        }
        self.pending = self.highest.map(|occurred_at| Witness {
            key: first.key,
            occurred_at,
        });
        self.highest = Some(occurred_at);
        self.limit = Some(settings.limit(occurred_at));
    }

    /// An accepted record, which [`Self::meet`] has seen.
    pub fn advance(
        &mut self,
        key: &str,
        occurred_at: TimestampMs,
        settings: &TopicTime,
    ) -> Advance {
        let new = || Witness {
            key: key.to_owned(),
            occurred_at,
        };
        let Some(highest) = self.highest else {
            self.first = Some(new());
            self.raise(occurred_at, settings);
            return Advance::Within;
        };
        if occurred_at - highest <= settings.max_jump {
            self.raise(highest.max(occurred_at), settings);
            return Advance::Within;
        }
        match &mut self.pending {
            Some(pending) if pending.key != key => {
                let other = pending.occurred_at;
                if other < occurred_at {
                    *pending = new();
                }
                self.raise(other.min(occurred_at), settings);
                Advance::Witnessed
            }
            Some(pending) => {
                pending.occurred_at = pending.occurred_at.max(occurred_at);
                Advance::Pending { is_first: false }
            }
            None => {
                self.pending = Some(new());
                Advance::Pending { is_first: true }
            }
        }
    }

    fn raise(&mut self, highest: TimestampMs, settings: &TopicTime) {
        self.highest = Some(highest);
        self.limit = self.limit.max(Some(settings.limit(highest)));
        self.pending
            .take_if(|pending| pending.occurred_at <= highest);
    }
}

#[cfg(test)]
mod tests;
