//! K40: whatever the order of seals, changes, clocks and crashes, a row is final only with its last change before the final
//! instant, and no round is wasted where nothing changed.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use schemas::time::{DurationMs, TimestampMs};

use super::life::{Durable, Life, SHARDS, ZONE, quiet, seal};
use super::*;
use crate::publisher::record::EpochRecord;
use crate::shard::Seal;
use crate::time::fixture::{at, ms};
use crate::time::{Day, Window, WindowKind};

const KINDS: [WindowKind; 2] = [WindowKind::D1, WindowKind::W1];
const DAYS: i32 = 6;

/// A change that a shard has sealed, and how far all clocks had come before.
struct Change {
    day: Day,
    clock: TimestampMs,
}

fn final_at(window: Window) -> TimestampMs {
    // orders may be a day late
    window.ends_at(ZONE) + DurationMs::DAY
}

fn windows() -> Vec<Window> {
    let days = (0..DAYS).map(Day);
    let windows = days.flat_map(|day| KINDS.map(|kind| kind.reading(day, 0)));
    windows.flatten().collect()
}

fn until(epoch: &EpochRecord, kind: WindowKind) -> Option<TimestampMs> {
    let mut said = epoch.finality.iter();
    let of_kind = said.find(|of| of.window_kind == kind.as_str());
    of_kind.map(|of| of.until)
}

/// What readers of an epoch see of each window: its sum.
fn published(durable: &Durable, epoch: i64) -> BTreeMap<(String, String), i64> {
    let commits = durable.commits.get("metrics.demand");
    let visible = commits
        .into_iter()
        .flat_map(|commits| commits.range(..=epoch));
    visible
        .flat_map(|(_, rows)| rows)
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let window = (cells[3].to_owned(), cells[4].to_owned());
            (window, cells[2].parse().unwrap())
        })
        .collect()
}

fn assert_final_rows_are_whole(durable: &Durable, changes: &[Change]) -> Result<(), TestCaseError> {
    for epoch in epochs(durable) {
        let published = published(durable, epoch.epoch);
        for window in windows() {
            if until(&epoch, window.kind) < Some(window.ends_at(ZONE)) {
                continue;
            }
            let inside = changes.iter().filter(|change| {
                (window.first..window.end).contains(&change.day) && change.clock < final_at(window)
            });
            let key = (window.kind.to_string(), window.first.date().to_string());
            let seen = published.get(&key).copied().unwrap_or(0);
            prop_assert!(
                seen >= inside.count() as i64,
                "epoch={} says that {key:?} is final with {seen} changes",
                epoch.epoch
            );
        }
    }
    Ok(())
}

/// One step: what happens, in which shard, on which day, and how many hours its clock goes on.
type Step = (u8, u32, i32, i64);

struct Story {
    clocks: BTreeMap<u32, TimestampMs>,
    changes: Vec<Change>,
}

impl Story {
    fn change(&mut self, shard: u32, day: Day) -> Seal {
        self.changes.push(Change {
            day,
            clock: self.clocks.values().copied().min().unwrap(),
        });
        let mut seal = quiet(shard, 1, self.clocks[&shard]);
        seal.touched = [("demand".to_owned(), vec![day])].into();
        seal
    }

    fn advance(&mut self, shard: u32, hours: i64) -> Seal {
        let clock = self.clocks.get_mut(&shard).unwrap();
        *clock += DurationMs::from_hours(hours);
        quiet(shard, 1, *clock)
    }

