//! Records that leave with an epoch: the feed, and dead letters on their way to the producers' own people.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kafka::{KafkaProducer, ensure_topics, not_delivered};

const TIME_OUT: Duration = Duration::from_secs(30);
/// Records on their way at once.
pub(super) const AT_ONCE: usize = 10_000;
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
    /// The record as far as a broker takes it: one that is refused for its size is lost to its readers. Cut are the value, then
    /// the key, then foreign headers go; the header `vitrine-cut` says so.
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

/// The first record, in their order, that did not arrive, and why. An error that is not retryable is the record's own.
#[derive(Debug)]
pub struct RecordSinkError {
    /// Position among the records given.
    pub position: usize,
    pub error: Error,
}

impl fmt::Display for RecordSinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for RecordSinkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// Somewhere records leave to. Sending the same again is allowed: readers see equal records.
#[async_trait]
pub trait RecordSink: Send + Sync {
    /// Returns once all are acknowledged. After an error those before the failed one are acknowledged; those behind it may
    /// have arrived, and are to be sent again behind it.
    async fn send(&self, records: &[SinkRecord]) -> Result<(), RecordSinkError>;
}

/// Kafka, by an idempotent producer.
pub struct KafkaRecordSink {
    producer: KafkaProducer,
}

impl KafkaRecordSink {
    /// Makes the `topics` that do not exist if `create` says so; otherwise one that does not is an error.
    pub async fn open(
        properties: &BTreeMap<String, String>,
        topics: &[String],
        create: bool,
    ) -> Result<Self> {
        let pairs = || {
            let pairs = properties.iter();
            pairs.map(|(name, value)| (name.as_str(), value.as_str()))
        };
        ensure_topics(pairs(), topics, create).await?;
        let producer = KafkaProducer::open(pairs(), TIME_OUT, &[("linger.ms", "20")])?;
        Ok(Self { producer })
    }

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
        let sent = self.producer.send(message).await;
        sent.map_err(|source| not_delivered(&record.topic, source))
    }
}

#[async_trait]
impl RecordSink for KafkaRecordSink {
    async fn send(&self, records: &[SinkRecord]) -> Result<(), RecordSinkError> {
        for (first, some) in (0..).step_by(AT_ONCE).zip(records.chunks(AT_ONCE)) {
            let answers = join_all(some.iter().map(|record| self.send_one(record))).await;
            let failed = (first..).zip(answers).find_map(|(position, answer)| {
                answer
                    .err()
                    .map(|error| RecordSinkError { position, error })
            });
            if let Some(failed) = failed {
                return Err(failed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[tokio::test]
    async fn the_first_record_that_does_not_arrive_is_named() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("orders.v1.dlq", 1, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let properties = BTreeMap::from([
            ("bootstrap.servers".to_owned(), brokers),
            ("message.max.bytes".to_owned(), "2000".to_owned()),
        ]);
        let producer = KafkaProducer::open(
            properties.iter().map(|(name, value)| (&**name, &**value)),
            TIME_OUT,
            &[],
        );
        let sink = KafkaRecordSink {
            producer: producer.unwrap(),
        };
        let (small, large) = (record(10, 1, 1), record(5_000, 1, 1));
        sink.send(&[small.clone(), small.clone()]).await.unwrap();
        let records = [small.clone(), large.clone(), small, large];
        let failed = sink.send(&records).await.unwrap_err();
        assert_eq!(failed.position, 1);
        assert!(!failed.error.is_retryable());
        let said = failed.to_string();
        assert!(
            said.contains("topic=orders.v1.dlq") && said.contains("larger"),
            "{said}"
        );
    }

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
