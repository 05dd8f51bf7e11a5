//! K33, clause by clause.

use pipeline::alert::AlertReason;
use proptest::prelude::*;

use super::*;

/// Week, state, severity and reason of each change.
fn recorded(rule: &mut MarginRule, rows: &[Given], clock: TimestampMs) -> Vec<Recorded> {
    let now = RuleTime {
        clock,
        live_time: None,
    };
    let changes = rule.observe(&batch(rows), now).unwrap();
    changes.iter().map(Recorded::of).collect()
}

#[derive(Debug, PartialEq)]
struct Recorded {
    week: i64,
    state: AlertState,
    severity: Severity,
    reason: Option<AlertReason>,
}

impl Recorded {
    fn of(change: &AlertChange) -> Self {
        let AlertScope::Window { end, .. } = change.about else {
            panic!("{change:?}");
        };
        Self {
            week: (end - day(0)).as_ms() / DurationMs::from_days(7).as_ms(),
            state: change.state,
            severity: change.severity,
            reason: change.reason,
        }
    }
}

fn sent(week: i64, state: AlertState, severity: Severity) -> Recorded {
    Recorded {
        week,
        state,
        severity,
        reason: None,
    }
}

fn late(week: i64, state: AlertState, severity: Severity) -> Recorded {
    Recorded {
        reason: Some(AlertReason::Late),
        ..sent(week, state, severity)
    }
}

#[test]
fn k33_a_row_with_too_few_skus_neither_fires_nor_resolves() {
    let mut rule = rule();
    assert_eq!(observed(&mut rule, &[skipped(1, 100)]), []);
    assert_eq!(observed(&mut rule, &[week(2, 850)]), [FIRING]);
    for row in [skipped(3, 2_000), skipped(4, 100), (5, "T1", 0, 0, 9, 9)] {
        assert_eq!(observed(&mut rule, &[row]), [], "{row:?}");
    }
    assert_eq!(
        observed(&mut rule, &[week(6, 2_000)]),
        [(AlertState::Resolved, Severity::S3)]
    );
}

#[test]
fn k33_a_revision_that_changes_the_state_as_of_now_sends_one_transition() {
    use AlertState::*;
    // Resolved in week 2, which turns out to have been between the limits: open again since week 1.
    let mut resolved = rule();
    recorded(
        &mut resolved,
        &[week(1, 850), week(2, 950), week(3, 940)],
        day(22),
    );
    let changes = resolved
        .observe(
            &batch(&[week(2, 940)]),
            RuleTime {
                clock: day(24),
                live_time: None,
            },
        )
        .unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(Recorded::of(&changes[0]), sent(1, Firing, Severity::S3));
    assert_eq!(
        (changes[0].first_fired_at, changes[0].transitioned_at),
        (day(7), day(24)),
        "known since the 24th day"
    );
    // Another severity: week 2 was worse than known, and week 3 between the limits.
    let mut open = rule();
    recorded(
        &mut open,
        &[week(1, 850), week(2, 840), week(3, 920)],
        day(22),
    );
    assert_eq!(
        recorded(&mut open, &[week(2, 600)], day(24)),
        [sent(2, Updated, Severity::S2)]
    );
    // The only window under the limit was not.
    assert_eq!(
        recorded(&mut open, &[week(1, 2_000), week(2, 2_000)], day(24)),
        [sent(1, Withdrawn, Severity::S2)]
    );
    // A window in the middle resolved it.
    let mut open = rule();
    recorded(
        &mut open,
        &[week(1, 850), week(2, 920), week(3, 930)],
        day(22),
    );
    assert_eq!(
        recorded(&mut open, &[week(2, 960)], day(24)),
        [sent(2, Resolved, Severity::S3)]
    );
}

#[test]
fn k33_a_replay_of_old_windows_wakes_nobody() {
    let mut rule = rule();
    recorded(&mut rule, &[week(1, 2_000), week(2, 920)], day(40));
    let now = RuleTime {
        clock: day(40),
        live_time: None,
    };
    let changes = rule.observe(&batch(&[week(1, 850)]), now).unwrap();
    // Week 2 ended on the 14th day; three more windows have ended since and are still to come.
    assert_eq!(changes[0].transitioned_at, day(14));
}

