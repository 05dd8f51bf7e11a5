//! K18, clause by clause.

use schemas::event::Topic;
use serde_json::{Value, json};

use super::*;
use crate::operator::fixture::{batch, entry, projected};

/// The history of a case from its events: (minutes after 10:00, event type, further fields).
fn case_history(events: &[(i64, &str, Value)]) -> Vec<HistoryEntry<CaseEvent>> {
    let instants: Vec<String> = events
        .iter()
        .map(|(minutes, ..)| at(*minutes).to_string())
        .collect();
    let events: Vec<(&str, &str, Value)> = events
        .iter()
        .zip(&instants)
        .map(|((_, event_type, fields), at)| {
            let mut fields = fields.clone();
            fields["case_id"] = json!("case-1");
            (*event_type, at.as_str(), fields)
        })
        .collect();
    let operator = Sla::new(Arc::new(Policy::built_in().unwrap()));
    let batch = batch(Topic::Complaints, &events);
    projected(&operator, Topic::Complaints, &batch)
        .into_iter()
        .map(|(row, _, event)| entry(instant(&instants[row]), event))
        .collect()
}

/// A complaint received at 09:55 by this channel.
fn case_opened(channel: &str, answered: Option<bool>) -> (i64, &'static str, Value) {
    let fields = json!({
        "case_kind": "COMPLAINT", "channel": channel, "unit_id": "U1", "received_at": at(-5), "answered": answered,
    });
    (-5, "case.opened", fields)
}

fn call_ended() -> (i64, &'static str, Value) {
    (0, "case.call_ended", json!({"call_ended_at": at(0)}))
}

/// When each step that is known at `clock` started, in minutes after 10:00.
fn starts(history: &[HistoryEntry<CaseEvent>], clock: TimestampMs) -> Vec<i64> {
    let (facts, _) = decided(history, clock);
    let minutes = facts
        .iter()
        .map(|fact| whole_minutes(fact.started_at - at(0)));
    minutes.collect()
}

#[test]
fn k18_steps_start_at_the_end_of_the_call_else_at_the_receipt() {
    let ended = case_history(&[case_opened("PHONE", Some(true)), call_ended()]);
    // Promise, department, callback; informing and supervising fall back to ten minutes later.
    assert_eq!(starts(&ended, at(0)), [0, 0, 10, 10, 0]);
    // Only the end of a call that was taken is awaited.
    for (channel, answered, is_awaited) in [
        ("PHONE", Some(true), true),
        ("PHONE", None, true),
        ("PHONE", Some(false), false),
        ("WEB", Some(true), false),
    ] {
        let case = case_history(&[case_opened(channel, answered)]);
        let expected: &[i64] = if is_awaited { &[] } else { &[-5, -5, 5, 5, -5] };
        assert_eq!(starts(&case, at(0)), expected, "{channel} {answered:?}");
        assert_eq!(starts(&case, at(115)), [-5, -5, 5, 5, -5]);
    }
    // For any channel the end of a call is the start, but only of the steps that start there.
    let written = case_history(&[
        case_opened("WEB", None),
        call_ended(),
        (3, "case.dept_notified", json!({})),
    ]);
    assert_eq!(starts(&written, at(3)), [0, 0, 3, 3, 0]);
}

#[test]
fn k18_the_first_stop_counts_by_its_instant_and_not_by_its_arrival() {
    let base = [(-5, opened("COMPLAINT")), (0, ended())];
    let kept = |minutes| CaseEvent::PromiseKept {
        promise_id: "P".into(),
        is_reply: true,
        at: at(minutes),
    };
    let stopped_at = |more: &[(i64, CaseEvent)], step: usize| {
        let history = history(&[base.to_vec(), more.to_vec()].concat());
        let stopped = decided(&history, TimestampMs::MAX).0[step]
            .stopped_at
            .unwrap();
        whole_minutes(stopped - at(0))
    };
    // The promise was kept before the customer was informed, and reported after it.
    assert_eq!(stopped_at(&[(25, INFORMED), (40, kept(20))], 0), 20);
    assert_eq!(stopped_at(&[(25, INFORMED), (40, kept(35))], 0), 25);
    assert_eq!(
        stopped_at(&[(12, NOTIFIED), (8, NOTIFIED), (9, NOTIFIED)], 1),
        8
    );
    // A late stop does not become a timely one when another follows.
    let late = [base.to_vec(), vec![(11, NOTIFIED), (12, NOTIFIED)]].concat();
    assert_eq!(
        outcomes(&late, TimestampMs::MAX)[1],
        row("DEPT_10M", 10, StepOutcome::Breached, Some(1))
    );
}

