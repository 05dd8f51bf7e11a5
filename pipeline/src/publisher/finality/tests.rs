#![allow(clippy::unwrap_used)]

use schemas::event::Topic;

use super::*;
use crate::publisher::fixture::{ZONE, day, demand, metric, sales, start, topics};
use crate::time::fixture::ms;

/// Finality over these metrics with the clock of orders at `clock`.
struct Case {
    metrics: Vec<Metric>,
    topics: Vec<TopicSettings>,
    clocks: Clocks,
    said: Vec<FinalUntil>,
    planner: Planner,
}

impl Case {
    fn new(metrics: &[Metric], clock: TimestampMs) -> Self {
        Self {
            metrics: metrics.to_vec(),
            topics: topics(),
            clocks: Clocks::from([(Topic::Orders.into(), clock)]),
            said: Vec::new(),
            planner: Planner::default(),
        }
    }

    fn finality(&self) -> Finality<'_> {
        Finality {
            zone: ZONE,
            metrics: &self.metrics,
            topics: &self.topics,
            clocks: &self.clocks,
            said: &self.said,
        }
    }

    fn touch(&mut self, on: &str) {
        let (metrics, name) = (self.metrics.clone(), self.metrics[0].name.clone());
        self.planner.touch(&metrics, &name, &[day(on)]);
    }

    fn until(&self, kind: WindowKind) -> TimestampMs {
        let until = self.finality().until(&self.planner, &self.metrics[0], kind);
        until.unwrap()
    }

    fn owing(&self) -> Vec<Window> {
        let due = self.planner.changed(ZONE, &self.clocks).into_iter();
        due.filter(|key| self.finality().owes_round(&self.planner, key))
            .map(|key| key.window)
            .collect()
    }

    fn say(&mut self, kind: WindowKind) {
        let until = self.until(kind);
        self.said = vec![FinalUntil {
            table: "metrics.demand".to_owned(),
            window_kind: kind.to_string(),
            until,
        }];
    }
}

#[test]
fn k07_final_is_window_end_plus_look_ahead_plus_the_largest_lateness_of_the_topics_read() {
    assert_eq!(time_to_final(&demand(), &topics()), 2 * DurationMs::DAY);
    assert_eq!(
        time_to_final(&sales(), &topics()),
        (14 + 7) * DurationMs::DAY
    );

    // The window that ends on the 12th is final from the instant on at which the metric's own clock stands 21 days behind its end.
    let mut case = Case::new(&[sales()], TimestampMs::MAX);
    let until = |case: &Case| {
        let finality = case.finality();
        finality.until(&case.planner, &case.metrics[0], WindowKind::W1)
    };
    // Nothing is final by a clock that nobody has seen.
    assert_eq!(until(&case), None);
    let end = start("2026-01-12");
    case.clocks.insert(sales().clock, start("2026-02-02"));
    assert!(until(&case) >= Some(end));
    case.clocks
        .insert(sales().clock, start("2026-02-02") - ms(1));
    assert!(until(&case) < Some(end));
}

#[test]
fn k40_a_change_that_no_round_has_seen_holds_finality_until_one_at_the_final_instant_or_later() {
    let end = start("2026-01-08");
    let final_at = end + 2 * DurationMs::DAY;
    let mut case = Case::new(&[demand()], final_at);
    assert_eq!(case.until(WindowKind::D1), end, "no change, no round");
    case.touch("2026-01-07");
    assert_eq!(case.until(WindowKind::D1), end - ms(1));
    let windows = case.owing();
    assert_eq!(windows.len(), 1, "the week has not ended");
    let key = RoundKey {
        clock: Topic::Orders.into(),
        window: windows[0],
    };
    // Opened a moment too early it would miss what is accepted in that moment, but nothing was.
    case.planner.opened(&key, final_at - ms(1));
    assert_eq!(case.until(WindowKind::D1), end);
    case.touch("2026-01-07");
    assert_eq!(case.until(WindowKind::D1), end - ms(1));
    // Opened at the final instant it has seen all that was accepted before: what comes now is restated.
    case.planner.opened(&key, final_at);
    case.touch("2026-01-07");
    assert_eq!(case.until(WindowKind::D1), end);
    assert_eq!(case.owing(), []);
}

#[test]
fn k40_before_its_final_instant_a_changed_window_owes_nothing() {
    let mut case = Case::new(&[demand()], start("2026-01-10") - ms(1));
    case.touch("2026-01-07");
    assert_eq!(case.owing(), []);
    assert_eq!(case.until(WindowKind::D1), start("2026-01-08") - ms(1));
}

#[test]
fn k40_what_has_been_said_to_be_final_stays_so() {
    let mut case = Case::new(&[demand()], start("2026-01-20"));
    case.say(WindowKind::D1);
    // A window that had no fact yet, weeks later; and finality that another configuration would give later.
    case.touch("2026-01-07");
    assert_eq!(case.until(WindowKind::D1), start("2026-01-18"));
    let day = WindowKind::D1.reading(day("2026-01-07"), 0)[0];
    assert!(case.finality().is_said(&demand(), day));
    assert!(!case.owing().contains(&day), "paced like any late change");
    case.topics[0].time.allowed_lateness = 9 * DurationMs::DAY;
    assert_eq!(case.until(WindowKind::D1), start("2026-01-18"));
}

#[test]
fn k40_of_metrics_that_share_a_round_each_owes_it_at_its_own_final_instant() {
    let later = metric("later", &[Topic::Orders], 5, &[WindowKind::D1]);
    let end = start("2026-01-08");
    let mut case = Case::new(&[demand(), later.clone()], end + 2 * DurationMs::DAY);
    case.touch("2026-01-07");
    let key = RoundKey {
        clock: Topic::Orders.into(),
        window: case.owing()[0],
    };
    case.planner.opened(&key, end + 2 * DurationMs::DAY);
    case.touch("2026-01-07");
    assert_eq!(case.owing(), [], "demand has had its round");
    case.clocks = Clocks::from([(Topic::Orders.into(), end + 7 * DurationMs::DAY)]);
    assert!(case.owing().contains(&key.window), "the later one has not");
    let until = |metric: &Metric| {
        let finality = case.finality();
        let until = finality.until(&case.planner, metric, WindowKind::D1);
        until.unwrap()
    };
    assert!(until(&demand()) >= end);
    assert_eq!(until(&later), end - ms(1));
}
