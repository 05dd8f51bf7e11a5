#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};
use pipeline::alert::{AlertScope, AlertState};

use super::super::rules::{A01, parse};
use super::*;

mod k33;

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
        [(AlertState::Withdrawn, Severity::S3)]
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
