//! Every crash point of an epoch: before and after each effect, the outcome is that of a run without a crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod finality;
mod life;
mod wall_clock;

use std::time::Duration;

use schemas::event::Topic;
use schemas::time::DurationMs;

use super::*;
use crate::alert::MAX_PER_SEAL;
use crate::alert::transition_fixture::change;
use crate::time::fixture::{at, ms};
use life::{Died, Durable, Life, SHARDS, ZONE, parts, quiet, seal};

/// Three rounds of seals, a window that ends, a late change to it, and a minute of silence.
fn story(life: &mut Life<'_>) -> Result<(), Died> {
    let steps: [(u64, TimestampMs, bool); 3] = [
        (1, at(1_000), true),
        (2, at(0) + DurationMs::DAY, false),
        (3, at(1) + DurationMs::DAY, true),
    ];
    for (read, clock, touches) in steps {
        for shard in 0..SHARDS {
            let known = life.durable.shards.get(&shard);
            let last = known.and_then(|seals| seals.last());
            if last.is_some_and(|seal| seal.inputs[0].counters.read >= read) {
                continue;
            }
            life.append(shard, seal(shard, read, clock, touches));
        }
        // A revision of a window may come five minutes after the one before it.
        life.now.monotonic += Duration::from_secs(300);
        life.now.wall_time += ms(300_000);
        life.settle()?;
    }
    for shard in 0..SHARDS {
        life.append(shard, quiet(shard, 3, at(60_000) + DurationMs::DAY));
    }
    life.now.monotonic += Duration::from_secs(60);
    life.settle()
}

/// What readers end up with, epochs and times of their own left out.
fn seen(durable: &Durable) -> BTreeMap<&str, Vec<String>> {
    let tables = ["ops.conservation", "ops.dead_letters", "metrics.demand"];
    tables
        .into_iter()
        .map(|table| {
            let commits = durable.commits.get(table);
            let rows = commits.into_iter().flat_map(BTreeMap::values).flatten();
            let mut rows: Vec<String> = rows.map(|row| without_epoch(table, row)).collect();
            rows.sort();
            (table, rows)
        })
        .collect()
}

fn without_epoch(table: &str, row: &str) -> String {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    if table == "metrics.demand" {
        // A round that was asked for twice may find the same sum at another time; the rows are the sums.
        return cells.join("|");
    }
    // A round that is asked for again takes a seal of its own, so later seals have other numbers.
    let schema = &parts().schemas[table];
    let left_out = ["epoch", "seal"].map(|name| schema.index_of(name).ok());
    let kept = cells.iter().enumerate();
    kept.filter(|(index, _)| !left_out.iter().flatten().any(|column| column + 1 == *index))
        .map(|(_, cell)| *cell)
        .collect::<Vec<_>>()
        .join("|")
}

/// Runs the story to its end, dying at these crash points, one after another.
fn run(deaths: &[usize]) -> (Durable, usize) {
    let mut durable = Durable::default();
    let mut point = 0;
    let mut deaths = deaths.iter().copied();
    loop {
        let dies_at = deaths.next();
        let mut life = Life::begin(&mut durable, point, dies_at);
        let result = story(&mut life);
        point = life.point;
        if result.is_ok() {
            return (durable, point);
        }
        durable.crashes += 1;
    }
}

fn epochs(durable: &Durable) -> Vec<EpochRecord> {
    let records = durable.log.iter();
    records
        .filter_map(|(_, payload)| match decode(payload).unwrap() {
            PublisherRecord::Epoch(epoch) => Some(epoch),
            PublisherRecord::Storage(_) | PublisherRecord::Intent(_) => None,
        })
        .collect()
}

/// What must hold of every log, however often its owner died.
fn assert_log(durable: &Durable, case: &str) {
    let mut open: Option<i64> = None;
    let mut last = 0;
    for (_, payload) in &durable.log {
        match decode(payload).unwrap() {
            PublisherRecord::Intent(intent) => {
                assert_eq!(open, None, "{case}: an intent behind an open one");
                assert_eq!(intent.state.epoch, last + 1, "{case}: epochs have no gap");
                open = Some(intent.state.epoch);
            }
            PublisherRecord::Epoch(epoch) => {
                let expected = open.take().unwrap_or(last);
                assert_eq!(
                    epoch.epoch, expected,
                    "{case}: a record of its intent, or a heartbeat"
                );
                last = epoch.epoch;
            }
            PublisherRecord::Storage(_) => panic!("{case}: written by the driver alone"),
        }
    }
    assert_eq!(open, None, "{case}: every intent is rolled forward");
    for pair in epochs(durable).windows(2) {
        for (shard, number) in &pair[0].cut {
            assert!(
                pair[1].cut[shard] >= *number,
                "{case}: the cut never goes back"
            );
        }
    }
}

