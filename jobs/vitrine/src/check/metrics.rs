//! The queries of all metrics, planned and run without any event.

use std::collections::BTreeSet;
use std::sync::Arc;

use jobs::catalogue;
use jobs::operator::sla::Policy;
use jobs::reference::RetailReference;
use pipeline::history::PANE;
use pipeline::pane::LinearPlan;
use pipeline::round::{Evaluator, MetricQueries, evaluate_public};
use pipeline::time::{Day, Zone};

use super::part::CheckedPart;
use crate::exit::one_line;

/// Any day: there are no panes.
const DAY: Day = Day(20_000);

/// The metrics that come with Vitrine.
pub(super) async fn check(
    zone: Zone,
    reference: RetailReference,
    policy: Arc<Policy>,
) -> CheckedPart {
    let queries = jobs::metrics::queries();
    CheckedPart {
        name: "metrics",
        what: format!("{} metrics", queries.len()),
        problems: problems(&queries, zone, reference, policy).await,
        ..CheckedPart::default()
    }
}

/// Every problem of these queries; none if each can be read, planned and run over empty panes.
///
/// A metric that reads an unusable one is not tried: the other one has to be corrected first.
async fn problems(
    queries: &[MetricQueries],
    zone: Zone,
    reference: RetailReference,
    policy: Arc<Policy>,
) -> Vec<String> {
    let (mut usable, not_loaded) = catalogue::load_metrics(queries);
    let mut problems: Vec<String> = not_loaded
        .into_iter()
        .map(|problem| format!("metrics/{}: {}", problem.metric, one_line(problem.error)))
        .collect();
    let operators = catalogue::operators(zone, 0, 1, policy.clone());
    let mut unusable = BTreeSet::new();
    for metric in &usable {
        let (Some(stream), Some(facts)) = (&metric.stream, &metric.facts) else {
            continue;
        };
        let Some(operator) = operators.iter().find(|operator| operator.name() == facts) else {
            let known: Vec<&str> = operators.iter().map(|operator| operator.name()).collect();
            problems.push(format!(
                "{}: header facts: no operator emits facts={facts}; known: {}",
                file(&metric.name, "stream"),
                known.join(", ")
            ));
            unusable.insert(metric.name.clone());
            continue;
        };
        debug_assert!(operator.schema().field_with_name(PANE).is_ok());
        if let Err(error) = LinearPlan::new(stream, facts, operator.schema()).await {
            problems.push(format!(
                "{}: {}",
                file(&metric.name, "stream"),
                one_line(error)
            ));
            unusable.insert(metric.name.clone());
        }
    }
    usable.retain(|metric| {
        metric
            .reads_panes
            .union(&metric.reads_rows)
            .all(|name| !unusable.contains(name))
    });
    usable.retain(|metric| !unusable.contains(&metric.name));
    let usable = Arc::new(usable);
    match catalogue::shard_state(zone, 0, 1, reference, usable.clone(), policy, Vec::new()).await {
        Err(error) => problems.push(one_line(error)),
        Ok(mut state) => {
            let mut evaluator = Evaluator::new(zone);
            for metric in usable.iter() {
                for window in metric.windows.iter().flat_map(|kind| kind.reading(DAY, 0)) {
                    let names = [metric.name.clone()];
                    let round = async {
                        let parts = state.aggregate(window, &names).await?;
                        let parts: Vec<_> = parts.into_iter().map(|(_, rows)| rows).collect();
                        evaluate_public(&mut evaluator, metric, window, &parts).await?;
                        anyhow::Ok(())
                    };
                    if let Err(error) = round.await {
                        problems.push(format!("metrics/{}: {}", metric.name, one_line(error)));
                        // The same query fails in every window.
                        break;
                    }
                }
            }
        }
    }
    problems
}

/// The file of a query in the sources.
fn file(metric: &str, query: &str) -> String {
    format!("metrics/{metric}/{query}.sql")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use jobs::metrics::queries;
    use jobs::reference::ReferenceData;

    async fn found(queries: &[MetricQueries]) -> Vec<String> {
        let reference = RetailReference::new(Arc::new(ReferenceData::empty()));
        let policy = catalogue::policy().unwrap();
        problems(queries, Zone(chrono_tz::Asia::Shanghai), reference, policy).await
    }

    #[tokio::test]
    async fn the_built_in_queries_have_no_problem() {
        let problems = found(&queries()).await;
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[tokio::test]
    async fn every_broken_query_is_reported_at_once() {
        let mut broken = queries();
        let mut set = |name: &str, change: fn(&mut MetricQueries)| {
            change(
                broken
                    .iter_mut()
                    .find(|metric| metric.name == name)
                    .unwrap(),
            );
        };
        // a header without windows, a sum that is not linear, a query that reads an unknown column
        set("satisfaction", |metric| {
            metric.stream = Some("-- metric: M18\n-- clock: complaints\nSELECT 1");
        });
        set("demand_orders", |metric| {
            metric.stream = Some(
                "-- metric: M01\n-- facts: order_lines\n-- windows: D1\n-- clock: orders\n\
                 SELECT sku_id, AVG(qty) AS q FROM facts.order_lines GROUP BY sku_id",
            );
        });
        set("sla_compliance", |metric| {
            metric.public = Some("SELECT gone FROM parts.sla_compliance");
        });
        let problems = found(&broken).await;
        for begin in [
            "metrics/satisfaction: ",
            "metrics/demand_orders/stream.sql: ",
            "metrics/sla_compliance: ",
        ] {
            let count = problems
                .iter()
                .filter(|problem| problem.starts_with(begin))
                .count();
            assert_eq!(count, 1, "{begin}: {problems:#?}");
        }
        assert_eq!(problems.len(), 3, "{problems:#?}");
    }
}
