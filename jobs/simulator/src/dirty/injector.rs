//! Chooses a fault for a clean record and applies it. Rates are per million clean records; each clean record has at most one fault.
//!
//! | fault | rate | what reaches the log | label |
//! |---|---|---|---|
//! | [`OFFLINE`] | 4,000 | the record itself, beyond the bound but within the allowed lateness | none: accepted |
//! | [`FORGOTTEN`] | 600 | the record itself, 1-24 h beyond bound and lateness | `too_late` (if later records came) |
//! | [`REPEATED`] | 5,000 | the record, and its exact copy within an hour | `duplicate` |
//! | [`RESENT`] | 2,000 | the record, and within 6 h the same event with a newer `recorded_at` | `duplicate` |
//! | [`REPLAYED`] | 300 | the record, and its exact copy beyond bound and lateness | `too_late`, or `duplicate` |
//! | flaws (by reason: `flaws::FLAWS`) | 4,730 | the record, and a damaged copy with a new id | the reason of the flaw |
//!
//! Damaged copies have new ids: one that is accepted by mistake counts twice instead of passing as a duplicate.
//! A file cannot contain a `key_mismatch`, because its keys are the ids in the payloads (K1).

use schemas::event::Reason;
use schemas::time::DurationMs;

use super::flaws;
use crate::plan::Plan;
use crate::random::{RandomGenerator, Stream};
use crate::record::{SimulatedRecord, uuid_text};

/// The device was offline for a while.
const OFFLINE: u32 = 4_000;
/// The device was switched off for days.
const FORGOTTEN: u32 = 600;
/// The producer missed the acknowledgement.
const REPEATED: u32 = 5_000;
/// The application saved the same event again.
const RESENT: u32 = 2_000;
/// An old file was replayed.
const REPLAYED: u32 = 300;

/// What reaches the log because of one clean record.
pub(crate) struct Injection {
    pub now: Option<SimulatedRecord>,
    /// At its `arrives_at`.
    pub later: Option<SimulatedRecord>,
}

/// Chooses faults for clean records.
pub(crate) struct FaultInjector {
    random: RandomGenerator,
    flaws: flaws::Flaws,
}

impl FaultInjector {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            random: RandomGenerator::new(plan.seed, Stream::Dirt),
            flaws: flaws::Flaws::default(),
        }
    }

    pub(crate) fn process(&mut self, record: SimulatedRecord, partitions: u32) -> Injection {
        let bound = record.topic.default_out_of_orderness();
        let horizon = bound + record.topic.default_allowed_lateness();
        let mut roll = self.random.below(1_000_000);
        let mut falls_in = |rate: u32| {
            let hit = roll < rate;
            roll = roll.wrapping_sub(rate);
            hit
        };
        if falls_in(OFFLINE) {
            let half = DurationMs::from_ms(horizon.as_ms() / 2);
            let age = self.random.duration(bound * 2, half);
            return Self::only_later(record, age);
        }
        if falls_in(FORGOTTEN) {
            let age = horizon + self.random.duration(DurationMs::HOUR, DurationMs::DAY);
            return Self::only_later(record, age);
        }
        if falls_in(REPEATED) {
            let copy = self.copy_after(&record, DurationMs::from_ms(10), DurationMs::HOUR);
            return Self::and_later(record, copy);
        }
        if falls_in(RESENT) {
            let longest = DurationMs::from_hours(6);
            let mut copy = self.copy_after(&record, DurationMs::MINUTE, longest);
            rewrite_recorded_at(&mut copy);
            return Self::and_later(record, copy);
        }
        if falls_in(REPLAYED) {
            let copy = self.copy_after(&record, horizon, horizon + DurationMs::DAY);
            return Self::and_later(record, copy);
        }
        let later = self
            .flaws
            .choose(falls_in)
            .and_then(|flaw| self.damaged_copy(&record, flaw, partitions));
        Injection {
            now: Some(record),
            later,
        }
    }

    /// The record arrives late, with a later `recorded_at` too: the source recorded it when it was online again.
    fn only_later(mut record: SimulatedRecord, age: DurationMs) -> Injection {
        record.arrives_at = record.arrives_at.max(record.occurred_at + age);
        rewrite_recorded_at(&mut record);
        Injection {
            now: None,
            later: Some(record),
        }
    }

    fn and_later(record: SimulatedRecord, copy: SimulatedRecord) -> Injection {
        Injection {
            now: Some(record),
            later: Some(copy),
        }
    }

    fn copy_after(
        &mut self,
        record: &SimulatedRecord,
        least: DurationMs,
        most: DurationMs,
    ) -> SimulatedRecord {
        let mut copy = record.clone();
        copy.arrives_at += self.random.duration(least, most);
        copy
    }

    /// A damaged copy with a new id; `None` if the flaw does not apply to the record.
    fn damaged_copy(
        &mut self,
        record: &SimulatedRecord,
        flaw: Reason,
        partitions: u32,
    ) -> Option<SimulatedRecord> {
        let mut copy = record.clone();
        let old_id = uuid_text(&copy.event_id);
        copy.event_id[8..].copy_from_slice(&self.random.bits().to_be_bytes());
        copy.event_id[8] = 0x80 | copy.event_id[8] & 0x3f;
        let new_id = uuid_text(&copy.event_id);
        flaws::replace_once(&mut copy.payload, old_id.as_str(), new_id.as_str());
        copy.flaw = Some(flaw);
        flaws::damage(&mut copy, flaw, partitions, &mut self.random).then_some(copy)
    }
}

/// Sets `recorded_at` to the instant of arrival.
fn rewrite_recorded_at(record: &mut SimulatedRecord) {
    flaws::replace_value(
        &mut record.payload,
        "recorded_at",
        &record.arrives_at.as_ms().to_string(),
    );
}