#[test]
fn k33_the_past_is_withdrawn_or_recorded_and_the_last_row_tells_the_state_as_of_now() {
    use AlertState::*;
    const S3: Severity = Severity::S3;
    // Nothing is open: receivers are told that the alert of week 1 never held.
    let mut quiet = rule();
    recorded(
        &mut quiet,
        &[week(1, 850), week(2, 2_000), week(3, 2_000)],
        day(22),
    );
    assert_eq!(
        recorded(&mut quiet, &[week(1, 2_000)], day(24)),
        [sent(1, Withdrawn, S3)]
    );
    // One that newly holds is recorded.
    assert_eq!(
        recorded(&mut quiet, &[week(2, 850)], day(24)),
        [late(2, Firing, S3), late(3, Resolved, S3)]
    );
    // An alert is open: whatever changes before it is recorded, and the state as of now behind it.
    let mut open = rule();
    recorded(
        &mut open,
        &[week(1, 850), week(2, 2_000), week(3, 850)],
        day(22),
    );
    assert_eq!(
        recorded(&mut open, &[week(1, 2_000)], day(24)),
        [late(1, Withdrawn, S3), late(3, Updated, S3)]
    );
    // The open alert began earlier than known: it is the same for its receivers.
    assert_eq!(
        recorded(&mut open, &[week(2, 850)], day(24)),
        [late(2, Firing, S3)]
    );
    let changes = open
        .observe(
            &batch(&[week(4, 2_000)]),
            RuleTime {
                clock: day(28),
                live_time: None,
            },
        )
        .unwrap();
    assert_eq!(Recorded::of(&changes[0]), sent(4, Resolved, S3));
    assert_eq!(changes[0].first_fired_at, day(21));
}

#[test]
fn k33_eight_weeks_without_a_judgement_resolve_an_alert() {
    let mut rule = rule();
    recorded(&mut rule, &[week(1, 850)], day(8));
    recorded(&mut rule, &[skipped(2, 100)], day(15));
    assert_eq!(rule.next_timer(), Some(day(7 + 56)));
    let at = |number| RuleTime {
        clock: day(number),
        live_time: None,
    };
    assert!(rule.tick(at(7 + 55)).is_empty());
    let changes = rule.tick(at(7 + 57));
    assert_eq!(changes.len(), 1);
    let expected = Recorded {
        reason: Some(AlertReason::NoData),
        ..sent(1, AlertState::Resolved, Severity::S3)
    };
    assert_eq!(Recorded::of(&changes[0]), expected);
    assert_eq!((changes[0].value, changes[0].limit), (None, None));
    assert_eq!(changes[0].transitioned_at, day(7 + 56));
    assert_eq!(rule.next_timer(), None);
    assert!(rule.tick(at(200)).is_empty());
    // A judgement between the limits keeps it open.
    let mut kept = self::rule();
    recorded(&mut kept, &[week(1, 850)], day(8));
    recorded(&mut kept, &[week(8, 920)], day(57));
    assert_eq!(kept.next_timer(), Some(day(56 + 56)));
    // That judgement proves to rest on too few SKUs.
    assert_eq!(recorded(&mut kept, &[skipped(8, 920)], day(7 + 57)), []);
    let changes = kept.tick(at(7 + 57));
    assert_eq!(
        changes.iter().map(Recorded::of).collect::<Vec<_>>(),
        [expected]
    );
    // A row eight weeks later finds nothing open, whether or not time alone had said so.
    let mut late = self::rule();
    recorded(&mut late, &[week(1, 850)], day(8));
    let found = recorded(&mut late, &[week(9, 2_000)], day(64));
    assert_eq!(
        found,
        [Recorded {
            reason: Some(AlertReason::NoData),
            ..sent(1, AlertState::Resolved, Severity::S3)
        }]
    );
}

