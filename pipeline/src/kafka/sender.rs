//! Writes records to the partitions they are meant for, and knows when all of them have arrived.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::error;
use super::producer::producer_config;
use super::settings::KafkaSettings;
use crate::error::{Error, Result};
use crate::kafka::TopicPartition;
use crate::observe::ProducerLogged;

/// How long one look at the deliveries waits while the queue is full.
const SLICE: Duration = Duration::from_millis(100);

/// What we choose, and a configuration may choose otherwise.
const DEFAULTS: [(&str, &str); 5] = [
    ("client.id", "vitrine"),
    ("compression.type", "zstd"),
    // batches fill up by themselves where there is much to send
    ("linger.ms", "20"),
    // ten times the client's default: the broker decides what is too large, not the client
    ("message.max.bytes", "10000000"),
    ("message.timeout.ms", "120000"),
];

/// Counts what has arrived and keeps the first refusal.
#[derive(Clone, Default)]
struct Deliveries(Arc<DeliveryState>);

#[derive(Default)]
struct DeliveryState {
    delivered: AtomicU64,
    refused: Mutex<Option<(TopicPartition, KafkaError)>>,
}

impl ClientContext for Deliveries {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        ProducerLogged { facility, message }.report();
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, message)) => {
                let input = TopicPartition::new(message.topic(), message.partition());
                let mut refused = self
                    .0
                    .refused
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                refused.get_or_insert_with(|| (input, error.clone()));
            }
        }
    }
}

/// An idempotent producer: records of a partition arrive in the order sent, each once.
pub struct RecordSender {
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
}

impl RecordSender {
    /// Sets up the producer; nothing is sent yet and no broker is asked.
    pub fn open(settings: &KafkaSettings) -> Result<Self> {
        let properties = settings.properties.iter();
        let config = producer_config(
            &DEFAULTS,
            properties.map(|(name, value)| (name.as_str(), value.as_str())),
            &[("bootstrap.servers", &settings.brokers)],
        );
        let deliveries = Deliveries::default();
        let producer = config
            .create_with_context(deliveries.clone())
            .map_err(error::creation)?;
        Ok(Self {
            producer,
            deliveries,
        })
    }

    /// Hands one record over, waiting while the queue is full; without a payload it is a tombstone.
    ///
    /// Fails as soon as any record handed over before was refused.
    pub fn send(
        &self,
        to: &TopicPartition,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
    ) -> Result<()> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&to.topic).partition(to.partition);
        record.key = key;
        record.payload = payload;
        loop {
            self.producer.poll(Duration::ZERO);
            self.first_refusal()?;
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(SLICE);
                }
                Err((source, _)) => return Err(refusal(to, source)),
            }
        }
    }

    /// Records that brokers have confirmed.
    pub fn delivered(&self) -> u64 {
        self.deliveries.0.delivered.load(Ordering::Relaxed)
    }

    /// Waits until every record has been confirmed or refused; meanwhile `report_delivered` receives the number confirmed so far.
    pub fn finish(self, mut report_delivered: impl FnMut(u64)) -> Result<u64> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(SLICE);
            self.first_refusal()?;
            report_delivered(self.delivered());
        }
        self.first_refusal()?;
        Ok(self.delivered())
    }

    fn first_refusal(&self) -> Result<()> {
        let refused = &self.deliveries.0.refused;
        match refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            None => Ok(()),
            Some((input, source)) => Err(refusal(&input, source)),
        }
    }
}

/// Why a record did not arrive, and whose move it is.
fn refusal(input: &TopicPartition, source: KafkaError) -> Error {
    use RDKafkaErrorCode as Code;
    let topic = &input.topic;
    match source.rdkafka_error_code() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => error::missing_topic(topic),
        Some(Code::MessageSizeTooLarge) => error::setting(
            "max.message.bytes",
            format_args!(
                "a record is larger than topic={topic} takes; raise it there (and message.max.bytes in [source] properties), \
                 or take the line out of the event file"
            ),
        ),
        _ => error::client_failed(
            format_args!("sending to {input}; what was sent before has arrived"),
            source,
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;
    use rdkafka::{Offset, TopicPartitionList};

    use super::*;

    fn sender(brokers: &str) -> RecordSender {
        RecordSender::open(&KafkaSettings::new(brokers, "test")).unwrap()
    }

    #[test]
    fn records_arrive_in_order_in_their_partition() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("orders.v1", 3, 1).unwrap();
        let sender = sender(&cluster.bootstrap_servers());
        let to = TopicPartition::new("orders.v1", 2);
        sender.send(&to, Some(b"C1"), Some(b"{}")).unwrap();
        sender.send(&to, None, None).unwrap();
        sender.send(&to, Some(b""), Some(b"")).unwrap();
        assert_eq!(sender.finish(|_| ()).unwrap(), 3);

        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", cluster.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place
            .add_partition_offset("orders.v1", 2, Offset::Beginning)
            .unwrap();
        consumer.assign(&place).unwrap();
        let mut got = Vec::new();
        // a poll may end early for the client's own events
        for _ in 0..200 {
            if let Some(record) = consumer.poll(SLICE) {
                let record = record.unwrap();
                let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                got.push((
                    record.offset(),
                    bytes(record.key()),
                    bytes(record.payload()),
                ));
            }
            if got.len() == 3 {
                break;
            }
        }
        // a tombstone stays one, an empty payload too
        assert_eq!(
            got,
            [
                (0, Some(b"C1".to_vec()), Some(b"{}".to_vec())),
                (1, None, None),
                (2, Some(Vec::new()), Some(Vec::new())),
            ]
        );
    }

    #[test]
    fn what_a_refusal_asks_for() {
        let input = TopicPartition::new("orders.v1", 0);
        let said = |code| refusal(&input, KafkaError::MessageProduction(code)).to_string();
        assert!(said(RDKafkaErrorCode::UnknownTopicOrPartition).contains("never created"));
        assert!(said(RDKafkaErrorCode::MessageSizeTooLarge).contains("raise it"));
        assert!(said(RDKafkaErrorCode::MessageTimedOut).contains("orders.v1/0"));
    }
}
