#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};
use pipeline::history::{Fact, KeyedHistory, KeyedOperator};
use pipeline::time::Zone;
use proptest::prelude::*;
use schemas::event::Topic;
use serde_json::json;

use super::super::rules::{A15, parse};
use super::*;
use crate::operator::fixture;
use crate::operator::sla::{Sla, SlaStep};
use crate::reference::{ReferenceData, RetailReference};

/// Deadline of the steps in these tests, and deadline plus grace, in minutes.
const DEADLINE: i64 = 10;
const DUE: i64 = 11;

const ONE_MS: DurationMs = DurationMs::from_ms(1);

fn minute(number: i64) -> TimestampMs {
    TimestampMs::from_ms(0) + DurationMs::from_minutes(number)
}

fn rule() -> StepRule {
    let policy = Arc::new(Policy::built_in().unwrap());
    StepRule::new(parse("A15", A15).unwrap(), policy).unwrap()
}

fn clock(minutes: i64) -> RuleTime {
    RuleTime {
        clock: minute(minutes),
        live_time: None,
    }
}

/// CMP_DEPT_10M of a case that started at minute 0.
fn fact(outcome: StepOutcome, stopped_minute: Option<i64>) -> SlaStep {
    SlaStep {
        customer_id: "C1".into(),
        case_id: "K1".into(),
        step_id: "CMP_DEPT_10M".into(),
        case_kind: "COMPLAINT".into(),
        category: "DELIVERY".into(),
        unit_id: "U1".into(),
        owner_role: "CALL_AGENT".into(),
        started_at: minute(0),
        deadline: minute(DEADLINE),
        warned_at: None,
        stopped_at: stopped_minute.map(minute),
        outcome,
        overrun: None,
        evidence: vec!["e1".into()],
    }
}

fn pending() -> SlaStep {
    fact(StepOutcome::Pending, None)
}

fn weighted(facts: &[(SlaStep, i64)]) -> RecordBatch {
    let (facts, weights): (Vec<_>, Vec<_>) = facts.iter().cloned().unzip();
    let rows = SlaStep::table().batch(&facts).unwrap();
    let mut fields = rows.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(WEIGHT, DataType::Int64, false)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(Int64Array::from(weights)));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn states(changes: &[AlertChange]) -> Vec<AlertState> {
    changes.iter().map(|change| change.state).collect()
}

/// States after `after` has replaced `before`.
fn replaced(
    rule: &mut StepRule,
    before: SlaStep,
    after: SlaStep,
    now: RuleTime,
) -> Vec<AlertState> {
    let batch = weighted(&[(after, 1), (before, -1)]);
    states(&rule.observe(&batch, now).unwrap())
}

/// A rule whose alert for [`pending`] is open.
fn fired() -> StepRule {
    let mut rule = rule();
    rule.observe(&weighted(&[(pending(), 1)]), clock(1))
        .unwrap();
    assert_eq!(states(&rule.tick(clock(DUE))), [AlertState::Firing]);
    rule
}

#[test]
fn k22_it_fires_at_deadline_plus_grace_with_no_event_and_once() {
    let mut rule = rule();
    assert!(
        rule.observe(&weighted(&[(pending(), 1)]), clock(1))
            .unwrap()
            .is_empty()
    );
    assert_eq!(rule.next_timer(), Some(minute(DUE)));
    let just_before = RuleTime {
        clock: minute(DUE) - ONE_MS,
        live_time: Some(minute(DUE) - ONE_MS),
    };
    assert!(rule.tick(just_before).is_empty());
    let changes = rule.tick(clock(DUE));
    let expected = AlertChange {
        rule_id: "A15".into(),
        rule_version: 1,
        state: AlertState::Firing,
        reason: None,
        severity: Severity::S2,
        dedupe_key: "A15|CMP_DEPT_10M|C1|K1".into(),
        subjects: vec!["C1".into(), "K1".into(), "U1".into()],
        value: Some(660_000.0),
        limit: Some(600_000.0),
        about: AlertScope::Deadline {
            at: minute(DEADLINE),
        },
        first_fired_at: minute(DUE),
        transitioned_at: minute(DUE),
        evidence: vec!["e1".into()],
        owner_role: "CALL_AGENT".into(),
        escalation_role: "SERVICE_DESK_MANAGER".into(),
    };
    assert_eq!(changes, [expected]);
    assert!(rule.tick(clock(100)).is_empty());
    assert_eq!(rule.next_timer(), None);
}