#[test]
fn every_crash_point_comes_to_the_same() {
    let (undisturbed, points) = run(&[]);
    assert!(points > 20, "{points} crash points");
    assert_log(&undisturbed, "undisturbed");
    let expected = seen(&undisturbed);
    assert_eq!(expected["ops.dead_letters"].len(), 6);
    assert!(expected["metrics.demand"].len() >= 2, "{expected:?}");
    for dies_at in 1..=points {
        let (durable, _) = run(&[dies_at]);
        assert_log(&durable, &format!("death at {dies_at}"));
        assert_eq!(durable.crashes, 1);
        assert_eq!(seen(&durable), expected, "death at {dies_at}");
    }
}

#[test]
fn a_second_crash_while_recovering_changes_nothing() {
    let (undisturbed, points) = run(&[]);
    let expected = seen(&undisturbed);
    for first in 1..=points {
        for later in 1..=6 {
            let (durable, _) = run(&[first, first + later]);
            let case = format!("deaths at {first} and {}", first + later);
            assert_log(&durable, &case);
            assert_eq!(seen(&durable), expected, "{case}");
        }
    }
}

#[test]
fn silence_costs_one_heartbeat_a_minute_and_moves_finality_on() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    story(&mut life).unwrap();
    let records = life.durable.log.len();
    let before = life.machine.last().unwrap().clone();
    for minute in 1..=10 {
        for shard in 0..SHARDS {
            let clock = at(0) + 3 * DurationMs::DAY + minute * DurationMs::MINUTE;
            life.append(shard, quiet(shard, 3, clock));
        }
        for _ in 0..6 {
            life.settle().unwrap();
        }
    }
    let written = life.durable.log.len() - records;
    assert!(
        (9..=11).contains(&written),
        "{written} records in ten minutes"
    );
    let after = life.machine.last().unwrap().clone();
    assert_eq!((after.epoch, &after.tables), (before.epoch, &before.tables));
    assert!(after.finality[0].until > before.finality[0].until);
    assert_eq!(after.unrevised, Vec::new());
    // A start goes on from the heartbeat's cut.
    let again = Life::begin(&mut durable, 0, None);
    assert_eq!(again.machine.ingested(0), after.cut[&0]);
    assert!(again.machine.is_quiet(again.now));
}

#[test]
fn clocks_count_once_every_shard_has_sealed_also_after_a_start() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    life.append(0, seal(0, 1, at(0) + 3 * DurationMs::DAY, true));
    life.settle().unwrap();
    let first = life.machine.last().unwrap().clone();
    assert_eq!((first.finality, first.unrevised), (Vec::new(), Vec::new()));

    let again = Life::begin(&mut durable, 0, None);
    assert!(again.machine.clocks().is_empty());
    assert_eq!(again.machine.finality(), Vec::new());
}

#[test]
fn a_checkpoint_comes_due_by_records_so_that_heartbeats_count() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    story(&mut life).unwrap();
    let every = parts().settings.checkpoint_every;
    let mut minute = 0;
    while (life.durable.log.len() as u64) < every {
        assert!(life.machine.due_checkpoint().is_none());
        minute += 1;
        for shard in 0..SHARDS {
            let clock = at(0) + 3 * DurationMs::DAY + minute * DurationMs::MINUTE;
            life.append(shard, quiet(shard, 3, clock));
        }
        life.settle().unwrap();
    }
    assert!(minute > 60, "most of these records are heartbeats");
    assert!(life.machine.due_checkpoint().is_some());
    life.machine.checkpoint_tried(true);
    assert!(life.machine.due_checkpoint().is_none());
}

