//! Topics that are written to: made, or found to be there.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
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