#[test]
fn k18_resolved_closed_and_reopened_neither_stop_nor_restart() {
    let plain = vec![case_opened("PHONE", Some(true)), call_ended()];
    let mut with_closings = plain.clone();
    for (minutes, event_type) in [
        (1, "case.resolved"),
        (2, "case.closed"),
        (3, "case.reopened"),
        (4, "case.closed"),
    ] {
        with_closings.push((minutes, event_type, json!({})));
    }
    with_closings[3].2 = json!({"resolution_kind": "SOLVED"});
    for clock in [at(5), at(60), TimestampMs::MAX] {
        let found = decided(&case_history(&with_closings), clock);
        assert_eq!(found, decided(&case_history(&plain), clock));
        assert_eq!(found.0.len(), 5);
    }
    // Nor does reopening revive a withdrawn case.
    let mut withdrawn = plain;
    withdrawn.push((2, "case.closed", json!({"resolution_kind": "WITHDRAWN"})));
    withdrawn.push((3, "case.reopened", json!({})));
    let (facts, timer) = decided(&case_history(&withdrawn), at(5));
    assert!(facts.iter().all(|fact| fact.outcome == StepOutcome::Void));
    assert_eq!((facts.len(), timer), (5, None));
}

#[test]
fn k18_the_unit_is_that_of_the_opening() {
    let history = case_history(&[
        case_opened("WEB", None),
        (1, "case.dept_notified", json!({"unit_id": "U9"})),
        (2, "case.transferred", json!({"unit_id": "U8"})),
    ]);
    let (facts, _) = decided(&history, TimestampMs::MAX);
    assert_eq!(facts.len(), 5);
    assert!(facts.iter().all(|fact| *fact.unit_id == *"U1"));
    // If the opening names no unit, a unit in a later event does not replace it.
    let mut opened = case_opened("WEB", None);
    opened.2["unit_id"] = Value::Null;
    let history = case_history(&[opened, (1, "case.dept_notified", json!({"unit_id": "U9"}))]);
    let (facts, _) = decided(&history, TimestampMs::MAX);
    assert!(facts.iter().all(|fact| *fact.unit_id == *"UNKNOWN"));
}

/// K24: a case has no look-back. A stop counts however late it comes.
#[test]
fn k24_a_case_has_no_look_back() {
    let years = 3 * 366 * 24 * 60;
    let events = [
        (-5, opened("COMPLAINT")),
        (0, ended()),
        (years, NOTIFIED),
        (years + 19, INFORMED),
    ];
    let found = outcomes(&events, TimestampMs::MAX);
    let overrun = Some(years - 10);
    assert_eq!(
        found[1],
        row("DEPT_10M", 10, StepOutcome::Breached, overrun)
    );
    assert_eq!(
        found[2],
        row("INFORM_20M", years + 20, StepOutcome::Met, None)
    );
}

#[test]
fn k18_a_stop_at_the_deadline_or_before_the_start_is_met() {
    let base = [(-5, opened("COMPLAINT")), (0, ended())];
    let with = |minutes, event: CaseEvent| [base.to_vec(), vec![(minutes, event)]].concat();
    assert_eq!(outcome(&with(10, NOTIFIED), "DEPT_10M"), StepOutcome::Met);
    assert_eq!(
        outcome(&with(11, NOTIFIED), "DEPT_10M"),
        StepOutcome::Breached
    );
    assert_eq!(outcome(&with(-3, NOTIFIED), "DEPT_10M"), StepOutcome::Met);
    assert_eq!(outcome(&with(-3, INFORMED), "INFORM_20M"), StepOutcome::Met);
}

#[test]
fn k18_a_late_notification_of_the_department_moves_the_steps_that_start_from_it() {
    let base = [(-5, opened("COMPLAINT")), (0, ended()), (35, INFORMED)];
    assert_eq!(outcome(&base, "INFORM_20M"), StepOutcome::Breached);
    let notified = [base.to_vec(), vec![(20, NOTIFIED)]].concat();
    assert_eq!(outcome(&notified, "DEPT_10M"), StepOutcome::Breached);
    assert_eq!(outcome(&notified, "INFORM_20M"), StepOutcome::Met);
}

#[test]
fn k18_a_promise_stops_when_it_was_kept_and_only_if_it_was_to_reply() {
    let made = |is_reply| CaseEvent::PromiseMade {
        promise_id: "P".into(),
        is_reply,
    };
    let kept = |is_reply, minutes| CaseEvent::PromiseKept {
        promise_id: "P".into(),
        is_reply,
        at: at(minutes),
    };
    for (is_made_as_reply, kept_as_reply, kept_at, expected) in [
        (true, false, 29, StepOutcome::Met),
        (false, true, 29, StepOutcome::Met),
        (true, false, 31, StepOutcome::Breached),
        (false, false, 29, StepOutcome::Breached),
    ] {
        // The event comes at minute 40; the promise was kept earlier.
        let events = [
            (-5, opened("COMPLAINT")),
            (-1, made(is_made_as_reply)),
            (0, ended()),
            (40, kept(kept_as_reply, kept_at)),
        ];
        assert_eq!(outcome(&events, "PROMISE_30M"), expected);
    }
}

