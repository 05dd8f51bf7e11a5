//! Topics made and records written, synchronously.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::executor::block_on;
use pipeline::kafka::{Header, write_headers};
use pipeline::time::wall;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use schemas::time::TimestampMs;

use crate::PATIENCE;

/// One record to write.
#[derive(Clone, Debug)]
pub struct Message {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    /// `None` = the moment of sending.
    pub timestamp: Option<TimestampMs>,
    pub headers: Vec<Header>,
}

impl Message {
    pub fn new(partition: i32, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            payload: Some(payload.into()),
            ..Self::tombstone(partition)
        }
    }

    /// A record with a null value.
    pub fn tombstone(partition: i32) -> Self {
        Self {
            partition,
            key: None,
            payload: None,
            timestamp: None,
            headers: Vec::new(),
        }
    }

    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    pub fn at(mut self, timestamp: TimestampMs) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// A name need not be text.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: Option<&[u8]>) -> Self {
        let name = name.as_ref().to_vec();
        let value = value.map(<[u8]>::to_vec);
        self.headers.push((name.into(), value.map(Into::into)));
        self
    }
}

/// Collects what was not acknowledged; silent about brokers that tests take away on purpose.
#[derive(Default)]
struct Deliveries {
    failed: Mutex<Option<KafkaError>>,
}

impl ClientContext for Deliveries {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let (Err((error, _)), Ok(mut failed)) = (result, self.failed.lock()) {
            failed.get_or_insert_with(|| error.clone());
        }
    }
}

type TestProducer = BaseProducer<Deliveries>;

/// Clients of one broker, kept over its restarts.
pub(super) struct Clients {
    address: String,
    admin: AdminClient<DefaultClientContext>,
    /// One caller at a time, so that each receives its own failures.
    producer: Mutex<TestProducer>,
}

impl Clients {
    pub(super) fn new(address: &str) -> Result<Self> {
        let mut admin = ClientConfig::new();
        // a broker that is just starting is asked again at once; nothing is logged about it
        admin
            .set("bootstrap.servers", address)
            .set("reconnect.backoff.max.ms", "200")
            .set("log_level", "0");
        Ok(Self {
            admin: admin.create()?,
            producer: Mutex::new(producer(address, &[])?),
            address: address.to_owned(),
        })
    }

    /// Whether the broker answers and has taken up its work.
    pub(super) fn check(&self) -> Result<()> {
        let metadata = self
            .admin
            .inner()
            .fetch_metadata(None, Duration::from_millis(500))?;
        ensure!(
            !metadata.brokers().is_empty(),
            "no broker is registered yet"
        );
        Ok(())
    }

