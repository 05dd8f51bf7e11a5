#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use super::*;
use crate::alert::transition_fixture::transition;
use crate::time::fixture::{at, ms};
use crate::time::wall;

/// The transitions of the tests came about at 660 s, event time.
const LIVE: SendLease = SendLease {
    may_send: true,
    live_time: at(700_000),
};

/// The monotonic instant `ms` after all began.
fn after(ms: i64) -> Instant {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(wall::monotonic);
    *BEGINNING + DurationMs::from_ms(ms).to_std()
}

/// Answers `ms` after all began, under a wall clock that shows the same.
fn answer(lane: &mut DestinationQueue, answer: SendResult, ms: i64) -> Option<DeliveryAttempt> {
    lane.answered(answer, after(ms), at(ms))
}

fn lane(numbers: &[u64]) -> DestinationQueue {
    let mut lane = DestinationQueue::new("desk".into(), Schedule::default());
    for &number in numbers {
        lane.push(Arc::new(transition(number)));
    }
    lane
}

fn unavailable(retry_after: Option<DurationMs>) -> SendResult {
    SendResult::Unavailable {
        status: Some(503),
        error: "status=503".into(),
        retry_after,
    }
}

fn refused() -> SendResult {
    SendResult::Refused {
        status: Some(400),
        error: "status=400".into(),
    }
}

fn sent(lane: &DestinationQueue, ms: i64) -> Option<i64> {
    match lane.next(after(ms), LIVE) {
        DeliveryStep::Send(transition) => Some(transition.sequence / 65_536),
        _ => None,
    }
}

#[test]
fn one_after_another_in_the_order_of_their_seals() {
    let mut lane = lane(&[1, 2]);
    assert_eq!(sent(&lane, 0), Some(1));
    let report = answer(&mut lane, SendResult::Accepted { status: Some(204) }, 5).unwrap();
    assert_eq!(
        (report.outcome, report.attempt, report.attempted_at),
        (DeliveryOutcome::Delivered, 1, at(5))
    );
    assert_eq!(sent(&lane, 5), Some(2));
    answer(&mut lane, SendResult::Accepted { status: None }, 6);
    assert_eq!(lane.next(after(6), LIVE), DeliveryStep::Idle);
    assert_eq!(answer(&mut lane, unavailable(None), 7), None);
}

#[test]
fn a_failed_head_is_repeated_with_growing_delays_and_holds_back_the_rest() {
    let mut lane = lane(&[1, 2]);
    let mut now = 0;
    for attempt in 1..=12_u32 {
        assert_eq!(sent(&lane, now), Some(1));
        let report = answer(&mut lane, unavailable(None), now).unwrap();
        assert_eq!(
            (report.outcome, report.attempt),
            (DeliveryOutcome::Retry, attempt)
        );
        let DeliveryStep::WaitUntil(until) = lane.next(after(now), LIVE) else {
            panic!("no pause after a failure");
        };
        let whole = (1_000 << (attempt - 1)).min(300_000);
        let pause = DurationMs::from_std(until - after(now)).as_ms();
        assert!(
            (whole / 2..=whole).contains(&pause),
            "attempt={attempt} pause={pause}"
        );
        now += pause;
        assert_eq!(sent(&lane, now - 1), None);
    }
    answer(&mut lane, SendResult::Accepted { status: Some(200) }, now);
    assert_eq!(
        sent(&lane, now),
        Some(2),
        "the next one does not inherit the pause"
    );
}

#[test]
fn jitter_differs_by_transition_destination_and_seed_and_is_repeatable() {
    let delay = |seed, destination, id| {
        Schedule {
            seed,
            ..Schedule::default()
        }
        .delay(destination, id, 9)
    };
    assert_eq!(delay(1, "desk", "a"), delay(1, "desk", "a"));
    let others = [
        delay(1, "desk", "b"),
        delay(1, "pager", "a"),
        delay(2, "desk", "a"),
    ];
    assert!(others.iter().all(|&other| other != delay(1, "desk", "a")));
}

#[test]
fn a_retry_after_is_honoured_within_bounds() {
    for (asked, pause) in [(60_000, 60_000), (86_400_000, 3_600_000)] {
        let mut lane = lane(&[1]);
        answer(&mut lane, unavailable(Some(ms(asked))), 0);
        assert_eq!(
            lane.next(after(0), LIVE),
            DeliveryStep::WaitUntil(after(pause))
        );
    }
}

#[test]
fn a_body_that_is_refused_again_and_again_makes_way() {
    let mut lane = lane(&[1, 2]);
    let mut outcomes = Vec::new();
    for attempt in 0..8 {
        let report = answer(&mut lane, refused(), attempt).unwrap();
        outcomes.push(report.outcome);
    }
    assert_eq!(outcomes[..7], [DeliveryOutcome::Retry; 7]);
    assert_eq!(outcomes[7], DeliveryOutcome::Refused);
    assert_eq!(sent(&lane, 8), Some(2));
    assert_eq!(
        answer(&mut lane, refused(), 9).unwrap().outcome,
        DeliveryOutcome::Retry
    );
}

