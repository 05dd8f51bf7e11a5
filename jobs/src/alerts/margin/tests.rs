#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use pipeline::alert::{AlertReason, AlertScope, AlertState};
use proptest::prelude::*;

use super::super::rules::{A01, parse};
use super::*;

const NOW: RuleTime = RuleTime {
    clock: TimestampMs::from_ms(0),
    live_time: None,
};

/// A row of customer C1 in window number `week`: (week, territory, sales in fen, margin in fen, SKUs, n).
type Given = (i64, &'static str, i64, i64, i64, i64);

fn batch(rows: &[Given]) -> RecordBatch {
    kinds(rows, "H28")
}

fn kinds(rows: &[Given], window_kind: &str) -> RecordBatch {
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; rows.len()])) };
    let instant = |shift: i64| -> ArrayRef {
        let us = rows.iter().map(|row| (row.0 * 7 + shift) * 86_400_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(us).with_timezone("UTC"))
    };
    let decimal = |get: fn(&Given) -> i64| -> ArrayRef {
        let mantissas = rows.iter().map(|row| i128::from(get(row)) * MILLION);
        let array = Decimal128Array::from_iter_values(mantissas);
        Arc::new(array.with_precision_and_scale(38, 6).unwrap())
    };
    let whole = |get: fn(&Given) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(get)))
    };
    let territories = StringArray::from_iter_values(rows.iter().map(|row| row.1));
    RecordBatch::try_from_iter([
        ("window_kind", text(window_kind)),
        ("window_start", instant(-28)),
        ("window_end", instant(0)),
        ("customer_id", text("C1")),
        ("territory_id", Arc::new(territories)),
        ("class_id", text("A")),
        // The sums over all SKUs are not read: with them nothing would fire.
        ("sales_fen", decimal(|_| 10_000)),
        ("cost_fen", decimal(|_| 0)),
        ("skus_n", whole(|_| 100)),
        ("observed_sales_fen", decimal(|row| row.2)),
        ("observed_cost_fen", decimal(|row| row.2 - row.3)),
        ("observed_skus_n", whole(|row| row.4)),
        ("n", whole(|row| row.5)),
    ])
    .unwrap()
}

/// Margin in hundredths of a per cent, in week 1, with five SKUs.
fn margin(hundredths: i64) -> Given {
    (1, "T1", 10_000, hundredths, 5, 9)
}

/// The same in another week.
fn week(week: i64, hundredths: i64) -> Given {
    (week, "T1", 10_000, hundredths, 5, 9)
}

/// A week with too few SKUs.
fn skipped(week: i64, hundredths: i64) -> Given {
    (week, "T1", 10_000, hundredths, 4, 9)
}

fn day(number: i64) -> TimestampMs {
    TimestampMs::from_ms(0) + DurationMs::from_days(number)
}

fn rule() -> MarginRule {
    MarginRule::new(parse("A01", A01).unwrap()).unwrap()
}

fn observed(rule: &mut MarginRule, rows: &[Given]) -> Vec<(AlertState, Severity)> {
    rule.observe(&batch(rows), NOW)
        .unwrap()
        .iter()
        .map(|change| (change.state, change.severity))
        .collect()
}

const FIRING: (AlertState, Severity) = (AlertState::Firing, Severity::S3);

#[test]
fn k22_under_9_per_cent_is_s3_and_under_7_s2_of_the_observed_parts() {
    for (hundredths, expected) in [
        (900, vec![]),
        (899, vec![(AlertState::Firing, Severity::S3)]),
        (700, vec![(AlertState::Firing, Severity::S3)]),
        (699, vec![(AlertState::Firing, Severity::S2)]),
        (-50, vec![(AlertState::Firing, Severity::S2)]),
    ] {
        assert_eq!(
            observed(&mut rule(), &[margin(hundredths)]),
            expected,
            "{hundredths}"
        );
    }
}

#[test]
fn k22_each_revision_is_classified() {
    let mut rule = rule();
    let mut next = |hundredths| observed(&mut rule, &[margin(hundredths)]);
    assert_eq!(next(899), [FIRING]);
    assert_eq!(next(880), []);
    assert_eq!(next(650), [(AlertState::Updated, Severity::S2)]);
    assert_eq!(next(750), [(AlertState::Updated, Severity::S3)]);
    let withdrawn = [(AlertState::Withdrawn, Severity::S3)];
    assert_eq!(next(949), withdrawn, "it had never been under the limit");
    assert_eq!(next(850), [FIRING]);
    assert_eq!(next(950), withdrawn);
    assert_eq!(next(949), []);
    assert_eq!(next(899), [FIRING]);
}

