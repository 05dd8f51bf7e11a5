//! The queries of all metrics, tried without any event.

use std::collections::BTreeSet;
use std::sync::Arc;

use pipeline::history::PANE;
use pipeline::pane::LinearPlan;
use pipeline::round::{Evaluator, MetricQueries, evaluate_public};
use pipeline::time::{Day, Zone};

use super::sentence;
use jobs::catalogue;
use jobs::operator::sla::Policy;
use jobs::reference::RetailReference;

/// Any day will do: there are no panes.
const DAY: Day = Day(20_000);

/// Everything that is wrong with these queries; empty when each can be read, planned and run over empty panes.
///
/// A metric that reads another one which cannot be used is not tried: the other is the one to mend.
pub async fn problems(
    queries: &[MetricQueries],
    zone: Zone,
    reference: RetailReference,
    policy: Arc<Policy>,
) -> Vec<String> {
    let (mut good, unloaded) = catalogue::load_metrics(queries);
    let mut problems: Vec<String> = unloaded
        .into_iter()
        .map(|problem| format!("metrics/{}: {}", problem.metric, sentence(problem.error)))
        .collect();
    let operators = catalogue::operators(zone, 0, 1, policy.clone());
    let mut bad = BTreeSet::new();
    for metric in &good {
        let (Some(stream), Some(facts)) = (&metric.stream, &metric.facts) else {
            continue;
        };
        let Some(operator) = operators.iter().find(|operator| operator.name() == facts) else {
            let known: Vec<&str> = operators.iter().map(|operator| operator.name()).collect();
            problems.push(format!(
                "{}: header facts: no operator makes facts={facts}; known: {}",
                file(&metric.name, "stream"),
                known.join(", ")
            ));
            bad.insert(metric.name.clone());
            continue;
        };
        debug_assert!(operator.schema().field_with_name(PANE).is_ok());
        if let Err(error) = LinearPlan::new(stream, facts, operator.schema()).await {
            problems.push(format!(
                "{}: {}",
                file(&metric.name, "stream"),
                sentence(error)
            ));
            bad.insert(metric.name.clone());
        }
    }
    good.retain(|metric| {
        metric
            .reads_panes
            .union(&metric.reads_rows)
            .all(|name| !bad.contains(name))
    });
    good.retain(|metric| !bad.contains(&metric.name));
    let good = Arc::new(good);
    match catalogue::shard_state(zone, 0, 1, reference, good.clone(), policy, Vec::new()).await {
        Err(error) => problems.push(sentence(error)),
        Ok(mut state) => {
            let mut evaluator = Evaluator::new(zone);
            for metric in good.iter() {
                for window in metric.windows.iter().flat_map(|kind| kind.reading(DAY, 0)) {
                    let names = [metric.name.clone()];
                    let tried = async {
                        let answers = state.aggregate(window, &names).await?;
                        let parts: Vec<_> = answers.into_iter().map(|(_, rows)| rows).collect();
                        evaluate_public(&mut evaluator, metric, window, &parts).await?;
                        anyhow::Ok(())
                    };
                    if let Err(error) = tried.await {
                        problems.push(format!("metrics/{}: {}", metric.name, sentence(error)));
                        // The same query fails in every window.
                        break;
                    }
                }
            }
        }
    }
    problems
}

/// Where the query stands, as the sources have it.
fn file(metric: &str, text: &str) -> String {
    format!("metrics/{metric}/{text}.sql")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use jobs::metrics::queries;
    use jobs::reference::ReferenceData;

    async fn found(texts: &[MetricQueries]) -> Vec<String> {
        let reference = RetailReference::new(Arc::new(ReferenceData::empty()));
        let policy = catalogue::policy().unwrap();
        problems(texts, Zone(chrono_tz::Asia::Shanghai), reference, policy).await
    }

    #[tokio::test]
    async fn the_built_in_texts_are_fine() {
        let problems = found(&queries()).await;
        assert!(problems.is_empty(), "{problems:#?}");
    }

    #[tokio::test]
    async fn every_broken_text_is_named_at_once() {
        let mut texts = queries();
        let mut set = |name: &str, change: fn(&mut MetricQueries)| {
            change(texts.iter_mut().find(|text| text.name == name).unwrap());
        };
        // a header without windows, a sum that is not linear, a text that reads what is not there
        set("satisfaction", |text| {
            text.stream = Some("-- metric: M18\n-- clock: complaints\nSELECT 1");
        });
        set("demand_orders", |text| {
            text.stream = Some(
                "-- metric: M01\n-- facts: order_lines\n-- windows: D1\n-- clock: orders\n\
                 SELECT sku_id, AVG(qty) AS q FROM facts.order_lines GROUP BY sku_id",
            );
        });
        set("sla_compliance", |text| {
            text.public = Some("SELECT gone FROM parts.sla_compliance");
        });
        let problems = found(&texts).await;
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
