//! P2: the latest rows are what batch makes of the accepted events, whatever the order in which they arrived.
//!
//! ```text
//!  story ─ events ─▶ course: any order, duplicates, cuts, seals, clocks, rounds, bases, crashes, new reference data
//!                       │ service: shard (verdicts, core) ×2 ─▶ public (planner, rounds, revisions)
//!                       ▼
//!               rows, facts, alerts  ==  one batch a shard, sorted, in one step (the audit's computation)
//! ```
//!
//! Real are JSON, decoder, verdicts, batches, cores with all operators and rules, metric texts, planner, revisions and audit. What a
//! course may do is what a run may do: partitions are read in one order by all, seals are cut anywhere, clocks move anywhere but
//! back, prices may come last in one shard and not in the other, a shard that dies reads again what it had not sealed.
//!
//! Rows cost seconds a course, most of it for planning SQL in a build without optimisation. So facts and alerts are compared alone
//! on many courses, and with rows on few, each with the rounds of one clock and kind of window.
//!
//! Some wrong implementations that fail here:
//! * Histories or list prices in the order of arrival where `occurred_at` is the same, or `event_id` left out of the order.
//! * A key that does not run again when a list price or reference data that it read change, or when a timer is due.
//! * A correction that works only on what came before it, or only on what comes after it, or that a base forgets.
//! * Facts of a difference that are not taken back: weights, panes or timers that stay.
//! * A window that is not marked for a round by a late fact in its look-back, by a list price or by new reference data.
//! * A row that stays after its facts have left, or a revision that is compared with the wrong window.
//! * Recovery that applies a seal twice or not at all, at other clocks, or with other reference data.
//! * Results that keep what an early clock said: a step breached for good, an alert that stays open.
//! * A duplicate that counts, or that counts after a crash.
//!
//! What both sides do alike is not seen here (a wrong formula, a correction of another customer's event): operators and texts have
//! tests of their own.

mod course;
mod event;
mod named;
mod public;
mod service;
mod shard;
mod story;

use std::collections::BTreeSet;
use std::sync::Arc;

use pipeline::round::Metric;
use pipeline::time::WindowKind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};

use self::course::{Course, Disorder};
use self::service::Service;
use super::bench::metrics;

/// The metrics whose rows are wanted, by window, and those whose panes or rows they read: without windows of their own.
fn metrics_for(is_wanted: impl Fn(&Metric, WindowKind) -> bool) -> Arc<Vec<Metric>> {
    let mut metrics = metrics();
    let mut read = BTreeSet::new();
    for metric in metrics.iter_mut().rev() {
        let wanted = metric.windows.iter().copied();
        metric.windows = wanted.filter(|kind| is_wanted(metric, *kind)).collect();
        if !metric.windows.is_empty() || read.contains(&metric.name) {
            read.insert(metric.name.clone());
            read.extend(metric.reads_panes.iter().cloned());
            read.extend(metric.reads_rows.iter().cloned());
        }
    }
    metrics.retain(|metric| read.contains(&metric.name));
    Arc::new(metrics)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Runs a course and compares what it comes to with batch.
fn settle(metrics: Arc<Vec<Metric>>, course: &Course) -> Result<(), TestCaseError> {
    let differences = runtime().block_on(async {
        let service = Service::run(metrics, course).await;
        let mut differences = service.differences().await;
        if matches!(course.disorder, Disorder::Any) {
            differences.extend(service.lost());
        }
        differences
    });
    let first: Vec<&str> = differences.iter().take(8).map(String::as_str).collect();
    prop_assert!(
        first.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        first.join("\n")
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    /// Facts that hold, orphans and open alerts are those of batch.
    #[test]
    fn any_arrival_comes_to_the_facts_and_alerts_of_batch(course in course::course(60)) {
        settle(Arc::default(), &course)?;
    }
}

/// Rounds are by clock and kind of window; each is asked of courses of its own.
fn rounds() -> BTreeSet<(Vec<String>, WindowKind)> {
    let metrics = metrics();
    let of = |metric: &Metric| {
        let clock = metric.clock.clone();
        metric
            .windows
            .clone()
            .into_iter()
            .map(move |kind| (clock.clone(), kind))
    };
    metrics.iter().flat_map(of).collect()
}

/// The latest revisions of all rows are those of batch.
#[test]
fn any_arrival_comes_to_the_rows_of_batch() {
    for (clock, window_kind) in rounds() {
        let metrics = metrics_for(|metric, kind| metric.clock == clock && kind == window_kind);
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 3,
            max_shrink_iters: 60,
            ..ProptestConfig::with_source_file(file!())
        });
        let result = runner.run(&course::course(40), |course| {
            settle(metrics.clone(), &course)
        });
        if let Err(error) = result {
            panic!(
                "{window_kind} by the clock of {}: {error}",
                clock.join(", ")
            );
        }
    }
}

/// Properties over events that never meet would hold whatever the engine does.
#[test]
fn what_is_drawn_meets_in_every_way_that_matters() {
    let mut runner = TestRunner::deterministic();
    let strategy = course::course(60);
    let mut seen = String::new();
    let (mut alerts, mut too_late) = (0, 0);
    for _ in 0..60 {
        let course = strategy.new_tree(&mut runner).unwrap().current();
        let service = runtime().block_on(Service::run(Arc::default(), &course));
        seen.push_str(&service.public.sums.in_words());
        alerts += service.public.sums.open_alerts();
        too_late += service.lost().len();
    }
    for part in [
        "kind=REQUESTED",
        "kind=ALLOCATED",
        "kind=DELIVERED",
        "kind=RETURNED",
        "kind=CANCELLED",
        "kind=UNMET",
        "counts_n=2",
        "negative_intervals=1",
        "parts_n=1",
        "state=OUTLIER",
        "is_last_of_day=true",
        "outcome=MET",
        "outcome=BREACHED",
        "outcome=VOID",
        "outcome=NOT_APPLICABLE",
        "answered_of_sent_n=1",
        " names e",
    ] {
        assert!(seen.contains(part), "never drawn: {part}");
    }
    assert!(alerts > 0 && too_late > 0, "{alerts} {too_late}");
}
