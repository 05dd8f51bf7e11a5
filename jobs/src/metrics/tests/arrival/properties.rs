//! The properties: any scenario gives the facts, alerts and rows of batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipeline::round::Metric;
use pipeline::time::WindowKind;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use schemas::event::TopicSet;

use super::scenario::{self, Disorder, Scenario};
use super::service::Service;
use crate::metrics::tests::harness::metrics;

/// The metrics whose rows are wanted, by window kind, and those whose panes or rows they read, without windows of their own.
pub(super) fn metrics_for(is_wanted: impl Fn(&Metric, WindowKind) -> bool) -> Arc<Vec<Metric>> {
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

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Runs a scenario and compares the result with batch.
fn equals_batch(metrics: Arc<Vec<Metric>>, scenario: &Scenario) -> Result<(), TestCaseError> {
    let differences = runtime().block_on(async {
        let service = Service::run(metrics, scenario).await;
        let mut differences = service.differences().await;
        if matches!(scenario.disorder, Disorder::Any) {
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

    /// Facts, orphans and open alerts equal those of batch.
    #[test]
    fn facts_and_alerts_equal_batch_for_any_arrival(scenario in scenario::scenario(60)) {
        equals_batch(Arc::default(), &scenario)?;
    }
}

/// Every clock with every window kind: each gets scenarios of its own.
fn rounds() -> BTreeSet<(TopicSet, WindowKind)> {
    let metrics = metrics();
    let of = |metric: &Metric| {
        let clock = metric.clock;
        metric
            .windows
            .clone()
            .into_iter()
            .map(move |kind| (clock, kind))
    };
    metrics.iter().flat_map(of).collect()
}

/// The latest revisions of all rows equal those of batch.
#[test]
fn rows_equal_batch_for_any_arrival() {
    for (clock, window_kind) in rounds() {
        let metrics = metrics_for(|metric, kind| metric.clock == clock && kind == window_kind);
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 3,
            max_shrink_iters: 60,
            ..ProptestConfig::with_source_file(file!())
        });
        let result = runner.run(&scenario::scenario(40), |scenario| {
            equals_batch(metrics.clone(), &scenario)
        });
        if let Err(error) = result {
            panic!("{window_kind} by the clock of {clock}: {error}");
        }
    }
}

/// A property over events that never interact would hold for any engine.
#[test]
fn generated_events_interact_in_every_way_that_matters() {
    let mut runner = TestRunner::deterministic();
    let strategy = scenario::scenario(60);
    let mut seen = String::new();
    let (mut alerts, mut too_late) = (0, 0);
    for _ in 0..60 {
        let scenario = strategy.new_tree(&mut runner).unwrap().current();
        let service = runtime().block_on(Service::run(Arc::default(), &scenario));
        seen.push_str(&service.public.sums.to_text());
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
        "censored=0",
        "censored=1",
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
        assert!(seen.contains(part), "never generated: {part}");
    }
    assert!(alerts > 0 && too_late > 0, "{alerts} {too_late}");
}
