#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::time::wall;

fn file(epoch: i64) -> RecordFile {
    RecordFile {
        path: format!("sinks/records/{epoch}"),
        records: 3,
        bytes: 100,
    }
}

fn queue(delivered: Option<i64>, epochs: &[i64]) -> RecordQueue {
    let mut queue = RecordQueue::new(delivered);
    for &epoch in epochs {
        queue.push(epoch, file(epoch));
    }
    queue
}

/// A durable storage of the delivery's log, and what readers of the topics saw: epoch and position.
#[derive(Clone, Default)]
struct World {
    durable: Option<i64>,
    seen: Vec<(i64, usize)>,
}

/// Runs `steps` steps of a delivery of epochs 1 and 2, three records each, sent in chunks of two; then it crashes.
fn run(world: &mut World, steps: usize) -> RecordQueue {
    let mut queue = queue(world.durable, &[1, 2]);
    let now = wall::monotonic();
    for _ in 0..steps {
        let epoch = queue.head_epoch().unwrap_or(0);
        match queue.next(now) {
            RecordStep::Idle | RecordStep::WaitUntil(_) => break,
            RecordStep::Read(_) => {
                queue.read(3);
                queue.head.as_mut().unwrap().chunk = 2;
            }
            RecordStep::Send { from, count } => {
                world
                    .seen
                    .extend((from..from + count).map(|at| (epoch, at)));
                queue.sent();
            }
            RecordStep::Seal { epoch } => {
                world.durable = Some(epoch);
                queue.sealed();
            }
        }
    }
    queue
}

/// What readers see when the process dies after so many steps and a new one runs to the end.
#[test]
fn a_new_owner_repeats_what_is_not_durably_delivered_and_nothing_else() {
    let whole = |epoch| (0..3).map(move |at| (epoch, at));
    for (died_after, durable, repeated) in [
        ("nothing", None, 1),
        ("reading", None, 1),
        ("a part of epoch 1", None, 1),
        ("all of epoch 1, acknowledged", None, 1),
        ("the record of epoch 1", Some(1), 2),
        ("reading epoch 2", Some(1), 2),
        ("a part of epoch 2", Some(1), 2),
        ("all of epoch 2, acknowledged", Some(1), 2),
        ("the record of epoch 2", Some(2), 3),
    ]
    .into_iter()
    .enumerate()
    .map(|(steps, (name, durable, repeated))| ((steps, name), durable, repeated))
    {
        let mut world = World::default();
        run(&mut world, died_after.0);
        assert_eq!(world.durable, durable, "{died_after:?}");
        let before = world.seen.len();
        let queue = run(&mut world, 100);
        let again: Vec<_> = world.seen[before..].to_vec();
        let expected: Vec<_> = (repeated..=2).flat_map(whole).collect();
        assert_eq!(again, expected, "{died_after:?}");
        assert_eq!((queue.delivered(), queue.is_empty()), (Some(2), true));
    }
}

#[test]
fn epochs_rise() {
    let mut queue = queue(Some(3), &[2, 3, 5, 4, 5, 7]);
    let epochs: Vec<i64> = queue.waiting.iter().map(|(epoch, _)| *epoch).collect();
    assert_eq!(epochs, [5, 7]);
    queue.read(0);
    assert_eq!(queue.next(wall::monotonic()), RecordStep::Seal { epoch: 5 });
    assert_eq!(queue.sealed(), Some((5, file(5))));
    queue.push(5, file(5));
    assert_eq!(queue.waiting.len(), 1);
    assert_eq!(queue.next(wall::monotonic()), RecordStep::Read(file(7)));
}

#[test]
fn pauses_double_up_to_thirty_seconds_and_begin_anew_after_progress() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    let pause = |queue: &RecordQueue| match queue.next(now) {
        RecordStep::WaitUntil(until) => until.duration_since(now).as_secs(),
        other => panic!("no pause but {other:?}"),
    };
    // The file cannot be read at first.
    queue.failed(0, now);
    assert_eq!(pause(&queue), 1);
    queue.read(100);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        queue.failed(0, now);
        pauses.push(pause(&queue));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    let later = now + Duration::from_secs(30);
    assert_eq!(
        queue.next(later),
        RecordStep::Send {
            from: 0,
            count: 100
        }
    );
    queue.failed(40, now);
    assert_eq!(pause(&queue), 1);
    assert_eq!(
        queue.next(later),
        RecordStep::Send {
            from: 40,
            count: 60
        }
    );
    for _ in 0..100 {
        queue.failed(0, now);
    }
    assert_eq!(pause(&queue), 30);
}

#[test]
fn a_long_file_leaves_in_chunks() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    queue.read(AT_ONCE * 2 + 1);
    let mut counts = Vec::new();
    while let RecordStep::Send { count, .. } = queue.next(now) {
        counts.push(count);
        queue.sent();
    }
    assert_eq!(counts, [AT_ONCE, AT_ONCE, 1]);
}

/// A broker refuses a whole batch for one of its records: here every chunk that holds one, named by its first record.
#[test]
fn only_the_records_that_are_refused_alone_are_skipped() {
    for (bad, most_tries) in [
        (vec![], 3),
        (vec![0], 60),
        (vec![12_345], 60),
        (vec![7, 8, 9], 60),
        (vec![0, 10_000, 19_999], 150),
        ((5_000..15_000).collect(), 10_100),
    ] {
        let mut queue = queue(None, &[1]);
        let now = wall::monotonic();
        queue.read(20_000);
        let (mut skipped, mut tries) = (Vec::new(), 0);
        let mut seen = vec![false; 20_000];
        while let RecordStep::Send { from, count } = queue.next(now) {
            tries += 1;
            let chunk = from..from + count;
            if bad.iter().any(|at| chunk.contains(at)) {
                skipped.extend(queue.refused(0));
            } else {
                seen[chunk].fill(true);
                queue.sent();
            }
        }
        assert_eq!(queue.next(now), RecordStep::Seal { epoch: 1 });
        assert_eq!(skipped, bad);
        let missing = seen.iter().filter(|seen| !**seen).count();
        assert_eq!(missing, bad.len());
        assert!(tries <= most_tries, "bad={} tries={tries}", bad.len());
    }
}

#[test]
fn what_arrived_before_a_refusal_is_not_sent_again() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    queue.read(10);
    assert_eq!(queue.refused(9), Some(9));
    assert_eq!(queue.next(now), RecordStep::Seal { epoch: 1 });
}
