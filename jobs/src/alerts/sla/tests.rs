#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};
use pipeline::history::Fact;

use super::super::rules::{A15, parse};
use super::*;
use crate::operator::sla::SlaStep;

mod ending;
mod firing;
mod from_events;

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
