//! F17: no wall clock has a say in what is published, or when.

use super::life::{Durable, Life, SHARDS, quiet, seal};
use super::*;
use crate::time::fixture::at;

/// The story of a window, revised once five minutes have passed, with a wall clock that shows these instants.
fn tell(wall_clock: &[TimestampMs]) -> (BTreeMap<String, Vec<String>>, Vec<i64>) {
    let mut durable = Durable::default();
    let mut life = Life::begin(&mut durable, 0, None);
    let mut shows = wall_clock.iter().cycle().copied();
    let mut settle = |life: &mut Life<'_>, seconds: u64| {
        life.now.monotonic += Duration::from_secs(seconds);
        life.now.wall_time = shows.next().unwrap();
        life.settle().unwrap();
        life.machine.last().map_or(0, |last| last.epoch)
    };
    let end = at(0) + DurationMs::DAY;
    let mut epochs = Vec::new();
    for shard in 0..SHARDS {
        life.append(shard, seal(shard, 1, end, true));
    }
    epochs.push(settle(&mut life, 10));
    life.append(0, seal(0, 2, end, true));
    // too soon for a revision, however far the wall clock has jumped; then no longer
    for seconds in [0, 100, 280, 0, 60, 60] {
        epochs.push(settle(&mut life, seconds));
        for shard in 0..SHARDS {
            life.append(shard, quiet(shard, 2, end));
        }
    }
    let commits = durable.commits.iter();
    let rows = commits.map(|(table, commits)| {
        let rows = commits.values().flatten().cloned().collect();
        (table.clone(), rows)
    });
    let mut rows: BTreeMap<String, Vec<String>> = rows.collect();
    rows.retain(|table, _| table == "metrics.demand" || table == "ops.conservation");
    (rows, epochs)
}

#[test]
fn f17_results_and_their_time_are_those_of_a_steady_wall_clock() {
    let hour = DurationMs::HOUR;
    let noon = at(1_767_585_600_000);
    let steady = tell(&[noon]);
    assert_eq!(steady.0["metrics.demand"].len(), 2, "{steady:?}");
    let jumps = [
        vec![noon, noon + hour, noon - hour],
        vec![noon, at(0)],
        vec![at(0), at(-1), at(2_147_483_648_000), noon],
        vec![TimestampMs::MIN, TimestampMs::MAX],
    ];
    for wall_clock in jumps {
        assert_eq!(tell(&wall_clock), steady, "{wall_clock:?}");
    }
}
