//! What leaves beside the tables: alerts, the demand feed, dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jobs::feeds::{self, FeedSettings};
use jobs::reference::{ReferenceArchive, ReferenceData};
use pipeline::kafka::KafkaSettings;
use pipeline::publisher::{RuleCard, Sinks, dead_letter_topic};
use pipeline::sink::{
    AlertDestinations, KafkaAlertSink, KafkaRecordSink, RecordSink, Route, Schedule, Webhook,
    topic_destination,
};
use schemas::time::DurationMs;

use crate::config::Config;
use crate::exit::one_line;

/// The last part of `source` in alerts.
const SOURCE: &str = "main";

/// The sinks of a configuration; those for Kafka only if the events come from Kafka.
pub(super) async fn sinks(
    config: &Config,
    kafka: Option<&KafkaSettings>,
    reference: &ReferenceData,
    archive: Arc<ReferenceArchive>,
) -> anyhow::Result<Sinks> {
    let topics = &config.topics;
    let topic = kafka.map(|_| topics.demand.clone());
    let calendar = reference.calendar_rows();
    let days = config.feeds.max_gap.as_secs() / 86_400;
    let settings = FeedSettings {
        is_on: config.feeds.demand,
        max_gap_days: i32::try_from(days).unwrap_or(i32::MAX),
    };
    let feed = feeds::demand_daily(config.time.zone, calendar, archive, topic, settings);
    let records: Option<Arc<dyn RecordSink>> = match kafka {
        None => None,
        Some(kafka) => {
            let mut properties = kafka.properties.clone();
            properties.insert("bootstrap.servers".to_owned(), kafka.brokers.clone());
            let names = output_topics(config);
            let record_sink = KafkaRecordSink::open(
                &properties,
                &config.source.group,
                &names,
                topics.create_topics,
            )
            .await?;
            Some(Arc::new(record_sink))
        }
    };
    Ok(Sinks {
        alerts: destinations(config, kafka)?,
        feed: Some(feed),
        records,
    })
}

/// The topics that are written: they have to exist, or are created.
fn output_topics(config: &Config) -> Vec<String> {
    let topics = &config.topics;
    let dead_letters = topics.inputs().map(dead_letter_topic);
    let demand = config.feeds.demand.then(|| topics.demand.clone());
    [topics.alerts.clone()]
        .into_iter()
        .chain(demand)
        .chain(dead_letters)
        .collect()
}

/// What is wrong with the webhooks of the configuration, given the rules that there are.
pub(crate) fn webhook_problems(config: &Config, rules: &[RuleCard]) -> Vec<String> {
    let alerts = &config.alerts;
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for settings in &alerts.webhooks {
        let place = format!("[alerts] webhooks name={}", settings.name);
        if !names.insert(&settings.name) {
            problems.push(format!(
                "{place}: another webhook has this name; give each its own"
            ));
        }
        if let Err(error) = Webhook::open(settings, alerts.allow_private_addresses, SOURCE) {
            problems.push(format!("{place}: {}", one_line(error)));
        }
        let known = |rule: &&String| rules.iter().any(|card| *card.rule_id == ***rule);
        for rule in settings.rules.iter().filter(|rule| !known(rule)) {
            let known: Vec<&str> = rules.iter().map(|card| &*card.rule_id).collect();
            let known = known.join(", ");
            problems.push(format!(
                "{place}: there is no rule={rule}; write some of {known}"
            ));
        }
    }
    problems
}

/// The webhooks of the configuration, and the alert topic if the events come from Kafka.
fn destinations(
    config: &Config,
    kafka: Option<&KafkaSettings>,
) -> anyhow::Result<AlertDestinations> {
    let mut destinations = AlertDestinations::default();
    let schedule = Schedule {
        max_age: Some(DurationMs::from_std(config.alerts.max_age)),
        ..Schedule::default()
    };
    for settings in &config.alerts.webhooks {
        let webhook = Webhook::open(settings, config.alerts.allow_private_addresses, SOURCE)?;
        destinations.routes.0.push(settings.route());
        let name = settings.name.as_str().into();
        destinations
            .sinks
            .push((name, schedule.clone(), Arc::new(webhook)));
    }
    if let Some(kafka) = kafka {
        let mut properties: BTreeMap<&str, &str> = kafka
            .properties
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        properties.insert("bootstrap.servers", &kafka.brokers);
        let topic = &config.topics.alerts;
        let sink = KafkaAlertSink::open(properties, topic, SOURCE)?;
        let name = topic_destination(topic);
        destinations.routes.0.push(Route {
            destination: name.clone(),
            rules: Default::default(),
        });
        // The topic gets every alert, however old.
        let without_age_limit = Schedule {
            max_age: None,
            ..Schedule::default()
        };
        destinations
            .sinks
            .push((name, without_age_limit, Arc::new(sink)));
    }
    Ok(destinations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demand_topic_has_to_exist_only_for_its_feed() {
        let mut config = Config::default();
        let with_feed = output_topics(&config);
        assert!(with_feed.contains(&config.topics.demand));
        config.feeds.demand = false;
        assert_eq!(
            output_topics(&config),
            [
                "alerts.v1",
                "orders.v1.dlq",
                "visits.v1.dlq",
                "complaints.v1.dlq",
                "prices.v1.dlq"
            ]
        );
        assert_eq!(with_feed.len(), 6);
    }
}
