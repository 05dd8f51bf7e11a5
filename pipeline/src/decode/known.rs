//! Exact deduplication with bounded memory (K6).

use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;

use schemas::time::{DurationMs, TimestampMs};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::judge::SavedIds;

/// Ids of one topic-partition whose accepted record's `occurred_at` is not below the limit.
///
/// An id counts as known exactly while that holds, whatever memory still has: pruning is lazy and changes no verdict.
/// Ids are 128-bit hashes; among 10 billion ids the chance of one collision is under 10⁻¹⁸.
/// Memory, measured by the benchmark: 86 bytes an id at 1 million, 72 at 10 million (a slot of the table is 32 bytes, the list
/// by hour 16, the rest is room to grow).
#[derive(Clone, Debug, Default)]
pub struct KnownIds {
    by_hash: HashMap<u128, TimestampMs>,
    by_hour: BTreeMap<i64, Vec<u128>>,
}

impl KnownIds {
    /// Whether an accepted record with this id has an `occurred_at` at or above the limit.
    pub fn contains(&self, event_id: &str, limit: Option<TimestampMs>) -> bool {
        self.by_hash
            .get(&hash(event_id))
            .is_some_and(|&at| limit.is_none_or(|limit| at >= limit))
    }

    /// Remembers an accepted id and forgets hours that lie below the limit.
    pub fn insert(&mut self, event_id: &str, occurred_at: TimestampMs, limit: Option<TimestampMs>) {
        let id = hash(event_id);
        self.by_hash.insert(id, occurred_at);
        self.by_hour
            .entry(hour_of(occurred_at))
            .or_default()
            .push(id);
        let Some(limit) = limit else { return };
        while let Some(hour) = self.by_hour.first_entry() {
            if *hour.key() >= hour_of(limit) {
                break;
            }
            for id in hour.remove() {
                // An id that came anew after it was forgotten stands with its later time.
                if self.by_hash.get(&id).is_some_and(|&at| at < limit) {
                    self.by_hash.remove(&id);
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Hashes and times, for a checkpoint.
    pub fn save(&self) -> SavedIds {
        let mut ids: Vec<_> = self.by_hash.iter().map(|(&id, &at)| (id, at)).collect();
        ids.sort_unstable();
        ids
    }

    pub fn load(ids: SavedIds) -> Self {
        let mut known = Self::default();
        for (id, at) in ids {
            known.by_hash.insert(id, at);
            known.by_hour.entry(hour_of(at)).or_default().push(id);
        }
        known
    }
}

/// Hours since 1970.
fn hour_of(at: TimestampMs) -> i64 {
    at.as_ms().div_euclid(DurationMs::HOUR.as_ms())
}

fn hash(event_id: &str) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(0x7669_7472_696e_6531, 0x6465_6475_7065_3031);
    hasher.write(event_id.as_bytes());
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k06_pruning_changes_no_verdict() {
        let mut known = KnownIds::default();
        for hour in 0..100 {
            let at = TimestampMs::from_ms(0) + DurationMs::HOUR * hour;
            known.insert(&format!("e{hour}"), at, Some(at - DurationMs::HOUR * 10));
        }
        assert!(known.len() < 15);
        let limit = Some(TimestampMs::from_ms(0) + DurationMs::HOUR * 90);
        assert!(known.contains("e90", limit));
        assert!(
            !known.contains("e89", limit),
            "below the limit, though memory may hold it"
        );
        assert_eq!(KnownIds::load(known.save()).save(), known.save());
    }

    #[test]
    fn k06_an_hour_is_kept_until_the_limit_has_left_it() {
        let minute = |number| TimestampMs::from_ms(0) + DurationMs::from_minutes(number);
        let mut known = KnownIds::default();
        for number in [10, 30, 50] {
            known.insert(&format!("e{number}"), minute(number), None);
        }
        let limit = Some(minute(30));
        known.insert("e120", minute(120), limit);
        assert_eq!(known.len(), 4, "the limit lies within the hour");
        let found = ["e10", "e30", "e50", "e120"].map(|id| known.contains(id, limit));
        assert_eq!(found, [false, true, true, true]);

        let limit = Some(minute(70));
        known.insert("e130", minute(130), limit);
        assert_eq!(known.len(), 2, "the limit lies within the next");
        let found = ["e50", "e120", "e130"].map(|id| known.contains(id, limit));
        assert_eq!(found, [false, true, true]);
    }
}
