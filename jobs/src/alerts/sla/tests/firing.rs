//! When the alert of a step fires: at its deadline plus grace, once (K22).

use super::*;

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
        let text = include_str!("../../../../sla/steps.toml");
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
fn the_deadline_passing_does_not_change_an_open_alert() {
    let breached = fact(StepOutcome::Breached, None);
    assert_eq!(replaced(&mut fired(), pending(), breached, clock(40)), []);
}