#[test]
fn k18_the_end_of_an_answered_call_is_awaited_for_two_hours() {
    let events = [(-5, opened("COMPLAINT"))];
    let (facts, timer) = decided(&history(&events), at(115) - ONE_MS);
    assert!(facts.is_empty());
    assert_eq!(timer, Some(at(115)));
    // Then the receipt counts, five minutes before 10:00.
    let found = outcomes(&events, at(115));
    assert_eq!(found[1], row("DEPT_10M", 5, StepOutcome::Breached, None));
    // A call end that comes later counts again.
    let late = [(-5, opened("COMPLAINT")), (300, ended())];
    assert_eq!(
        outcomes(&late, at(301))[1],
        row("DEPT_10M", 10, StepOutcome::Breached, None)
    );

    let notified = [(-5, opened("COMPLAINT")), (1, NOTIFIED)];
    let steps: Vec<_> = outcomes(&notified, at(2))
        .into_iter()
        .map(|row| row.0)
        .collect();
    assert_eq!(
        steps,
        ["INFORM_20M", "SUPERVISE_12H"],
        "these do not start at the call's end"
    );

    let mut written = opened("COMPLAINT");
    if let CaseEvent::Opened {
        is_answered_call, ..
    } = &mut written
    {
        *is_answered_call = false;
    }
    assert_eq!(
        outcomes(&[(-5, written)], at(0))[1],
        row("DEPT_10M", 5, StepOutcome::Pending, None)
    );
}

#[test]
fn k34_answered_at_once_after_its_deadline_a_step_stays_what_it_was() {
    let answered = |minutes| (minutes, CaseEvent::Answered { at_once: true });
    // Deadlines: department 10, promise 30, information 30, supervision 12 h 10, callback 24 h.
    let base = [(-5, opened("COMPLAINT")), (0, ended())];
    for (minutes, applying) in [(10, 0), (11, 1), (30, 1), (31, 3), (12 * 60 + 11, 4)] {
        // A later answer at once changes nothing, and what comes first to us does not matter.
        let events = [base.to_vec(), vec![answered(2_000), answered(minutes)]].concat();
        let found = outcomes(&events, TimestampMs::MAX);
        let of = |wanted| found.iter().filter(|row| row.2 == wanted).count();
        let counts = (of(StepOutcome::Breached), of(StepOutcome::NotApplicable));
        assert_eq!(counts, (applying, 5 - applying), "{minutes}");
    }
    // What was met before the answer is not measured either; what was met and then over, is.
    let met = [base.to_vec(), vec![(8, NOTIFIED), answered(9)]].concat();
    assert_eq!(outcome(&met, "DEPT_10M"), StepOutcome::NotApplicable);
    let met = [base.to_vec(), vec![(8, NOTIFIED), answered(11)]].concat();
    assert_eq!(outcome(&met, "DEPT_10M"), StepOutcome::Met);
}

#[test]
fn k34_a_phone_case_without_the_field_answered_was_picked_up() {
    for (answered, steps) in [(None, 0), (Some(true), 0), (Some(false), 5)] {
        let history = case_history(&[case_opened("PHONE", answered)]);
        assert_eq!(decided(&history, at(0)).0.len(), steps, "{answered:?}");
    }
}

#[test]
fn k18_answered_at_once_is_not_applicable_and_withdrawn_is_void() {
    let base = [(-5, opened("COMPLAINT")), (0, ended())];
    let at_once = [
        base.to_vec(),
        vec![(0, CaseEvent::Answered { at_once: true })],
    ]
    .concat();
    let later = [
        base.to_vec(),
        vec![(0, CaseEvent::Answered { at_once: false })],
    ]
    .concat();
    let withdrawn = [at_once.clone(), vec![(90, CaseEvent::Withdrawn)]].concat();
    for (events, expected) in [
        (&at_once, StepOutcome::NotApplicable),
        (&later, StepOutcome::Breached),
        (&withdrawn, StepOutcome::Void),
    ] {
        let found = outcomes(events, TimestampMs::MAX);
        assert!(found.iter().all(|row| row.2 == expected), "{found:?}");
    }
    let (facts, timer) = decided(&history(&at_once), at(1));
    assert_eq!(timer, None);
    assert!(facts.iter().all(|fact| fact.warned_at.is_none()));
}
