//! One connection to the cluster: what exists, and from where to where it can be read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Offset, TopicPartitionList};

use super::describe::{TopicDescriber, TopicDescription, count_partitions};
use super::error;
use super::settings::KafkaSettings;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicPartition;
use crate::observe::ConsumerLogged;
use crate::time::wall;

/// How long one request waits before we look whether the client has learnt why nobody answers.
const SLICE: Duration = Duration::from_millis(500);

pub(crate) type KafkaConsumer = BaseConsumer<Events>;

/// Listens to what the client says about itself.
#[derive(Default)]
pub(crate) struct Events {
    last: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Events {
    /// The newest trouble: its code and librdkafka's description.
    pub(crate) fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        ConsumerLogged {
            level,
            facility,
            message,
        }
        .report();
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        // ends of partitions come this way too, and "all brokers down" would hide the reason why they are
        if !matches!(
            code,
            RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown
        ) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Events {}

/// Serves some of the client's own events: logs, errors, and what [`Events`] keeps.
///
/// Some and not all: a poll that served a log line answers as if the queue were empty, so its end cannot be seen.
pub(crate) fn serve_events(
    consumer: &KafkaConsumer,
) -> impl Iterator<Item = Result<BorrowedMessage<'_>, KafkaError>> {
    (0..16).filter_map(|_| consumer.poll(Duration::ZERO))
}

/// A consumer and the settings it was made of.
pub(crate) struct Client {
    pub consumer: Arc<KafkaConsumer>,
    brokers: String,
    connect_timeout: Duration,
}

impl Client {
    pub(crate) fn new(settings: &KafkaSettings) -> Result<Self> {
        let consumer: KafkaConsumer = settings
            .client_config()?
            .create_with_context(Events::default())
            .map_err(error::creation)?;
        Ok(Self {
            consumer: Arc::new(consumer),
            brokers: settings.brokers.clone(),
            connect_timeout: settings.connect_timeout,
        })
    }

    /// The topics as they are now, in the order asked for.
    pub(crate) fn describe(&self, topics: &[&str]) -> Result<Vec<TopicDescription>> {
        let mut describer = TopicDescriber::default();
        let answers = self.ask("metadata", || {
            let answers = describer.describe(&self.consumer, topics, SLICE)?;
            answers
                .into_iter()
                .map(settled)
                .collect::<Result<Vec<_>, _>>()
        })?;
        let answers = topics.iter().zip(answers);
        answers
            .map(|(topic, answer)| described(topic, answer))
            .collect()
    }

    /// Number of partitions of a topic; every broker can say that, ids are for newer ones.
    fn partition_count(&self, topic: &str) -> Result<u32> {
        let answer = self.ask("metadata", || {
            settled(count_partitions(&self.consumer, topic, SLICE)?)
        })?;
        Ok(described(topic, answer)?.partitions)
    }

    /// First (`Offset::Beginning`) or end (`Offset::End`) offset of each input, waiting for brokers.
    ///
    /// Ends are those a reader of the configured isolation level reaches.
    pub(crate) fn offsets(&self, inputs: &[TopicPartition], which: Offset) -> Result<Vec<i64>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.ask("offsets", || {
            list_offsets(&self.consumer, inputs, which, SLICE)?
                .into_iter()
                .collect()
        })
    }

    /// Repeats a request until it is answered, the time is up, or the client knows that it never will be.
    fn ask<T>(&self, what: &str, mut request: impl FnMut() -> Result<T, KafkaError>) -> Result<T> {
        let began = wall::monotonic();
        loop {
            let error = match request() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // no partition is assigned yet, so no record can come
            serve_events(&self.consumer).for_each(drop);
            let last = self.consumer.client().context().last();
            if let Some((code, reason)) = &last
                && error::is_authentication(*code)
            {
                return Err(self.refused(reason));
            }
            if wall::monotonic().duration_since(began) >= self.connect_timeout {
                let reason = last.map_or_else(|| format!("{what}: {error}"), |(_, reason)| reason);
                return Err(self.unreachable(&reason));
            }
        }
    }

    fn refused(&self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Configuration,
            format!(
                "the broker refused our credentials brokers={} reason=\"{reason}\": check the sasl.* and ssl.* keys in \
                 [source] properties",
                self.brokers
            ),
        )
    }

    fn unreachable(&self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "no broker answered within {} s brokers={} reason=\"{reason}\": check [source] brokers and that the \
                 broker's advertised listeners can be reached from here",
                self.connect_timeout.as_secs(),
                self.brokers
            ),
        )
    }
}

/// An answer about one topic, if it is no error that passes: those are a reason to ask again.
fn settled(
    answer: Result<TopicDescription, KafkaError>,
) -> Result<Result<TopicDescription, KafkaError>, KafkaError> {
    match answer {
        Err(error) if error::passes(&error) => Err(error),
        answer => Ok(answer),
    }
}

/// What is said of a topic that has to be there.
fn described(
    topic: &str,
    answer: Result<TopicDescription, KafkaError>,
) -> Result<TopicDescription> {
    match answer {
        Ok(found) if found.partitions > 0 => Ok(found),
        Ok(_) => Err(error::missing_topic(topic)),
        Err(error) if error::is_missing_topic(&error) => Err(error::missing_topic(topic)),
        Err(KafkaError::MetadataFetch(RDKafkaErrorCode::TopicAuthorizationFailed)) => {
            Err(error::not_authorized(topic))
        }
        Err(error) => Err(error::client_failed(
            format_args!("metadata of topic={topic}"),
            error,
        )),
    }
}

/// Asks each leader once for the offsets of all its partitions; an inner error concerns one partition.
pub(crate) fn list_offsets(
    consumer: &KafkaConsumer,
    inputs: &[TopicPartition],
    which: Offset,
    timeout: Duration,
) -> Result<Vec<Result<i64, KafkaError>>, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(inputs.len());
    for input in inputs {
        // the request takes a time in place of the offset, and its special values are those of offsets: -1 end, -2 beginning
        list.add_partition_offset(&input.topic, input.partition, which)?;
    }
    let answer = consumer.offsets_for_times(list, timeout)?;
    Ok(inputs
        .iter()
        .map(|input| {
            let found = answer
                .find_partition(&input.topic, input.partition)
                .ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
            found.error()?;
            match found.offset() {
                Offset::Offset(offset) => Ok(offset),
                _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
            }
        })
        .collect())
}

/// Number of partitions of each topic, in the order asked for.
pub fn partition_counts(settings: &KafkaSettings, topics: &[&str]) -> Result<Vec<u32>> {
    let client = Client::new(settings)?;
    topics
        .iter()
        .map(|topic| client.partition_count(topic))
        .collect()
}

/// The offsets at which the inputs end now, as a reader of committed transactions sees them.
///
/// An input has been read that far when its reader has reached its end at this offset or a later one, or a record of that
/// offset or a later one has come.
pub fn end_offsets(settings: &KafkaSettings, inputs: &[TopicPartition]) -> Result<Vec<i64>> {
    Client::new(settings)?.offsets(inputs, Offset::End)
}
