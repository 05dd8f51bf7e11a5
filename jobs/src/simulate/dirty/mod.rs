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
use super::dice::{Dice, Stream};
use super::letter::{Letter, uuid_text};
use super::plan::Plan;

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
    pub now: Option<Letter>,
    /// Reaches it at its `arrives_at`.
    pub later: Option<Letter>,
}

/// Decides the fate of clean records.
pub(super) struct Dirtier {
    dice: Dice,
    flaws: flaws::Flaws,
}

impl Dirtier {
    pub fn new(plan: &Plan) -> Self {
        Self {
            dice: Dice::new(plan.seed, Stream::Dirt),
            flaws: flaws::Flaws::default(),
        }
    }

    pub fn decide(&mut self, letter: Letter, partitions: u32) -> Fate {
        let bound = letter.topic.out_of_orderness_ms();
        let horizon = bound + letter.topic.allowed_lateness_ms();
        let mut roll = self.dice.below(1_000_000);
        let mut falls_in = |rate: u32| {
            let hit = roll < rate;
            roll = roll.wrapping_sub(rate);
            hit
        };
        if falls_in(OFFLINE) {
            let age = self.dice.between(2 * bound, horizon / 2);
            return Self::only_later(letter, age);
        }
        if falls_in(FORGOTTEN) {
            let age = horizon + self.dice.between(HOUR_MS, 24 * HOUR_MS);
            return Self::only_later(letter, age);
        }
        if falls_in(REPEATED) {
            let copy = self.copy_after(&letter, 10, HOUR_MS);
            return Self::and_later(letter, copy);
        }
        if falls_in(RESENT) {
            let mut copy = self.copy_after(&letter, MINUTE_MS, 6 * HOUR_MS);
            rewrite_recorded_at(&mut copy);
            return Self::and_later(letter, copy);
        }
        if falls_in(REPLAYED) {
            let copy = self.copy_after(&letter, horizon, horizon + 24 * HOUR_MS);
            return Self::and_later(letter, copy);
        }
        match self.flaws.choose(falls_in) {
            Some(flaw) => {
                let broken = self.broken(&letter, flaw, partitions);
                Fate {
                    now: Some(letter),
                    later: broken,
                }
            }
            None => Fate {
                now: Some(letter),
                later: None,
            },
        }
    }

    /// The record itself comes, so late that its `recorded_at` is newer too: the source wrote it when it could.
    fn only_later(mut letter: Letter, age: i64) -> Fate {
        letter.arrives_at = letter.arrives_at.max(letter.occurred_at + age);
        rewrite_recorded_at(&mut letter);
        Fate {
            now: None,
            later: Some(letter),
        }
    }

    fn and_later(letter: Letter, copy: Letter) -> Fate {
        Fate {
            now: Some(letter),
            later: Some(copy),
        }
    }

    fn copy_after(&mut self, letter: &Letter, least: i64, most: i64) -> Letter {
        let mut copy = letter.clone();
        copy.arrives_at += self.dice.between(least, most);
        copy
    }

    /// A broken copy with an id of its own, or none where the flaw does not fit the record.
    fn broken(&mut self, letter: &Letter, flaw: flaws::Flaw, partitions: u32) -> Option<Letter> {
        let mut copy = letter.clone();
        let former = uuid_text(&copy.event_id);
        copy.event_id[8..].copy_from_slice(&self.dice.bits().to_be_bytes());
        copy.event_id[8] = 0x80 | copy.event_id[8] & 0x3f;
        let renewed = uuid_text(&copy.event_id);
        flaws::replace_once(&mut copy.payload, former.as_str(), renewed.as_str());
        copy.flaw = Some(flaw.reason());
        flaw.inflict(&mut copy, partitions, &mut self.dice)
            .then_some(copy)
    }
}

/// Makes `recorded_at` say when the record arrives.
fn rewrite_recorded_at(letter: &mut Letter) {
    flaws::replace_value(
        &mut letter.payload,
        "recorded_at",
        &letter.arrives_at.to_string(),
    );
}
