//! How the alert of a step ends: resolved, withdrawn, or never opened.

use proptest::prelude::*;

use super::*;

#[test]
fn a_stop_before_it_fires_cancels_the_timer() {
    for stopped in [
        fact(StepOutcome::Met, Some(9)),
        fact(StepOutcome::Breached, Some(10)),
        fact(StepOutcome::Void, None),
        fact(StepOutcome::NotApplicable, None),
    ] {
        let mut rule = rule();
        rule.observe(&weighted(&[(pending(), 1)]), clock(1))
            .unwrap();
        assert_eq!(replaced(&mut rule, pending(), stopped, clock(10)), []);
        assert_eq!(rule.next_timer(), None);
        assert!(rule.tick(clock(100)).is_empty());
    }
}

#[test]
fn a_late_stop_resolves_with_the_time_it_took() {
    let mut rule = fired();
    let late = fact(StepOutcome::Breached, Some(25));
    let batch = weighted(&[(pending(), -1), (late, 1)]);
    let resolved = rule.observe(&batch, clock(30)).unwrap().remove(0);
    assert_eq!(resolved.state, AlertState::Resolved);
    assert_eq!(resolved.value, Some(25.0 * 60_000.0));
    assert_eq!(
        (resolved.first_fired_at, resolved.transitioned_at),
        (minute(DUE), minute(25))
    );
    // A stop within the grace that became known too late: resolved, but not before it fired.
    let mut rule = fired();
    let batch = weighted(&[(pending(), -1), (fact(StepOutcome::Breached, Some(10)), 1)]);
    let resolved = rule.observe(&batch, clock(30)).unwrap().remove(0);
    assert_eq!(
        (resolved.state, resolved.transitioned_at),
        (AlertState::Resolved, minute(DUE))
    );
}

#[test]
fn a_late_stop_that_becomes_known_with_its_breach_fires_and_resolves_once() {
    let late = || fact(StepOutcome::Breached, Some(25));
    let both = [AlertState::Firing, AlertState::Resolved];
    // Both in one seal; or the timer was running and the stop came with the records that moved the clock.
    let mut rule = rule();
    let changes = rule.observe(&weighted(&[(late(), 1)]), clock(30)).unwrap();
    assert_eq!(states(&changes), both);
    assert_eq!(changes[0].transitioned_at, minute(DUE));
    assert_eq!(changes[1].transitioned_at, minute(25));
    let mut watched = self::rule();
    watched
        .observe(&weighted(&[(pending(), 1)]), clock(1))
        .unwrap();
    assert_eq!(replaced(&mut watched, pending(), late(), clock(30)), both);
    // Another fact of the same step that changes nothing.
    let other = SlaStep {
        unit_id: "U2".into(),
        ..late()
    };
    for rule in [&mut rule, &mut watched] {
        assert_eq!(replaced(rule, late(), other.clone(), clock(31)), []);
        assert_eq!(rule.next_timer(), None);
    }
}

#[test]
fn an_alert_that_was_wrong_is_withdrawn() {
    for truth in [
        fact(StepOutcome::Met, Some(9)),
        fact(StepOutcome::Void, None),
        fact(StepOutcome::NotApplicable, Some(30)),
    ] {
        assert_eq!(
            replaced(&mut fired(), pending(), truth, clock(40)),
            [AlertState::Withdrawn]
        );
    }
    let gone = fired()
        .observe(&weighted(&[(pending(), -1)]), clock(40))
        .unwrap();
    assert_eq!(states(&gone), [AlertState::Withdrawn]);
    assert_eq!(gone[0].transitioned_at, minute(40));
}

#[test]
fn a_moved_deadline_withdraws_or_updates() {
    let moved = |minutes: i64| SlaStep {
        deadline: minute(minutes),
        ..pending()
    };
    let mut rule = fired();
    assert_eq!(
        replaced(&mut rule, pending(), moved(60), clock(40)),
        [AlertState::Withdrawn]
    );
    let again = rule.tick(clock(61));
    assert_eq!(states(&again), [AlertState::Firing]);
    assert_eq!(again[0].first_fired_at, minute(61), "another episode");

    let mut rule = fired();
    assert_eq!(
        replaced(&mut rule, pending(), moved(20), clock(40)),
        [AlertState::Updated]
    );
    assert_eq!(rule.next_timer(), None);
}

fn any_fact() -> impl Strategy<Value = SlaStep> {
    let outcome = prop_oneof![
        Just(StepOutcome::Pending),
        Just(StepOutcome::Breached),
        Just(StepOutcome::Met),
        Just(StepOutcome::Void)
    ];
    (outcome, prop::option::of(0..30_i64), 5..25_i64).prop_map(|(outcome, stopped, deadline)| {
        SlaStep {
            deadline: minute(deadline),
            ..fact(outcome, stopped)
        }
    })
}

proptest! {
    /// For any sequence of facts of a step, its alert opens, changes and closes in turn, and is open at the end exactly if the last
    /// fact is not stopped and past deadline and grace.
    #[test]
    fn alerts_open_and_close_in_turn(steps in prop::collection::vec((any_fact(), 0..5_i64), 1..12)) {
        let mut rule = rule();
        let mut now = 0;
        let mut before: Option<SlaStep> = None;
        let mut is_open = false;
        for (after, pause) in steps {
            now += pause;
            let mut facts: Vec<_> = before.take().map(|fact| (fact, -1)).into_iter().collect();
            facts.push((after.clone(), 1));
            for change in rule.observe(&weighted(&facts), clock(now)).unwrap() {
                prop_assert_eq!(is_open, change.state != AlertState::Firing);
                is_open = matches!(change.state, AlertState::Firing | AlertState::Updated);
            }
            let is_missed = matches!(after.outcome, StepOutcome::Pending | StepOutcome::Breached);
            let is_due = after.deadline + DurationMs::MINUTE <= minute(now);
            prop_assert_eq!(is_open, is_missed && after.stopped_at.is_none() && is_due);
            before = Some(after);
        }
    }
}