#[test]
fn what_can_never_be_taken_makes_way_at_once() {
    let mut lane = lane(&[1, 2]);
    answer(&mut lane, unavailable(None), 0);
    let error = "larger than the topic takes".to_owned();
    let report = answer(&mut lane, SendResult::Undeliverable { error }, 1);
    let report = report.unwrap();
    assert_eq!(
        (report.outcome, report.attempt),
        (DeliveryOutcome::Refused, 2)
    );
    assert_eq!(sent(&lane, 2), Some(2));
}

#[test]
fn an_unavailable_receiver_is_never_given_up_before_the_age_limit() {
    let mut lane = lane(&[1]);
    for attempt in 0..1_000 {
        let report = answer(&mut lane, unavailable(None), attempt).unwrap();
        assert_eq!(report.outcome, DeliveryOutcome::Retry);
    }
    let late = SendLease {
        live_time: at(660_000 + 24 * 3_600_000 + 1),
        ..LIVE
    };
    let reports = lane.settle_unsent(at(1_000), late);
    assert_eq!(
        (reports[0].outcome, reports[0].attempt),
        (DeliveryOutcome::Expired, 1_001)
    );
    assert_eq!(lane.next(after(1_000), late), DeliveryStep::Idle);
}

#[test]
fn old_transitions_are_recorded_and_not_sent() {
    let mut recent = transition(2);
    recent.change.transitioned_at += ms(1);
    let mut lane = lane(&[1]);
    lane.push(Arc::new(recent));
    let at_the_limit = SendLease {
        live_time: at(660_000 + 24 * 3_600_000),
        ..LIVE
    };
    assert!(lane.settle_unsent(at(0), at_the_limit).is_empty());
    let past = SendLease {
        live_time: at_the_limit.live_time + ms(1),
        ..LIVE
    };
    let reports = lane.settle_unsent(at(0), past);
    let outcomes: Vec<_> = reports
        .iter()
        .map(|r| (r.sequence / 65_536, r.outcome))
        .collect();
    assert_eq!(outcomes, [(1, DeliveryOutcome::Expired)]);
    assert_eq!(sent(&lane, 0), Some(2));

    let mut unlimited = DestinationQueue::new(
        "alerts.v1".into(),
        Schedule {
            max_age: None,
            ..Schedule::default()
        },
    );
    unlimited.push(Arc::new(transition(1)));
    assert!(unlimited.settle_unsent(at(0), past).is_empty());
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_more() {
    let mut lane = lane(&[1, 2]);
    assert_eq!(
        answer(&mut lane, SendResult::Gone, 0).unwrap().outcome,
        DeliveryOutcome::Refused
    );
    lane.push(Arc::new(transition(3)));
    let reports = lane.settle_unsent(at(1), LIVE);
    let settled: Vec<_> = reports
        .iter()
        .map(|r| (r.sequence / 65_536, r.outcome))
        .collect();
    assert_eq!(
        settled,
        [(2, DeliveryOutcome::Refused), (3, DeliveryOutcome::Refused)]
    );
    assert_eq!(lane.next(after(1), LIVE), DeliveryStep::Idle);
}

#[test]
fn nothing_is_sent_once_the_right_to_send_has_run_out() {
    let lane = lane(&[1]);
    let expired = SendLease {
        may_send: false,
        ..LIVE
    };
    assert!(matches!(lane.next(after(0), LIVE), DeliveryStep::Send(_)));
    assert_eq!(lane.next(after(0), expired), DeliveryStep::Idle);
}

#[test]
fn f17_a_pause_is_as_long_as_it_is_whatever_the_wall_clock_shows() {
    let hour = DurationMs::HOUR.as_ms();
    let year_2038 = 2_147_483_648_000;
    for wall_time in [-hour, hour, 0, year_2038, i64::MIN, i64::MAX] {
        for (asked, pause) in [(None, 1_000), (Some(ms(60_000)), 60_000)] {
            let mut lane = lane(&[1]);
            let answered = lane.answered(unavailable(asked), after(0), at(wall_time));
            assert_eq!(answered.unwrap().attempted_at, at(wall_time));
            let DeliveryStep::WaitUntil(until) = lane.next(after(0), LIVE) else {
                panic!("no pause after a failure");
            };
            assert!(
                until > after(0) && until <= after(pause),
                "wall_time={wall_time}"
            );
            assert_eq!(sent(&lane, pause), Some(1));
        }
    }
}