#[test]
fn k33_what_is_older_than_eight_weeks_counts_as_it_stood() {
    let mut rule = rule();
    recorded(&mut rule, &[week(1, 850)], day(8));
    for number in 2..=10 {
        assert_eq!(
            recorded(&mut rule, &[week(number, 930)], day(7 * number + 1)),
            []
        );
    }
    // Week 1 is forgotten, the alert that it opened is not.
    assert_eq!(recorded(&mut rule, &[week(1, 2_000)], day(71)), []);
    assert_eq!(
        recorded(&mut rule, &[week(11, 2_000)], day(78)),
        [sent(11, AlertState::Resolved, Severity::S3)]
    );
    assert_eq!(recorded(&mut rule, &[skipped(21, 100)], day(148)), []);
    assert_eq!(rule.retailers.len(), 1);
    rule.reach(day(210));
    assert_eq!(rule.retailers.len(), 0, "a retailer without rows");
}

#[test]
fn k33_rows_and_alerts_survive_a_restart() {
    let mut before = rule();
    recorded(
        &mut before,
        &[week(1, 850), week(2, 2_000), week(3, 850)],
        day(22),
    );
    let mut after = rule();
    after.load(&before.save().unwrap()).unwrap();
    assert_eq!(after.next_timer(), before.next_timer());
    assert_eq!(recorded(&mut after, &[week(3, 850)], day(23)), []);
    let revised = &[week(1, 2_000)];
    assert_eq!(
        recorded(&mut after, revised, day(24)),
        recorded(&mut before, revised, day(24))
    );
}

/// A row of weeks 1 to 8: margin around the limits, enough SKUs or not, there or gone.
fn any_row() -> impl Strategy<Value = Given> {
    let hundredths = prop_oneof![Just(600), Just(850), Just(930), Just(2_000)];
    let skus = prop_oneof![4 => Just(5), 1 => Just(4)];
    let n = prop_oneof![6 => Just(9), 1 => Just(0)];
    (1..=8_i64, hundredths, skus, n)
        .prop_map(|(week, hundredths, skus, n)| (week, "T1", 10_000, hundredths, skus, n))
}

/// The severity of the open alert as these transitions, in their order, tell it.
fn told<'c>(changes: impl IntoIterator<Item = &'c AlertChange>) -> Option<Severity> {
    let last = changes.into_iter().last()?;
    let is_open = matches!(last.state, AlertState::Firing | AlertState::Updated);
    is_open.then_some(last.severity)
}

proptest! {
    /// Whatever the order of revisions, all that is recorded and all that is sent tell the state of the latest revisions in order.
    #[test]
    fn k33_the_state_is_a_function_of_the_latest_revisions(
        batches in prop::collection::vec(prop::collection::vec(any_row(), 1..3), 1..20),
    ) {
        let clock = day(60);
        let now = RuleTime { clock, live_time: None };
        let mut rule = rule();
        let mut latest = BTreeMap::new();
        let mut changes = Vec::new();
        for rows in &batches {
            let mut by_week: BTreeMap<i64, Given> = rows.iter().map(|row| (row.0, *row)).collect();
            let rows: Vec<Given> = by_week.values().copied().collect();
            latest.append(&mut by_week);
            changes.extend(rule.observe(&batch(&rows), now).unwrap());

            let mut expected = self::rule();
            let in_order: Vec<Given> = latest.values().copied().filter(|row| row.5 > 0).collect();
            let all = expected.observe(&batch(&in_order), now).unwrap();
            prop_assert_eq!(told(&changes), told(&all));
            let sent = changes.iter().filter(|change| change.is_sent());
            prop_assert_eq!(told(sent), told(&all));
        }
        // As receivers see them: an alert fires, may be updated, ends, and only then fires again.
        let mut open = None;
        for change in changes.iter().filter(|change| change.is_sent()) {
            match change.state {
                AlertState::Firing => {
                    prop_assert!(open.is_none());
                    open = Some(change.first_fired_at);
                }
                AlertState::Withdrawn if open.is_none() => {}
                _ => prop_assert_eq!(open, Some(change.first_fired_at)),
            }
            if matches!(change.state, AlertState::Resolved | AlertState::Withdrawn) {
                open = None;
            }
        }
    }
}
