//! Records that leave with an epoch: the feed, and dead letters on their way to the producers' own people.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use serde::{Deserialize, Serialize};

const TIME_OUT: Duration = Duration::from_secs(30);
/// Records on their way at once; the rest waits in the intent.
const AT_ONCE: usize = 10_000;

/// A record to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutRecord {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Why records did not leave.
#[derive(Debug, thiserror::Error)]
pub enum OutletError {
    #[error("the producer cannot be set up: check [source] brokers and properties")]
    Producer(#[source] KafkaError),
    #[error("topic={topic} cannot be made: create it, or allow our user to")]
    Create {
        topic: String,
        reason: RDKafkaErrorCode,
    },
    #[error("topics cannot be made")]
    Admin(#[source] KafkaError),
    #[error("a record for topic={topic} was not acknowledged")]
    Send {
        topic: String,
        #[source]
        source: KafkaError,
    },
}

/// Somewhere records leave to. Sending the same again is allowed: readers see equal records.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// Returns once all are acknowledged.
    async fn send(&self, records: &[OutRecord]) -> Result<(), OutletError>;
}

/// Kafka, by an idempotent producer.
pub struct KafkaOutlet {
    producer: FutureProducer,
}

impl KafkaOutlet {
    /// Connects lazily; makes the `topics` that do not exist if `create` says so.
    pub async fn open(
        properties: &BTreeMap<String, String>,
        topics: &[String],
        create: bool,
    ) -> Result<Self, OutletError> {
        let mut config = ClientConfig::new();
        for (key, value) in properties {
            config.set(key, value);
        }
        if create {
            create_missing(&config, topics).await?;
        }
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .set("message.timeout.ms", TIME_OUT.as_millis().to_string());
        let producer = config.create().map_err(OutletError::Producer)?;
        Ok(Self { producer })
    }
}

async fn create_missing(config: &ClientConfig, topics: &[String]) -> Result<(), OutletError> {
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(OutletError::Admin)?;
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, 1, TopicReplication::Fixed(-1)))
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(TIME_OUT));
    let answers = admin
        .create_topics(&wanted, &options)
        .await
        .map_err(OutletError::Admin)?;
    for answer in answers {
        match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, reason)) => return Err(OutletError::Create { topic, reason }),
        }
    }
    Ok(())
}

#[async_trait]
impl Outlet for KafkaOutlet {
    async fn send(&self, records: &[OutRecord]) -> Result<(), OutletError> {
        for some in records.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|record| self.send_one(record))).await?;
        }
        Ok(())
    }
}

impl KafkaOutlet {
    async fn send_one(&self, record: &OutRecord) -> Result<(), OutletError> {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: value.as_ref(),
                })
            });
        let mut message: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(&record.topic).headers(headers);
        if let Some(key) = &record.key {
            message = message.key(key);
        }
        if let Some(value) = &record.value {
            message = message.payload(value);
        }
        self.producer
            .send(message, Timeout::After(TIME_OUT))
            .await
            .map(drop)
            .map_err(|(source, _)| OutletError::Send {
                topic: record.topic.clone(),
                source,
            })
    }
}
