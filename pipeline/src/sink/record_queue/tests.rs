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
            RecordStep::Resume { epoch } => {
                let arrived = world.seen.iter().filter(|(of, _)| *of == epoch);
                queue.resumed(arrived.count());
            }
            RecordStep::Send { from, count, .. } => {
                world
                    .seen
                    .extend((from..from + count).map(|at| (epoch, at)));
                queue.sent(count);
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
fn f10_a_new_owner_sends_what_has_not_arrived_and_nothing_twice() {
    let whole: Vec<_> = (1..=2)
        .flat_map(|epoch| (0..3).map(move |at| (epoch, at)))
        .collect();
    let deaths = [
        ("nothing", 0, None),
        ("reading", 0, None),
        ("resuming", 0, None),
        ("a part of epoch 1", 2, None),
        ("all of epoch 1, acknowledged", 3, None),
        ("the record of epoch 1", 3, Some(1)),
        ("reading epoch 2", 3, Some(1)),
        ("a part of epoch 2", 5, Some(1)),
        ("all of epoch 2, acknowledged", 6, Some(1)),
        ("the record of epoch 2", 6, Some(2)),
    ];
    for (steps, (name, seen, durable)) in deaths.into_iter().enumerate() {
        let mut world = World::default();
        run(&mut world, steps);
        assert_eq!((world.seen.len(), world.durable), (seen, durable), "{name}");
        let queue = run(&mut world, 100);
        assert_eq!(world.seen, whole, "{name}");
        assert_eq!((queue.delivered, queue.is_empty()), (Some(2), true));
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
    queue.failed(true, now);
    assert_eq!(pause(&queue), 1);
    queue.read(100);
    queue.resumed(0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        queue.failed(true, now);
        pauses.push(pause(&queue));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    let later = now + Duration::from_secs(30);
    assert_eq!(queue.next(later), send(0, 100));
    queue.sent(40);
    queue.failed(true, now);
    assert_eq!(pause(&queue), 1);
    assert_eq!(queue.next(later), send(40, 60));
    for _ in 0..100 {
        queue.failed(true, now);
    }
    assert_eq!(pause(&queue), 30);
}

/// Of epoch 1.
fn send(from: usize, count: usize) -> RecordStep {
    RecordStep::Send {
        epoch: 1,
        from,
        count,
    }
}

#[test]
fn an_open_outcome_is_found_out_before_anything_else_is_sent() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    queue.read(10);
    assert_eq!(queue.next(now), RecordStep::Resume { epoch: 1 });
    queue.resumed(0);
    assert_eq!(queue.next(now), send(0, 10));
    queue.failed(false, now);
    let later = now + Duration::from_secs(30);
    assert_eq!(queue.next(later), RecordStep::Resume { epoch: 1 });
    // It had arrived.
    queue.resumed(10);
    assert_eq!(queue.next(later), RecordStep::Seal { epoch: 1 });
}

#[test]
fn what_was_given_up_behind_the_last_that_arrived_is_not_tried_again() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    queue.read(3);
    queue.resumed(1);
    assert_eq!(queue.refused(Some(0), 2, false), Some(1));
    queue.resumed(1);
    assert_eq!(queue.next(now), send(2, 1));
}

#[test]
fn a_long_file_leaves_in_chunks() {
    let mut queue = queue(None, &[1]);
    let now = wall::monotonic();
    queue.read(AT_ONCE * 2 + 1);
    queue.resumed(0);
    let mut counts = Vec::new();
    while let RecordStep::Send { count, .. } = queue.next(now) {
        counts.push(count);
        queue.sent(count);
    }
    assert_eq!(counts, [AT_ONCE, AT_ONCE, 1]);
}

/// A broker refuses a whole batch for one of its records and does not name it; a record that cannot fit is named before it is sent.
#[test]
fn only_the_records_that_are_refused_alone_are_skipped() {
    for (bad, most_tries, most_tries_named) in [
        (vec![], 3, 3),
        (vec![0], 60, 10),
        (vec![12_345], 60, 20),
        (vec![7, 8, 9], 60, 20),
        (vec![0, 10_000, 19_999], 150, 40),
        ((5_000..15_000).collect(), 10_100, 10_100),
    ] {
        for is_named in [false, true] {
            let mut queue = queue(None, &[1]);
            let now = wall::monotonic();
            queue.read(20_000);
            queue.resumed(0);
            let (mut skipped, mut tries) = (Vec::new(), 0);
            let mut seen = vec![false; 20_000];
            while let RecordStep::Send { from, count, .. } = queue.next(now) {
                tries += 1;
                let chunk = from..from + count;
                match bad.iter().find(|at| chunk.contains(at)) {
                    Some(first) => {
                        let named = is_named.then_some(first - from);
                        skipped.extend(queue.refused(named, count, true));
                    }
                    None => {
                        seen[chunk].fill(true);
                        queue.sent(count);
                    }
                }
            }
            assert_eq!(queue.next(now), RecordStep::Seal { epoch: 1 });
            assert_eq!(skipped, bad);
            let missing = seen.iter().filter(|seen| !**seen).count();
            assert_eq!(missing, bad.len());
            let most = if is_named {
                most_tries_named
            } else {
                most_tries
            };
            assert!(tries <= most, "bad={} tries={tries}", bad.len());
        }
    }
}