#[test]
fn k22_the_clock_or_live_time_fires_it_whichever_is_first() {
    let mut rule = rule();
    let now = RuleTime {
        clock: minute(0),
        live_time: Some(minute(DUE)),
    };
    let changes = rule.observe(&weighted(&[(pending(), 1)]), now).unwrap();
    assert_eq!(states(&changes), [AlertState::Firing]);

    // The clock may be further, as after a drain; live time then delays nothing.
    for live_time in [None, Some(minute(0))] {
        let mut rule = self::rule();
        let now = RuleTime {
            clock: minute(DUE),
            live_time,
        };
        let changes = rule.observe(&weighted(&[(pending(), 1)]), now).unwrap();
        assert_eq!(states(&changes), [AlertState::Firing], "{live_time:?}");
    }
}

#[test]
fn k22_each_step_has_a_grace_of_its_own() {
    for (written, grace) in [
        ("5s", DurationMs::from_secs(5)),
        ("60s", DurationMs::from_secs(60)),
        ("30m", DurationMs::from_minutes(30)),
    ] {
        let text = include_str!("../../../sla/steps.toml");
        let (before, of_step) = text.split_once("\"CMP_DEPT_10M\"").unwrap();
        let of_step = of_step.replacen("grace = \"60s\"", &format!("grace = \"{written}\""), 1);
        let policy = Policy::parse(&format!("{before}\"CMP_DEPT_10M\"{of_step}")).unwrap();
        let settings = parse("A15", A15).unwrap();
        let mut rule = StepRule::new(settings, Arc::new(policy)).unwrap();
        rule.observe(&weighted(&[(pending(), 1)]), clock(1))
            .unwrap();
        let due = minute(DEADLINE) + grace;
        let at = |clock| RuleTime {
            clock,
            live_time: None,
        };
        assert!(rule.tick(at(due - ONE_MS)).is_empty(), "{written}");
        assert_eq!(
            states(&rule.tick(at(due))),
            [AlertState::Firing],
            "{written}"
        );
    }
}

