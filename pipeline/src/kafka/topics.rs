//! Topics that are written to: made, or found to be there.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResourceResult, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use super::error;
use crate::error::{Error, ErrorKind, Result};

const TIME_OUT: Duration = Duration::from_secs(30);

/// Asks the brokers to make the topics, or, unless `create`, whether they would have to: then one that is missing is an error.
pub(crate) async fn ensure_topics<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
    topics: &[String],
    create: bool,
) -> Result<()> {
    let admin = admin(properties)?;
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, 1, TopicReplication::Fixed(-1)))
        .collect();
    let options = AdminOptions::new()
        .operation_timeout(Some(TIME_OUT))
        .validate_only(!create);
    let answers = admin.create_topics(&wanted, &options).await;
    let answers = answers.map_err(|source| error::client_failed("making topics", source))?;
    for answer in answers {
        match answer {
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Ok(_) if create => {}
            Ok(topic) => {
                let advice = "create it, or set [topics] create_topics = true";
                let message = format!("topic={topic} does not exist: {advice}");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            Err((topic, reason)) if create => return Err(not_created(&topic, reason)),
            // Who may not create topics gets no answer whether they exist.
            Err(_) => {}
        }
    }
    Ok(())
}

/// `max.message.bytes` of each topic, as the brokers have it now. A topic is left out where they do not say: it is missing, or our
/// user may not see its settings.
pub(crate) async fn message_limits<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
    topics: &[String],
) -> Result<BTreeMap<String, usize>> {
    let admin = admin(properties)?;
    let wanted: Vec<ResourceSpecifier<'_>> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(TIME_OUT));
    let Ok(answers) = admin.describe_configs(&wanted, &options).await else {
        return Ok(BTreeMap::new());
    };
    // Answers come in the order of the questions.
    let limit = |(topic, answer): (&String, &ConfigResourceResult)| {
        let entry = answer.as_ref().ok()?.get("max.message.bytes")?;
        Some((topic.clone(), entry.value.as_ref()?.parse().ok()?))
    };
    Ok(topics.iter().zip(&answers).filter_map(limit).collect())
}

fn admin<'a>(
    properties: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<AdminClient<DefaultClientContext>> {
    let mut config = ClientConfig::new();
    for (name, value) in properties {
        config.set(name, value);
    }
    config.create().map_err(error::creation)
}

fn not_created(topic: &str, reason: RDKafkaErrorCode) -> Error {
    let kind = if error::is_temporary(reason) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Configuration
    };
    let advice = "create it, or allow our user to";
    Error::new(kind, format!("topic={topic} cannot be made: {advice}")).caused_by(reason)
}