#[test]
fn k22_between_the_limit_and_9_5_per_cent_an_open_alert_stays() {
    let mut rule = rule();
    assert_eq!(observed(&mut rule, &[week(1, 899)]), [FIRING]);
    assert_eq!(observed(&mut rule, &[week(2, 949)]), []);
    assert_eq!(observed(&mut rule, &[week(3, 850)]), [], "the same alert");
    let resolved = [(AlertState::Resolved, Severity::S3)];
    assert_eq!(observed(&mut rule, &[week(4, 950)]), resolved);
    assert_eq!(observed(&mut rule, &[week(5, 949)]), []);
}

#[test]
fn a_transition_has_value_limit_subjects_and_window() {
    let mut rule = rule();
    let first = rule.observe(&batch(&[margin(850)]), NOW).unwrap().remove(0);
    assert_eq!((first.value, first.limit), (Some(0.085), Some(0.09)));
    assert_eq!(&*first.dedupe_key, "A01|C1");
    let subjects: Vec<&str> = first.subjects.iter().map(|id| &**id).collect();
    assert_eq!(subjects, ["C1", "T1"]);
    assert_eq!(
        first.about,
        AlertScope::Window {
            start: day(-21),
            end: day(7)
        }
    );
    let resolved = rule
        .observe(&batch(&[(2, "T1", 10_000, 1_000, 5, 9)]), NOW)
        .unwrap()
        .remove(0);
    assert_eq!((resolved.value, resolved.limit), (Some(0.1), Some(0.095)));
    assert_eq!(
        (resolved.first_fired_at, resolved.transitioned_at),
        (day(7), day(14))
    );
}

#[test]
fn k22_k33_with_fewer_than_five_skus_or_no_sales_nothing_fires_and_what_that_window_had_fired_is_withdrawn()
 {
    for unknown in [
        (1, "T1", 10_000, 850, 4, 9), // four SKUs
        (1, "T1", 0, 0, 5, 9),        // nothing sold
        (1, "T1", 10_000, 850, 5, 0), // the row is gone
    ] {
        let mut rule = rule();
        assert_eq!(
            observed(&mut rule, &[unknown]),
            [],
            "{unknown:?} fires nothing"
        );
        assert_eq!(observed(&mut rule, &[margin(850)]), [FIRING]);
        assert_eq!(
            observed(&mut rule, &[unknown]),
            [(AlertState::Withdrawn, Severity::S3)],
            "{unknown:?}"
        );
    }
}

#[test]
fn windows_of_one_batch_are_applied_in_their_order() {
    let mut rule = rule();
    assert_eq!(observed(&mut rule, &[week(3, 850)]), [FIRING]);
    assert_eq!(observed(&mut rule, &[week(2, 2_000)]), []);
    assert_eq!(observed(&mut rule, &[(2, "T1", 0, 0, 0, 0)]), []);
    assert_eq!(
        observed(&mut rule, &[week(5, 650), week(4, 1_000)]),
        [
            (AlertState::Resolved, Severity::S3),
            (AlertState::Firing, Severity::S2)
        ]
    );
}

#[test]
fn a_retailer_that_changes_territory_keeps_its_alert() {
    let mut rule = rule();
    assert_eq!(observed(&mut rule, &[margin(850)]), [FIRING]);
    let moved = [(1, "T1", 0, 0, 0, 0), (1, "T2", 10_000, 850, 5, 9)];
    assert_eq!(observed(&mut rule, &moved), []);
    assert_eq!(
        observed(&mut rule, &[(1, "T2", 0, 0, 0, 0)]),
        [(AlertState::Withdrawn, Severity::S3)]
    );
}

#[test]
fn k22_windows_of_another_length_than_28_days_are_ignored() {
    let mut rule = rule();
    let changes = rule.observe(&kinds(&[margin(100)], "W1"), NOW).unwrap();
    assert!(changes.is_empty());
    assert_eq!(rule.next_timer(), None);
    assert!(rule.tick(NOW).is_empty());
}

#[test]
fn open_alerts_survive_a_restart() {
    let mut before = rule();
    observed(&mut before, &[margin(850)]);
    let mut after = rule();
    after.load(&before.save().unwrap()).unwrap();
    assert_eq!(
        observed(&mut after, &[margin(850)]),
        [],
        "a known revision changes nothing"
    );
    assert_eq!(
        observed(&mut after, &[margin(950)]),
        [(AlertState::Resolved, Severity::S3)]
    );
}

#[test]
fn limits_that_would_flap_are_refused() {
    let settings = || parse::<MarginSettings>("A01", A01).unwrap();
    let flapping = MarginSettings {
        resolved_from_ratio: 0.08,
        ..settings()
    };
    let error = MarginRule::new(flapping).err().unwrap().to_string();
    assert!(error.contains("flap"), "{error}");
    let without_limits = MarginSettings {
        below: Vec::new(),
        ..settings()
    };
    assert!(MarginRule::new(without_limits).is_err());
}

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