    pub(super) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        config: &[(&str, &str)],
    ) -> Result<()> {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        // a broker just started needs a moment
        until(&format!("topic {name} is made"), || {
            let made = block_on(self.admin.create_topics([&topic], &AdminOptions::new()))?;
            for result in made {
                result.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
            }
            Ok(())
        })?;
        self.until_leaders(name, usize::try_from(partitions)?)
    }

    pub(super) fn delete_topic(&self, name: &str) -> Result<()> {
        let deleted = block_on(self.admin.delete_topics(&[name], &AdminOptions::new()))?;
        for result in deleted {
            result.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
        }
        until(&format!("topic {name} is gone"), || {
            let found = self.leaders(name)?;
            ensure!(found.is_none(), "{found:?}");
            Ok(())
        })
    }

    pub(super) fn add_partitions(&self, name: &str, partitions: usize) -> Result<()> {
        let wanted = NewPartitions::new(name, partitions);
        let made = block_on(
            self.admin
                .create_partitions(&[wanted], &AdminOptions::new()),
        )?;
        for result in made {
            result.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
        }
        self.until_leaders(name, partitions)?;
        // the one there is has not heard of them for minutes
        let Ok(mut held) = self.producer.lock() else {
            bail!("a test failed while producing");
        };
        *held = producer(&self.address, &[])?;
        Ok(())
    }

    fn until_leaders(&self, name: &str, leaders: usize) -> Result<()> {
        until(&format!("topic {name} has leaders"), || {
            let found = self.leaders(name)?;
            ensure!(found == Some(leaders), "{found:?} of {leaders}");
            Ok(())
        })
    }

    pub(super) fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let deleted = block_on(self.admin.delete_records(&list, &AdminOptions::new()))?;
        for element in deleted.elements() {
            element.error()?;
        }
        Ok(())
    }

    /// Number of partitions with a leader; `None` for a topic that does not exist.
    fn leaders(&self, topic: &str) -> Result<Option<usize>> {
        let metadata = self
            .admin
            .inner()
            .fetch_metadata(None, Duration::from_secs(5))?;
        Ok(metadata
            .topics()
            .iter()
            .find(|found| found.name() == topic)
            .map(|found| {
                found
                    .partitions()
                    .iter()
                    .filter(|p| p.leader() >= 0)
                    .count()
            }))
    }

    pub(super) fn produce(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<()> {
        let Ok(producer) = self.producer.lock() else {
            bail!("a test failed while producing");
        };
        for message in messages {
            send(&producer, topic, &message)?;
        }
        flush(&producer)
    }

    pub(super) fn produce_batch(
        &self,
        topic: &str,
        codec: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<()> {
        let config = [
            ("compression.type", codec),
            ("message.max.bytes", "1000000000"),
            ("batch.size", "1000000000"),
            ("queue.buffering.max.kbytes", "2000000"),
            // longer than it takes to queue them all; the flush ends the waiting
            ("linger.ms", "60000"),
        ];
        let producer = producer(&self.address, &config)?;
        for message in messages {
            send(&producer, topic, &message)?;
        }
        flush(&producer)
    }

    pub(super) fn transaction(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = Message>,
        commit: bool,
    ) -> Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let id = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let open = self.open_transaction(&id, topic, messages)?;
        if commit {
            open.commit()?;
        } else {
            open.producer.abort_transaction(PATIENCE)?;
        }
        Ok(())
    }

    pub(super) fn open_transaction(
        &self,
        id: &str,
        topic: &str,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<OpenTransaction> {
        let producer = producer(&self.address, &[("transactional.id", id)])?;
        producer.init_transactions(PATIENCE)?;
        producer.begin_transaction()?;
        for message in messages {
            send(&producer, topic, &message)?;
        }
        flush(&producer)?;
        Ok(OpenTransaction { producer })
    }
}

/// A transaction whose records stand in their topic and are neither committed nor aborted.
pub struct OpenTransaction {
    producer: TestProducer,
}

impl OpenTransaction {
    pub fn commit(self) -> Result<()> {
        Ok(self.producer.commit_transaction(PATIENCE)?)
    }
}

fn producer(address: &str, more: &[(&str, &str)]) -> Result<TestProducer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", address)
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.max.bytes", "100000000");
    for (name, value) in more {
        config.set(*name, *value);
    }
    Ok(config.create_with_context(Deliveries::default())?)
}

fn send(producer: &TestProducer, topic: &str, message: &Message) -> Result<()> {
    let headers = write_headers(&message.headers);
    loop {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .partition(message.partition)
            .headers(headers.clone());
        if let Some(key) = &message.key {
            record = record.key(key);
        }
        if let Some(payload) = &message.payload {
            record = record.payload(payload);
        }
        if let Some(timestamp) = message.timestamp {
            record = record.timestamp(timestamp.as_ms());
        }
        match producer.send(record) {
            Ok(()) => {
                producer.poll(Duration::ZERO);
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(20));
            }
            Err((error, _)) => return Err(error).context("sending"),
        }
    }
}

fn flush(producer: &TestProducer) -> Result<()> {
    producer.flush(PATIENCE)?;
    let failed = producer
        .context()
        .failed
        .lock()
        .ok()
        .and_then(|mut failed| failed.take());
    match failed {
        Some(error) => Err(error).context("a record was not acknowledged"),
        None => Ok(()),
    }
}

/// Tries until it works; fails with the last error when patience is at its end.
fn until(what: &str, mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let began = wall::monotonic();
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) if wall::monotonic().duration_since(began) > PATIENCE => {
                return Err(error).context(format!("waited in vain until {what}"));
            }
            Err(_) => thread::sleep(Duration::from_millis(30)),
        }
    }
}
