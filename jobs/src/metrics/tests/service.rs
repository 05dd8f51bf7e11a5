//! M18 and M19, from facts to rows.

use std::sync::Arc;

use schemas::time::DurationMs;

use super::harness::{Harness, rows};
use crate::operator::fixture::instant;
use crate::operator::sla::{SlaStep, StepOutcome};
use crate::operator::survey_answers::SurveyAnswer;
use crate::operator::survey_invitations::SurveyInvitation;
use crate::reference::{ReferenceData, RetailReference};

const WEEK: (&str, &str) = ("2026-03-02", "2026-03-09");

fn reference() -> RetailReference {
    RetailReference::new(Arc::new(ReferenceData::empty()))
}

fn answer(at: &str, unit_id: &str, score: i64) -> SurveyAnswer {
    SurveyAnswer {
        instant: instant(at),
        event_id: at.into(),
        survey_id: "S1".into(),
        question_id: "Q0".into(),
        unit_id: unit_id.into(),
        survey_tool: "PHONE".into(),
        class_id: "A".into(),
        area_unit_id: "AR1".into(),
        customer_kind: "RETAILER".into(),
        score,
    }
}

/// Answers at 12:00 on the Wednesday this many weeks before that of [`WEEK`].
fn weeks_before(weeks: i64, scores: &[i64]) -> Vec<SurveyAnswer> {
    let wednesday = instant("2026-03-04T12:00:00+08:00") - DurationMs::from_days(7 * weeks);
    let one = |score: &i64| SurveyAnswer {
        instant: wednesday,
        ..answer("2026-03-04T12:00:00+08:00", "U1", *score)
    };
    scores.iter().map(one).collect()
}

fn satisfaction(facts: &[SurveyAnswer], columns: &[&str]) -> Vec<String> {
    let mut harness = Harness::new();
    harness.stream("satisfaction", facts);
    rows(&harness.round("satisfaction", &reference(), WEEK), columns)
}

#[test]
fn m18_shares_and_scores() {
    let facts = [
        answer("2026-03-02T00:00:00+08:00", "U1", 5),
        answer("2026-03-08T23:59:59+08:00", "U1", 4),
        answer("2026-03-04T10:00:00+08:00", "U1", 2),
        answer("2026-03-04T10:00:00+08:00", "U2", 1),
        answer("2026-03-01T23:59:59+08:00", "U1", 1),
        answer("2026-03-09T00:00:00+08:00", "U1", 1),
        answer("2026-02-25T10:00:00+08:00", "U3", 1),
    ];
    // U1: (11/3 - 1) / 4 x 100 = 66.67; the next and the former week stay out, and make no row either.
    assert_eq!(
        satisfaction(
            &facts,
            &[
                "unit_id",
                "answers_n",
                "satisfied_n",
                "score_sum",
                "csat_ratio",
                "score",
                "slope_per_week",
                "n"
            ]
        ),
        [
            "U1 3 2 11 0.6666666666666666 66.66666666666667  3",
            "U2 1 0 1 0.0 0.0  1"
        ]
    );
}

#[test]
fn k17_the_trend_is_over_eight_weeks_of_which_six_have_a_row() {
    let trend = |weeks: &[i64]| {
        // One answer of 3 in the oldest week, rising: 50, 50, 75, 75, ... points.
        let facts: Vec<_> = weeks
            .iter()
            .flat_map(|&weeks| weeks_before(weeks, &[if weeks < 2 { 4 } else { 3 }]))
            .collect();
        satisfaction(&facts, &["slope_per_week"])
    };
    // x = 1..8, y = 50 six times, then 75 twice: slope = Σ(x - 4.5)(y - 56.25) / Σ(x - 4.5)² = 150 / 42.
    assert_eq!(trend(&[0, 1, 2, 3, 4, 5, 6, 7]), ["3.5714285714285716"]);
    // The ninth week is out of reach.
    assert_eq!(trend(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), ["3.5714285714285716"]);
    // Six weeks are enough, and a gap is a gap: x = 8, 7, 4, 3, 2, 1.
    let x = [8.0, 7.0, 4.0, 3.0, 2.0, 1.0_f64];
    let y = [75.0, 75.0, 50.0, 50.0, 50.0, 50.0];
    let (mean_x, mean_y) = (25.0 / 6.0, 350.0 / 6.0);
    let over: f64 = x
        .iter()
        .zip(y)
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let under: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    let found: f64 = trend(&[0, 1, 4, 5, 6, 7])[0].parse().unwrap();
    assert!((found - over / under).abs() < 1e-12, "{found}");
    assert_eq!(trend(&[0, 1, 4, 5, 6]), [""]);
    // A week without answers has no row, and so no trend.
    assert!(trend(&[1, 2, 3, 4, 5, 6, 7]).is_empty());
}

#[test]
fn k17_overall_is_question_q0_alone() {
    let of = |question_id: &str, score| SurveyAnswer {
        question_id: question_id.into(),
        ..answer("2026-03-04T10:00:00+08:00", "U1", score)
    };
    let facts = [of("Q0", 5), of("Q0", 3), of("Q1", 1), of("Q2", 2)];
    assert_eq!(
        satisfaction(&facts, &["question_id", "answers_n", "score"]),
        ["Q0 2 75.0", "Q1 1 0.0", "Q2 1 25.0"]
    );
}

