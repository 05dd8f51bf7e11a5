//! Records that leave with an epoch: the feed, and dead letters on their way to the producers' own people.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

const TIME_OUT: Duration = Duration::from_secs(30);
/// Records on their way at once; the rest waits in the intent.
const AT_ONCE: usize = 10_000;
/// What brokers and producers take at their defaults (1 MiB and 1,000,000 bytes, with what surrounds a record).
const RECORD_BYTES: usize = 900_000;

/// A record to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRecord {
    pub topic: String,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl SinkRecord {
    /// The record as far as a broker takes it: an epoch cannot be taken back, so that a record refused for its size would
    /// stop all epochs after it. Cut are the value, then the key, then foreign headers go; the header `vitrine-cut` says so.
    pub fn fitting(mut self) -> Self {
        if self.excess() == 0 {
            return self;
        }
        let excess = self.excess();
        shorten(&mut self.value, excess);
        let excess = self.excess();
        shorten(&mut self.key, excess);
        if self.excess() > 0 {
            self.headers
                .retain(|(name, _)| name.starts_with("vitrine-"));
        }
        let cut = ("vitrine-cut".to_owned(), Some(Bytes::from_static(b"true")));
        self.headers.push(cut);
        self
    }

    /// Bytes beyond what fits.
    fn excess(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let header = |(name, value): &(String, Option<Bytes>)| name.len() + length(value);
        let headers: usize = self.headers.iter().map(header).sum();
        (length(&self.value) + length(&self.key) + headers).saturating_sub(RECORD_BYTES)
    }
}

fn shorten(bytes: &mut Option<Bytes>, by: usize) {
    if let Some(bytes) = bytes {
        bytes.truncate(bytes.len().saturating_sub(by));
    }
}

fn missing_topic(topic: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("topic={topic} does not exist: create it, or set [topics] create_topics = true"),
    )
}

fn not_made(topic: &str, reason: RDKafkaErrorCode) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("topic={topic} cannot be made: create it, or allow our user to"),
    )
    .caused_by(reason)
}

/// For `map_err`: the brokers do not answer, or the client cannot be set up.
fn no_admin(kind: ErrorKind) -> impl FnOnce(KafkaError) -> Error {
    Error::from_source(kind, "topics cannot be made")
}

/// Somewhere records leave to. Sending the same again is allowed: readers see equal records.
#[async_trait]
pub trait RecordSink: Send + Sync {
    /// Returns once all are acknowledged.
    async fn send(&self, records: &[SinkRecord]) -> Result<()>;
}

/// Kafka, by an idempotent producer.
pub struct KafkaRecordSink {
    producer: FutureProducer,
}

impl KafkaRecordSink {
    /// Makes the `topics` that do not exist if `create` says so; otherwise one that does not is an error.
    pub async fn open(
        properties: &BTreeMap<String, String>,
        topics: &[String],
        create: bool,
    ) -> Result<Self> {
        let mut config = ClientConfig::new();
        for (key, value) in properties {
            config.set(key, value);
        }
        require(&config, topics, create).await?;
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .set("message.timeout.ms", TIME_OUT.as_millis().to_string());
        let producer = config.create().map_err(Error::from_source(
            ErrorKind::Configuration,
            "the producer cannot be set up: check [source] brokers and properties",
        ))?;
        Ok(Self { producer })
    }
}

/// Asks the brokers to make the topics, or whether they would have to.
async fn require(config: &ClientConfig, topics: &[String], create: bool) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = config
        .create()
        .map_err(no_admin(ErrorKind::Configuration))?;
    let wanted: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| NewTopic::new(topic, 1, TopicReplication::Fixed(-1)))
        .collect();
    let options = AdminOptions::new()
        .operation_timeout(Some(TIME_OUT))
        .validate_only(!create);
    let answers = admin
        .create_topics(&wanted, &options)
        .await
        .map_err(no_admin(ErrorKind::Unavailable))?;
    for answer in answers {
        match answer {
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Ok(_) if create => {}
            Ok(topic) => return Err(missing_topic(&topic)),
            Err((topic, reason)) if create => return Err(not_made(&topic, reason)),
            // Who may not create topics is not told whether they exist.
            Err(_) => {}
        }
    }
    Ok(())
}

#[async_trait]
impl RecordSink for KafkaRecordSink {
    async fn send(&self, records: &[SinkRecord]) -> Result<()> {
        for some in records.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|record| self.send_one(record))).await?;
        }
        Ok(())
    }
}

impl KafkaRecordSink {
    async fn send_one(&self, record: &SinkRecord) -> Result<()> {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: value.as_deref(),
                })
            });
        let mut message: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(&record.topic).headers(headers);
        if let Some(key) = &record.key {
            message = message.key(key.as_ref());
        }
        if let Some(value) = &record.value {
            message = message.payload(value.as_ref());
        }
        self.producer
            .send(message, Timeout::After(TIME_OUT))
            .await
            .map(drop)
            .map_err(|(source, _)| {
                let topic = &record.topic;
                let message = format!("a record for topic={topic} was not acknowledged");
                Error::new(ErrorKind::Unavailable, message).caused_by(source)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: usize, key: usize, header: usize) -> SinkRecord {
        SinkRecord {
            topic: "orders.v1.dlq".to_owned(),
            key: Some(vec![b'k'; key].into()),
            value: Some(vec![b'v'; value].into()),
            headers: vec![
                ("trace".to_owned(), Some(vec![b'h'; header].into())),
                ("vitrine-reason".to_owned(), Some("too_large".into())),
            ],
        }
    }

    #[test]
    fn a_record_is_cut_to_what_a_broker_takes() {
        let small = record(1000, 10, 10);
        assert_eq!(small.clone().fitting(), small);
        for (value, key, header) in [(1 << 20, 10, 10), (10, 1 << 20, 10), (10, 10, 1 << 20)] {
            let cut = record(value, key, header).fitting();
            assert!(cut.excess() < 20, "value={value} key={key} header={header}");
            let names: Vec<&str> = cut.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert!(
                names.ends_with(&["vitrine-reason", "vitrine-cut"]),
                "{names:?}"
            );
        }
        // what there is room for is kept
        let cut = record(1 << 20, 10, 10).fitting();
        assert!(
            cut.value
                .is_some_and(|value| value.len() > RECORD_BYTES - 100)
        );
        assert_eq!(cut.key.map(|key| key.len()), Some(10));
    }
}