#[test]
fn a_rescue_is_more_urgent_and_other_steps_are_not_watched() {
    let step = |step_id: &str| SlaStep {
        step_id: step_id.into(),
        ..pending()
    };
    let facts = [(step("RSC_DEPT_10M"), 1), (step("CMP_INFORM_20M"), 1)];
    let changes = rule().observe(&weighted(&facts), clock(1_000)).unwrap();
    let found: Vec<_> = changes
        .iter()
        .map(|c| (&*c.dedupe_key, c.severity))
        .collect();
    assert_eq!(found, [("A15|RSC_DEPT_10M|C1|K1", Severity::S1)]);
}

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
fn the_deadline_passing_does_not_change_an_open_alert() {
    let breached = fact(StepOutcome::Breached, None);
    assert_eq!(replaced(&mut fired(), pending(), breached, clock(40)), []);
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

#[test]
fn timers_and_open_alerts_survive_a_restart() {
    let mut waiting = rule();
    waiting
        .observe(&weighted(&[(pending(), 1)]), clock(1))
        .unwrap();
    for (before, expected) in [(waiting, vec![AlertState::Firing]), (fired(), vec![])] {
        let mut after = rule();
        after.load(&before.save().unwrap()).unwrap();
        assert_eq!(after.next_timer(), before.next_timer());
        // The owner replays the facts that hold.
        let replayed = after
            .observe(&weighted(&[(pending(), 1)]), clock(5))
            .unwrap();
        assert!(replayed.is_empty());
        assert_eq!(states(&after.tick(clock(DUE))), expected);
    }
}

#[test]
fn an_unknown_step_is_refused() {
    let policy = Arc::new(Policy::built_in().unwrap());
    let settings = |steps: &[&str]| StepSettings {
        rule_id: "A15".into(),
        version: 1,
        title: "x".into(),
        steps: steps.iter().map(|&step| step.into()).collect(),
    };
    let error = StepRule::new(settings(&["CMP_DEPT_9M"]), policy.clone())
        .err()
        .unwrap();
    assert!(error.to_string().contains("step_id=CMP_DEPT_9M"), "{error}");
    assert!(StepRule::new(settings(&[]), policy).is_err());
}

/// M19 timer of domain 9, from events to the alert: the call ends at 10:00, nothing follows.
#[test]
fn golden_timer_from_events() {
    let at = |time: &str| fixture::instant(&format!("2026-03-03T{time}+08:00"));
    let reference = RetailReference::new(Arc::new(ReferenceData::empty()));
    let policy = Arc::new(Policy::built_in().unwrap());
    let mut cases = KeyedHistory::new(Sla::new(policy), Zone(chrono_tz::Asia::Shanghai));
    let mut rule = rule();
    let received = json!({"case_id": "K1", "case_kind": "COMPLAINT", "channel": "PHONE", "received_at": at("09:55:00")});
    let ended = json!({"case_id": "K1", "call_ended_at": at("10:00:00")});
    let events = [
        ("case.opened", "2026-03-03T09:55:00+08:00", received),
        ("case.call_ended", "2026-03-03T10:00:00+08:00", ended),
    ];
    let mut ingest =
        |rule: &mut StepRule, events: &[(&str, &str, serde_json::Value)], time: &str| {
            let now = RuleTime {
                clock: at(time),
                live_time: None,
            };
            let batch = fixture::batch(Topic::Complaints, events);
            let skip = vec![false; batch.num_rows()];
            cases.insert(Topic::Complaints, &batch, &skip, &[]).unwrap();
            match cases.run(now.clock, &reference).unwrap() {
                Some(changelog) => rule.observe(&changelog.facts, now).unwrap(),
                None => rule.tick(now),
            }
        };
    assert!(ingest(&mut rule, &events, "10:00:00").is_empty());
    assert_eq!(rule.next_timer(), Some(at("10:11:00")));
    assert!(ingest(&mut rule, &[], "10:10:59").is_empty());
    let fired = ingest(&mut rule, &[], "10:11:00");
    assert_eq!(states(&fired), [AlertState::Firing]);
    assert_eq!(fired[0].about, AlertScope::Deadline { at: at("10:10:00") });

    let notified = [(
        "case.dept_notified",
        "2026-03-03T10:40:00+08:00",
        json!({"case_id": "K1", "event_id": "late"}),
    )];
    let resolved = ingest(&mut rule, &notified, "10:41:00");
    assert_eq!(states(&resolved), [AlertState::Resolved]);
    // Another notification was sent in time, as becomes known now.
    let in_time = [(
        "case.dept_notified",
        "2026-03-03T10:08:00+08:00",
        json!({"case_id": "K1", "event_id": "early"}),
    )];
    assert!(
        ingest(&mut rule, &in_time, "10:50:00").is_empty(),
        "a resolved alert stays resolved"
    );
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

#[test]
fn k42_cases_whose_ids_hold_bars_have_alerts_of_their_own() {
    let of = |customer_id: &str, case_id: &str| SlaStep {
        customer_id: customer_id.into(),
        case_id: case_id.into(),
        ..pending()
    };
    let facts = [of("C1", "2|K"), of("C1|2", "K"), of("C1%7C2", "K")];
    let batch = weighted(&facts.map(|fact| (fact, 1)));
    let fired = rule().observe(&batch, clock(DUE)).unwrap();
    let mut keys: Vec<_> = fired.iter().map(|change| &*change.dedupe_key).collect();
    keys.sort_unstable();
    let expected = [
        "A15|CMP_DEPT_10M|C1%257C2|K",
        "A15|CMP_DEPT_10M|C1%7C2|K",
        "A15|CMP_DEPT_10M|C1|2%7CK",
    ];
    assert_eq!(keys, expected);
}