    fn take(&mut self, life: &mut Life<'_>, (kind, shard, day, hours): Step) -> Result<(), Died> {
        match kind {
            0..=3 => {
                let seal = self.change(shard, Day(day));
                life.append(shard, seal);
            }
            4..=5 => {
                let seal = self.advance(shard, hours);
                life.append(shard, seal);
            }
            6 => {
                let seal = self.change(shard, Day(day));
                // It is sealed during the epoch, in which no clock moves.
                life.meanwhile.push((shard, seal));
                life.settle()?;
                let left = std::mem::take(&mut life.meanwhile);
                left.into_iter()
                    .for_each(|(shard, seal)| life.append(shard, seal));
            }
            _ => life.settle()?,
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn k40_no_row_is_final_before_its_last_change_is_published(
        steps in vec((0..9_u8, 0..SHARDS, 0..DAYS, 1..40_i64), 1..60),
        deaths in vec(1..60_usize, 0..3),
    ) {
        let mut durable = Durable::default();
        let mut story = Story {
            clocks: (0..SHARDS).map(|shard| (shard, at(0))).collect(),
            changes: Vec::new(),
        };
        let mut steps = steps.into_iter();
        let mut deaths = deaths.into_iter();
        let mut point = 0;
        let mut has_begun = false;
        loop {
            let dies_at = deaths.next().map(|more| point + more);
            let mut life = Life::begin(&mut durable, point, dies_at);
            if !std::mem::replace(&mut has_begun, true) {
                for shard in 0..SHARDS {
                    life.append(shard, quiet(shard, 1, at(0)));
                }
            }
            let result = steps.by_ref().try_for_each(|step| story.take(&mut life, step));
            point = life.point;
            if result.is_ok() && dies_at.is_none() {
                // All clocks pass every final instant, and no window waits for its revision's time.
                for shard in 0..SHARDS {
                    let seal = story.advance(shard, 24 * 60);
                    life.append(shard, seal);
                }
                for _ in 0..8 {
                    life.settle().unwrap();
                }
                let last = life.machine.last().unwrap();
                for window in windows() {
                    prop_assert!(until(last, window.kind) >= Some(window.ends_at(ZONE)), "{window:?} never becomes final");
                }
                break;
            }
            let lost: Vec<(u32, Seal)> = std::mem::take(&mut life.meanwhile);
            lost.into_iter().for_each(|(shard, seal)| life.append(shard, seal));
            durable.crashes += 1;
        }
        assert_final_rows_are_whole(&durable, &story.changes)?;
    }
}

/// The first day has had its first round, and clocks are a moment behind its end.
fn begin(durable: &mut Durable) -> Life<'_> {
    let mut life = Life::begin(durable, 0, None);
    for shard in 0..SHARDS {
        life.append(shard, seal(shard, 1, at(1) + DurationMs::DAY, true));
    }
    life.settle().unwrap();
    life
}

fn move_clocks(life: &mut Life<'_>, clock: TimestampMs) {
    for shard in 0..SHARDS {
        life.append(shard, quiet(shard, 1, clock));
    }
    life.now.monotonic += Duration::from_secs(60);
    life.settle().unwrap();
}

/// The first day: whether it is final, and how often it has been published.
fn first_day(life: &Life<'_>) -> (bool, usize) {
    let end = ZONE.start_of(Day(1));
    let is_final = until(life.machine.last().unwrap(), WindowKind::D1) >= Some(end);
    let commits = life.durable.commits["metrics.demand"].values().flatten();
    let of_day = commits.filter(|row| row.contains("D1") && row.contains("1970-01-01"));
    (is_final, of_day.count())
}

#[test]
fn k40_a_late_change_has_its_round_at_the_final_instant_and_does_not_wait_for_its_time() {
    let mut durable = Durable::default();
    let mut life = begin(&mut durable);
    assert_eq!(first_day(&life), (false, 1));
    life.append(0, seal(0, 1, at(1) + DurationMs::DAY, true));
    life.settle().unwrap();
    assert_eq!(first_day(&life), (false, 1), "too soon for a revision");
    let final_at = ZONE.start_of(Day(2));
    move_clocks(&mut life, final_at - ms(1));
    assert_eq!(first_day(&life), (false, 1));
    move_clocks(&mut life, final_at);
    assert_eq!(first_day(&life), (true, 2));
}

#[test]
fn k40_a_window_that_did_not_change_is_final_without_a_round() {
    let mut durable = Durable::default();
    let mut life = begin(&mut durable);
    let epoch = life.machine.last().unwrap().epoch;
    move_clocks(&mut life, ZONE.start_of(Day(2)));
    assert_eq!(first_day(&life), (true, 1));
    assert_eq!(life.machine.last().unwrap().epoch, epoch, "a heartbeat");
}

#[test]
fn k40_a_change_that_a_crash_left_behind_the_cut_holds_finality_after_the_start() {
    let mut durable = Durable::default();
    let mut life = begin(&mut durable);
    // Sealed, and the publisher dies before its epoch; the final instant passes meanwhile.
    life.append(1, seal(1, 2, at(1) + DurationMs::DAY, true));
    for shard in 0..SHARDS {
        life.append(shard, quiet(shard, 2, ZONE.start_of(Day(2))));
    }
    durable.crashes += 1;
    let mut life = Life::begin(&mut durable, 0, None);
    assert_eq!(first_day(&life), (false, 1));
    life.settle().unwrap();
    assert_eq!(first_day(&life), (true, 2));
}