/// The trend looks back 8 calendar weeks, beginning with the first instant of the oldest.
#[test]
fn k24_the_trend_looks_back_eight_calendar_weeks() {
    let slope = |oldest: &str| {
        let mut facts: Vec<_> = (0..5).flat_map(|weeks| weeks_before(weeks, &[4])).collect();
        facts.push(answer(oldest, "U1", 1));
        satisfaction(&facts, &["slope_per_week"])[0].clone()
    };
    // Monday 2026-01-12 is seven weeks before that of the row's week.
    assert_ne!(slope("2026-01-12T00:00:00+08:00"), "");
    assert_eq!(slope("2026-01-11T23:59:59.999+08:00"), "");
}

#[test]
fn m18_the_trend_weighs_weeks_and_not_answers() {
    let mut facts = weeks_before(0, &[5, 5, 5, 1]);
    for weeks in 1..6 {
        facts.extend(weeks_before(weeks, &[4]));
    }
    assert_eq!(
        satisfaction(&facts, &["score", "slope_per_week"]),
        ["75.0 0.0"]
    );
}

#[test]
fn k17_response_counts_in_the_window_of_the_sending() {
    let invitation = |at: &str, is_answered| SurveyInvitation {
        instant: instant(at),
        event_id: at.into(),
        survey_id: at.into(),
        unit_id: "U1".into(),
        survey_tool: "PHONE".into(),
        class_id: "A".into(),
        area_unit_id: "AR1".into(),
        customer_kind: "RETAILER".into(),
        is_answered,
    };
    let mut harness = Harness::new();
    harness.stream(
        "satisfaction_response",
        &[
            invitation("2026-03-02T00:00:00+08:00", true),
            invitation("2026-03-03T10:00:00+08:00", false),
            invitation("2026-03-03T11:00:00+08:00", false),
            invitation("2026-03-08T23:00:00+08:00", false),
            invitation("2026-03-09T00:00:00+08:00", true),
        ],
    );
    let found = harness.round("satisfaction_response", &reference(), WEEK);
    let columns = [
        "unit_id",
        "sent_n",
        "answered_of_sent_n",
        "response_ratio",
        "n",
    ];
    assert_eq!(rows(&found, &columns), ["U1 4 1 0.25 4"]);
}

fn step(at: &str, step_id: &str, outcome: StepOutcome, overrun: Option<DurationMs>) -> SlaStep {
    SlaStep {
        customer_id: "C1".into(),
        case_id: at.into(),
        step_id: step_id.into(),
        case_kind: "COMPLAINT".into(),
        category: "DELIVERY".into(),
        unit_id: "U1".into(),
        owner_role: "CALL_AGENT".into(),
        started_at: instant(at) - DurationMs::from_minutes(10),
        deadline: instant(at),
        warned_at: None,
        stopped_at: None,
        outcome,
        overrun,
        evidence: vec![],
    }
}

#[test]
fn m19_steps_count_at_their_deadline_and_only_those_that_apply() {
    let dept = |at, outcome, overrun| step(at, "CMP_DEPT_10M", outcome, overrun);
    let mut harness = Harness::new();
    harness.stream(
        "sla_compliance",
        &[
            dept("2026-03-03T10:00:00+08:00", StepOutcome::Met, None),
            dept("2026-03-03T11:00:00+08:00", StepOutcome::Met, None),
            dept(
                "2026-03-03T12:00:00+08:00",
                StepOutcome::Breached,
                Some(DurationMs::from_secs(5)),
            ),
            dept("2026-03-03T13:00:00+08:00", StepOutcome::Breached, None),
            dept("2026-03-03T14:00:00+08:00", StepOutcome::Pending, None),
            dept("2026-03-03T15:00:00+08:00", StepOutcome::Void, None),
            dept(
                "2026-03-03T16:00:00+08:00",
                StepOutcome::NotApplicable,
                None,
            ),
            dept("2026-03-04T00:00:00+08:00", StepOutcome::Met, None),
            step(
                "2026-03-03T10:00:00+08:00",
                "CMP_INFORM_20M",
                StepOutcome::Pending,
                None,
            ),
        ],
    );
    let columns = [
        "step_id",
        "met_n",
        "breached_n",
        "pending_n",
        "overrun_sum_ms",
        "compliance_ratio",
        "n",
    ];
    let day = harness.round("sla_compliance", &reference(), ("2026-03-03", "2026-03-04"));
    assert_eq!(
        rows(&day, &columns),
        ["CMP_DEPT_10M 2 2 1 5000 0.5 5", "CMP_INFORM_20M 0 0 1 0  1"]
    );
    let week = harness.round("sla_compliance", &reference(), WEEK);
    assert_eq!(rows(&week, &columns)[0], "CMP_DEPT_10M 3 2 1 5000 0.6 6");
}
