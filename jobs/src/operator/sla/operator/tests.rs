#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pipeline::history::{EventOrder, Fact};
use proptest::prelude::*;
use schemas::time::{DurationMs, TimestampMs};

use super::*;
use crate::operator::fixture::{PLACE, instant};
use crate::operator::sla::StepOutcome;
use crate::reference::ReferenceData;

mod k18;

const ONE_MS: DurationMs = DurationMs::from_ms(1);

/// Minutes after 10:00, when calls end in these tests.
fn at(minutes: i64) -> TimestampMs {
    instant("2026-03-03T10:00:00+08:00") + DurationMs::from_minutes(minutes)
}

fn whole_minutes(duration: DurationMs) -> i64 {
    duration.as_ms() / DurationMs::MINUTE.as_ms()
}

fn opened(kind: &str) -> CaseEvent {
    CaseEvent::Opened {
        kind: kind.into(),
        category: Some("DELIVERY".into()),
        unit_id: Some("U1".into()),
        received_at: at(-5),
        is_answered_call: true,
    }
}

fn ended() -> CaseEvent {
    CaseEvent::CallEnded { at: at(0) }
}

const NOTIFIED: CaseEvent = CaseEvent::DeptNotified {
    has_resolver: false,
};

const INFORMED: CaseEvent = CaseEvent::CustomerInformed {
    of_notice_result: true,
};

fn history(events: &[(i64, CaseEvent)]) -> Vec<HistoryEntry<CaseEvent>> {
    let mut entries: Vec<_> = events
        .iter()
        .enumerate()
        .map(|(index, (minutes, event))| HistoryEntry {
            stamp: EventOrder {
                occurred_at: at(*minutes),
                recorded_at: at(*minutes),
                event_id: format!("e{index}").into(),
                place: PLACE,
                part: 0,
            },
            event: event.clone(),
        })
        .collect();
    entries.sort_by(|a, b| a.stamp.cmp(&b.stamp));
    entries
}

/// Facts of a case when the clock is at `clock`, and the registered timer.
fn decided(
    history: &[HistoryEntry<CaseEvent>],
    clock: TimestampMs,
) -> (Vec<SlaStep>, Option<TimestampMs>) {
    let operator = Sla::new(Arc::new(Policy::built_in().unwrap()));
    let reference = RetailReference::new(Arc::new(ReferenceData::empty()));
    let mut context = OperatorContext::new(clock, &reference);
    let mut facts = Vec::new();
    operator.facts(
        &("C1".into(), "case-1".into()),
        history,
        &mut context,
        &mut facts,
    );
    (facts, context.into_requests().1)
}

/// (step without its prefix, deadline in minutes after the call, outcome, overrun in minutes).
fn outcomes(
    events: &[(i64, CaseEvent)],
    clock: TimestampMs,
) -> Vec<(String, i64, StepOutcome, Option<i64>)> {
    decided(&history(events), clock)
        .0
        .iter()
        .map(|fact| {
            (
                fact.step_id[4..].to_owned(),
                whole_minutes(fact.deadline - at(0)),
                fact.outcome,
                fact.overrun.map(whole_minutes),
            )
        })
        .collect()
}

fn row(
    step: &str,
    due: i64,
    outcome: StepOutcome,
    overrun: Option<i64>,
) -> (String, i64, StepOutcome, Option<i64>) {
    (step.to_owned(), due, outcome, overrun)
}

fn outcome(events: &[(i64, CaseEvent)], step: &str) -> StepOutcome {
    outcomes(events, TimestampMs::MAX)
        .into_iter()
        .find(|row| row.0 == step)
        .unwrap()
        .2
}

#[test]
fn m19_chain_golden_values() {
    let day = 24 * 60;
    let events = [
        (-5, opened("COMPLAINT")),
        (0, ended()),
        (8, NOTIFIED),
        (31, INFORMED),
        (11 * 60 + 30, CaseEvent::ProgressChecked),
        (day - 10, CaseEvent::CalledBack),
    ];
    assert_eq!(
        outcomes(&events, TimestampMs::MAX),
        [
            row("PROMISE_30M", 30, StepOutcome::Breached, Some(1)),
            row("DEPT_10M", 10, StepOutcome::Met, None),
            row("INFORM_20M", 28, StepOutcome::Breached, Some(3)),
            row("SUPERVISE_12H", 8 + 12 * 60, StepOutcome::Met, None),
            row("CALLBACK_24H", day, StepOutcome::Met, None),
        ]
    );
}

#[test]
fn m19_timer_golden_values_without_an_event_after_the_call() {
    let events = [(-5, opened("COMPLAINT")), (0, ended())];
    let due = [30, 10, 30, 12 * 60 + 10, 24 * 60];
    let expected = |decided: usize| -> Vec<_> {
        let names = [
            "PROMISE_30M",
            "DEPT_10M",
            "INFORM_20M",
            "SUPERVISE_12H",
            "CALLBACK_24H",
        ];
        let mut order: Vec<usize> = vec![1, 0, 2, 3, 4];
        order.truncate(decided);
        (0..5)
            .map(|step| {
                let outcome = if order.contains(&step) {
                    StepOutcome::Breached
                } else {
                    StepOutcome::Pending
                };
                row(names[step], due[step], outcome, None)
            })
            .collect()
    };
    assert_eq!(
        outcomes(&events, at(10)),
        expected(0),
        "a clock at the deadline has not passed it"
    );
    assert_eq!(outcomes(&events, at(10) + ONE_MS), expected(1));
    assert_eq!(outcomes(&events, at(30) + ONE_MS), expected(3));
    assert_eq!(outcomes(&events, at(12 * 60 + 10) + ONE_MS), expected(4));
    assert_eq!(outcomes(&events, TimestampMs::MAX), expected(5));
}

