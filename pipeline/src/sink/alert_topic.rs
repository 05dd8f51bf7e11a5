//! The topic `alerts.v1`: every transition for machines, keyed by dedupe key so that one alert's transitions stay in order.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureRecord;
use schemas::time::TimestampMs;

use super::alert_sink::AlertSink;
use super::schedule::SendResult;
use crate::alert::Transition;
use crate::error::Result;
use crate::kafka::{KafkaProducer, is_refusal, is_too_large};

/// Until all replicas have it.
const TIME_OUT: Duration = Duration::from_secs(10);

/// A Kafka topic as a destination. It takes transitions of any age: a topic is a record, it wakes nobody.
pub struct KafkaAlertSink {
    producer: KafkaProducer,
    topic: String,
    source: String,
}

impl fmt::Debug for KafkaAlertSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KafkaAlertSink")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl KafkaAlertSink {
    /// A producer of its own with `properties` (`bootstrap.servers`, security); what the promise of delivery needs is set over
    /// them. `source` is the last part of the CloudEvents source.
    pub fn open<'a>(
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
        topic: &str,
        source: &str,
    ) -> Result<Self> {
        // A batch is refused whole for one of its records: here each stands for itself.
        let alone = [("batch.num.messages", "1")];
        let producer = KafkaProducer::open(properties, TIME_OUT, &alone)
            .map_err(|error| error.context(format!("no producer for topic={topic}")))?;
        Ok(Self {
            producer,
            topic: topic.to_owned(),
            source: source.to_owned(),
        })
    }
}

impl KafkaAlertSink {
    async fn send_body(&self, key: &str, body: &[u8]) -> Result<(), KafkaError> {
        let record = FutureRecord::to(&self.topic).key(key.as_bytes());
        self.producer.send(record.payload(body)).await
    }
}

#[async_trait]
impl AlertSink for KafkaAlertSink {
    async fn send(&self, transition: &Transition, _wall_time: TimestampMs) -> SendResult {
        let unwritable = || SendResult::Undeliverable {
            error: "the body cannot be written".to_owned(),
        };
        let Ok(body) = transition.cloud_event(&self.source) else {
            return unwritable();
        };
        let key = &transition.change.dedupe_key;
        let mut sent = self.send_body(key, &body).await;
        if sent.as_ref().is_err_and(is_too_large) {
            let Ok(shortest) = transition.shortest_cloud_event(&self.source) else {
                return unwritable();
            };
            if shortest.len() < body.len() {
                sent = self.send_body(key, &shortest).await;
            }
        }
        match sent {
            Ok(()) => SendResult::Accepted { status: None },
            Err(error) if is_refusal(&error) => SendResult::Undeliverable {
                error: format!(
                    "topic={} does not take it: raise max.message.bytes there ({error})",
                    self.topic
                ),
            },
            // A topic that is missing today may be there tomorrow: everything else is worth another try.
            Err(error) => SendResult::Unavailable {
                status: None,
                error: error.to_string(),
                retry_after: None,
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;
    use rdkafka::{Message, Offset, TopicPartitionList};

    use super::*;
    use crate::alert::transition_fixture::transition;
    use crate::time::fixture::at;

    #[tokio::test]
    async fn a_transition_arrives_under_its_dedupe_key() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("alerts.v1", 1, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let topic = KafkaAlertSink::open(
            [("bootstrap.servers", brokers.as_str())],
            "alerts.v1",
            "test",
        )
        .unwrap();
        let answer = topic.send(&transition(7), at(0)).await;
        assert_eq!(answer, SendResult::Accepted { status: None });

        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset("alerts.v1", 0, Offset::Beginning)
            .unwrap();
        consumer.assign(&place).unwrap();
        // A poll may end early for the client's own events.
        let record = (0..100)
            .find_map(|_| consumer.poll(Duration::from_millis(200)))
            .unwrap()
            .unwrap();
        assert_eq!(record.key(), Some(&b"A15|C1|case-1"[..]));
        assert_eq!(
            record.payload().unwrap(),
            transition(7).cloud_event("test").unwrap()
        );
    }

    #[tokio::test]
    async fn an_alert_that_is_too_large_leaves_without_its_events_or_is_given_up() {
        use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("alerts.v1", 1, 1).unwrap();
        let brokers = cluster.bootstrap_servers();
        let properties = [("bootstrap.servers", brokers.as_str())];
        let topic = KafkaAlertSink::open(properties, "alerts.v1", "test").unwrap();
        let refuse = |times: usize| {
            let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
            cluster.request_errors(RDKafkaApiKey::Produce, &vec![refusal; times]);
        };
        // The body without its events has to be the shorter one.
        let long = |number| {
            let mut long = transition(number);
            long.change.evidence = (0..50).map(|n| format!("event-{n}").into()).collect();
            long
        };
        refuse(1);
        let answer = topic.send(&long(7), at(0)).await;
        assert_eq!(answer, SendResult::Accepted { status: None });
        refuse(2);
        let answer = topic.send(&long(8), at(0)).await;
        let SendResult::Undeliverable { error } = answer else {
            panic!("{answer:?}");
        };
        assert!(error.contains("topic=alerts.v1"), "{error}");
        let answer = topic.send(&transition(9), at(0)).await;
        assert_eq!(answer, SendResult::Accepted { status: None });
    }

    #[test]
    fn a_wrong_property_is_an_error_of_the_configuration() {
        let error =
            KafkaAlertSink::open([("no.such.property", "1")], "alerts.v1", "test").unwrap_err();
        assert!(error.to_string().contains("topic=alerts.v1"), "{error}");
    }
}