#[test]
fn seals_behind_the_cut_wait_for_the_next_epoch() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    for shard in 0..SHARDS {
        life.append(shard, seal(shard, 1, at(1_000), true));
    }
    life.now.monotonic += Duration::from_secs(10);
    let PublisherAction::Stage { .. } = life.machine.next(life.now).unwrap() else {
        panic!("an epoch is due");
    };
    life.append(0, seal(0, 2, at(2_000), true));
    assert_eq!(life.machine.ingested(0), 1, "the cut stands");
    let event = PublisherEvent::Staged {
        tables: BTreeMap::new(),
        records: None,
    };
    life.machine.apply(event, life.now).unwrap();
    let PublisherAction::SealIntent(intent) = life.machine.next(life.now).unwrap() else {
        panic!("staged");
    };
    assert_eq!(intent.state.cut, BTreeMap::from([(0, 1), (1, 1)]));
    assert_eq!(intent.state.clocks[&0][&Topic::Orders.into()], at(1_000));
    let now = life.now;
    life.machine
        .apply(PublisherEvent::IntentSealed { number: 1 }, now)
        .unwrap();
    assert_eq!(life.machine.take_released(), 200);
    let PublisherAction::Record(_) = life.machine.next(now).unwrap() else {
        panic!("no table was touched");
    };
    life.machine
        .apply(PublisherEvent::Recorded { number: 2 }, now)
        .unwrap();
    assert_eq!(life.machine.ingested(0), 2);
    assert_eq!(life.machine.collected_bytes(), 100);
}

/// Runs two epochs of which the first has more alerts than an intent can number, dying at this crash point; the alerts of each
/// intent, and the crash points passed.
fn crowded(dies_at: Option<usize>) -> (Vec<Vec<String>>, usize) {
    let mut durable = Durable::default();
    let (mut point, mut dies_at) = (0, dies_at);
    loop {
        let mut life = Life::begin(&mut durable, point, dies_at.take());
        // Rows of so many alerts take long to print, and say nothing more here.
        life.machine.schemas.remove("ops.alerts");
        if life.durable.log.is_empty() {
            // What the rules said of rows that no intent holds is said again by the rules.
            let alerts = (0..MAX_PER_SEAL + 2).map(|number| change(&format!("A01|{number}")));
            life.machine.durable.state.waiting_alerts = alerts.collect();
            if life.durable.shards.is_empty() {
                for shard in 0..SHARDS {
                    life.append(shard, seal(shard, 1, at(1_000), false));
                }
            }
        }
        let result = life.settle();
        point = life.point;
        if result.is_ok() {
            assert!(life.machine.is_quiet(life.now));
            break;
        }
        durable.crashes += 1;
    }
    let intents =
        durable
            .log
            .iter()
            .filter_map(|(number, payload)| match decode(payload).unwrap() {
                PublisherRecord::Intent(intent) => Some((*number, intent)),
                PublisherRecord::Epoch(_) | PublisherRecord::Storage(_) => None,
            });
    let alerts = intents.map(|(number, intent)| {
        let sealed = intent.alerts.iter().map(|alert| {
            assert_eq!(*alert.seal, format!("publisher/{number}"));
            alert.change.dedupe_key.to_string()
        });
        sealed.collect()
    });
    (alerts.collect(), point)
}

#[test]
fn alerts_beyond_what_an_intent_can_number_leave_with_the_next_through_every_crash() {
    let (expected, points) = crowded(None);
    assert_eq!(
        expected.iter().map(Vec::len).collect::<Vec<_>>(),
        [MAX_PER_SEAL, 2]
    );
    let last = format!("A01|{}", MAX_PER_SEAL + 1);
    assert_eq!(expected[1].last(), Some(&last));
    for dies_at in 1..=points {
        assert!(crowded(Some(dies_at)).0 == expected, "death at {dies_at}");
    }
}

#[test]
fn k41_a_drain_waits_until_every_shard_believes_what_one_of_them_shows() {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    assert_eq!(life.machine.to_believe(), None, "nothing is there");
    let (january, june) = (at(0), at(0) + DurationMs::from_days(150));
    let believing = |shard, until, days: i64| {
        let mut seal = quiet(shard, 1, january);
        seal.believed_until = until;
        let last = ZONE.day_of(january + DurationMs::from_days(days));
        seal.last_days = [("demand".to_owned(), last)].into();
        seal
    };
    let day = |days: i64| january + DurationMs::from_days(days);
    life.append(1, believing(1, Some(june), 140));
    let to_believe = life.machine.to_believe();
    assert_eq!(to_believe, Some(june), "one has not said anything");
    life.append(0, believing(0, Some(january), 0));
    assert_eq!(life.machine.to_believe(), Some(june));
    // It has been told, and has a fact later than the other's.
    life.append(0, believing(0, Some(june), 145));
    assert_eq!(life.machine.to_believe(), None);
    assert!(life.machine.all_believe(june));
    let drain_instant = life.machine.drain_instant().unwrap();
    assert!(
        (day(147)..=day(153)).contains(&drain_instant),
        "{drain_instant}"
    );
}