#[test]
fn timers_are_registered_for_every_warning_and_deadline() {
    let case = history(&[(-5, opened("COMPLAINT")), (0, ended())]);
    let mut instants = Vec::new();
    let mut clock = at(0);
    while let (_, Some(timer)) = decided(&case, clock) {
        assert!(timer > clock, "a timer that is due at once would never end");
        instants.push(timer - at(0));
        clock = timer;
    }
    let minutes = DurationMs::from_minutes;
    let expected = [
        minutes(8),
        minutes(10) + ONE_MS,
        minutes(24), // of the promise
        minutes(26), // of informing, from the fall-back start
        minutes(30) + ONE_MS,
        minutes(10 + 12 * 60 / 10 * 8),
        minutes(12 * 60 + 10) + ONE_MS,
        minutes(24 * 60 / 10 * 8),
        minutes(24 * 60) + ONE_MS,
    ];
    assert_eq!(instants, expected);
}

#[test]
fn a_rescue_needs_a_resolver_but_any_notification_starts_the_next_steps() {
    let named = CaseEvent::DeptNotified { has_resolver: true };
    let events = [
        (-5, opened("RESCUE")),
        (0, ended()),
        (5, NOTIFIED),
        (12, named),
        (24, INFORMED),
    ];
    let found = outcomes(&events, TimestampMs::MAX);
    assert_eq!(
        found[1],
        row("DEPT_10M", 10, StepOutcome::Breached, Some(2))
    );
    assert_eq!(found[2], row("INFORM_20M", 25, StepOutcome::Met, None));
}

#[test]
fn without_an_opening_there_are_no_steps() {
    assert!(
        decided(&history(&[(0, ended()), (1, NOTIFIED)]), TimestampMs::MAX)
            .0
            .is_empty()
    );
    assert!(decided(&[], TimestampMs::MAX).0.is_empty());
    assert!(
        decided(&history(&[(-5, opened("ENQUIRY"))]), TimestampMs::MAX)
            .0
            .is_empty()
    );
}

#[test]
fn a_warning_appears_once_it_is_due_and_the_step_is_pending() {
    let base = [(-5, opened("COMPLAINT")), (0, ended())];
    let warned = |events: &[(i64, CaseEvent)], clock| {
        decided(&history(events), clock).0[1]
            .warned_at
            .map(|warned_at| whole_minutes(warned_at - at(0)))
    };
    assert_eq!(warned(&base, at(8) - ONE_MS), None);
    assert_eq!(warned(&base, at(8)), Some(8));
    let notified_at = |minutes| [base.to_vec(), vec![(minutes, NOTIFIED)]].concat();
    assert_eq!(warned(&notified_at(8), at(60)), None);
    assert_eq!(warned(&notified_at(9), at(60)), Some(8));
    assert_eq!(
        warned(&notified_at(9), at(1)),
        Some(8),
        "the stop itself proves it"
    );
}

#[test]
fn evidence_and_dimensions() {
    let events = [(-5, opened("COMPLAINT")), (0, ended()), (8, NOTIFIED)];
    let (facts, _) = decided(&history(&events), at(9));
    let fact = &facts[1];
    assert_eq!((&*fact.customer_id, &*fact.case_id), ("C1", "case-1"));
    assert_eq!(
        (&*fact.unit_id, &*fact.category, &*fact.owner_role),
        ("U1", "DELIVERY", "CALL_AGENT")
    );
    assert_eq!(fact.stopped_at, Some(at(8)));
    let evidence: Vec<&str> = fact.evidence.iter().map(|id| &**id).collect();
    assert_eq!(evidence, ["e0", "e1", "e2"]);
    assert_eq!(SlaStep::table().batch(&facts).unwrap().num_rows(), 5);
}

fn any_event() -> impl Strategy<Value = (i64, CaseEvent)> {
    let event = prop_oneof![
        Just(opened("COMPLAINT")),
        (0..40_i64).prop_map(|minutes| CaseEvent::CallEnded { at: at(minutes) }),
        Just(NOTIFIED),
        Just(INFORMED),
        Just(CaseEvent::ProgressChecked),
        Just(CaseEvent::CalledBack),
        Just(CaseEvent::Answered { at_once: false }),
    ];
    (-10..2_000_i64, event)
}

proptest! {
    /// Clocks decide when, never what: following the timers from any clock gives the facts of a clock that has passed everything, and
    /// a decided step never changes on the way.
    #[test]
    fn following_the_timers_gives_the_facts_of_the_last_clock(
        events in prop::collection::vec(any_event(), 0..8),
        first_clock in -20..3_000_i64,
    ) {
        let case = history(&events);
        let last = decided(&case, TimestampMs::MAX).0;
        let (mut facts, mut timer) = decided(&case, at(first_clock));
        while let Some(clock) = timer {
            let is_decided = |fact: &SlaStep| fact.outcome != StepOutcome::Pending;
            (facts, timer) = decided(&case, clock);
            for fact in facts.iter().filter(|fact| is_decided(fact)) {
                let same = last.iter().find(|known| known.step_id == fact.step_id);
                if fact.started_at == same.unwrap().started_at {
                    prop_assert_eq!(fact.outcome, same.unwrap().outcome);
                }
            }
        }
        prop_assert_eq!(facts, last);
    }
}
