//! `--dirty`: what real sources do to a log. The rates are records per million, judged once for each clean record.
//!
//! | trouble | rate | what reaches the log | label |
//! |---|---|---|---|
//! | [`OFFLINE`] | 4,000 | the record itself, beyond the bound but within the allowed lateness | none: accepted |
//! | [`FORGOTTEN`] | 600 | the record itself, 1-24 h beyond bound and lateness | `too_late` (if later records came) |
//! | [`REPEATED`] | 5,000 | the record, and its exact copy within an hour | `duplicate` |
//! | [`RESENT`] | 2,000 | the record, and within 6 h the same event with a newer `recorded_at` | `duplicate` |
//! | [`REPLAYED`] | 300 | the record, and its exact copy beyond bound and lateness | `too_late`, or `duplicate` |
//! | flaws (by reason: `flaws::FLAWS`) | 4,730 | the record, and a broken copy under an id of its own | the flaw's reason |
//!
//! Broken copies have ids of their own, so that one accepted by mistake counts twice instead of hiding as a duplicate.
//! `key_mismatch` cannot be written to a file, whose key is the payload's id (K1).

mod flaws;

use super::days::{HOUR_MS, MINUTE_MS};
use super::plan::Plan;
use super::random::{RandomGenerator, Stream};
use super::record::{SimulatedRecord, uuid_text};

/// The device had no network for a while.
pub const OFFLINE: u32 = 4_000;
/// The device lay in a drawer.
pub const FORGOTTEN: u32 = 600;
/// The producer did not see the acknowledgement.
pub const REPEATED: u32 = 5_000;
/// The application saved the same thing again.
pub const RESENT: u32 = 2_000;
/// Somebody replayed an old file.
pub const REPLAYED: u32 = 300;

/// What happens to a record that has arrived.
pub(super) struct Fate {
    /// Reaches the log now.
    pub now: Option<SimulatedRecord>,
    /// Reaches it at its `arrives_at`.
    pub later: Option<SimulatedRecord>,
}

/// Decides the fate of clean records.
pub(super) struct Dirtier {
    random: RandomGenerator,
    flaws: flaws::Flaws,
}

impl Dirtier {
    pub fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Dirt),
            flaws: flaws::Flaws::default(),
        }
    }

    pub fn decide(&mut self, record: SimulatedRecord, partitions: u32) -> Fate {
        let bound = record.topic.out_of_orderness_ms();
        let horizon = bound + record.topic.allowed_lateness_ms();
        let mut roll = self.random.below(1_000_000);
        let mut falls_in = |rate: u32| {
            let hit = roll < rate;
            roll = roll.wrapping_sub(rate);
            hit
        };
        if falls_in(OFFLINE) {
            let age = self.random.between(2 * bound, horizon / 2);
            return Self::only_later(record, age);
        }
        if falls_in(FORGOTTEN) {
            let age = horizon + self.random.between(HOUR_MS, 24 * HOUR_MS);
            return Self::only_later(record, age);
        }
        if falls_in(REPEATED) {
            let copy = self.copy_after(&record, 10, HOUR_MS);
            return Self::and_later(record, copy);
        }
        if falls_in(RESENT) {
            let mut copy = self.copy_after(&record, MINUTE_MS, 6 * HOUR_MS);
            rewrite_recorded_at(&mut copy);
            return Self::and_later(record, copy);
        }
        if falls_in(REPLAYED) {
            let copy = self.copy_after(&record, horizon, horizon + 24 * HOUR_MS);
            return Self::and_later(record, copy);
        }
        match self.flaws.choose(falls_in) {
            Some(flaw) => {
                let broken = self.broken(&record, flaw, partitions);
                Fate {
                    now: Some(record),
                    later: broken,
                }
            }
            None => Fate {
                now: Some(record),
                later: None,
            },
        }
    }

    /// The record itself comes, so late that its `recorded_at` is newer too: the source wrote it when it could.
    fn only_later(mut record: SimulatedRecord, age: i64) -> Fate {
        record.arrives_at = record.arrives_at.max(record.occurred_at + age);
        rewrite_recorded_at(&mut record);
        Fate {
            now: None,
            later: Some(record),
        }
    }

    fn and_later(record: SimulatedRecord, copy: SimulatedRecord) -> Fate {
        Fate {
            now: Some(record),
            later: Some(copy),
        }
    }

    fn copy_after(&mut self, record: &SimulatedRecord, least: i64, most: i64) -> SimulatedRecord {
        let mut copy = record.clone();
        copy.arrives_at += self.random.between(least, most);
        copy
    }

    /// A broken copy with an id of its own, or none where the flaw does not fit the record.
    fn broken(
        &mut self,
        record: &SimulatedRecord,
        flaw: flaws::Flaw,
        partitions: u32,
    ) -> Option<SimulatedRecord> {
        let mut copy = record.clone();
        let former = uuid_text(&copy.event_id);
        copy.event_id[8..].copy_from_slice(&self.random.bits().to_be_bytes());
        copy.event_id[8] = 0x80 | copy.event_id[8] & 0x3f;
        let renewed = uuid_text(&copy.event_id);
        flaws::replace_once(&mut copy.payload, former.as_str(), renewed.as_str());
        copy.flaw = Some(flaw.reason());
        flaw.inflict(&mut copy, partitions, &mut self.random)
            .then_some(copy)
    }
}

/// Makes `recorded_at` say when the record arrives.
fn rewrite_recorded_at(record: &mut SimulatedRecord) {
    flaws::replace_value(
        &mut record.payload,
        "recorded_at",
        &record.arrives_at.to_string(),
    );
}
