//! What stands at the ends of topics, as readers of committed records see it.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::client::{Events, KafkaConsumer};
use super::error;
use super::headers::{Header, read_headers};
use super::topic_partition::TopicPartition;
use crate::error::{Error, ErrorKind, Result};
use crate::time::wall;

/// How far back is looked at first, in offsets; then twice as far, and so on,
const FIRST_LOOK: i64 = 2_000;
/// up to this.
const LAST_LOOK: i64 = 1_000_000;
/// How long one answer may take.
const TIME_OUT: Duration = Duration::from_secs(10);
const SLICE: Duration = Duration::from_millis(200);
/// How long a topic has to be said not to exist until it does not.
const MISSING_FOR: Duration = Duration::from_secs(5);

/// The greatest of what `find` finds in the headers of the last records of these topics.
///
/// Each partition is read back until something is found in it. Waits, within bounds, for transactions that are open: their end
/// decides what readers see. Nothing is committed under `group`; brokers may grant reading by it. Blocks.
pub(crate) fn greatest_at_ends<'a, T: Ord>(
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    group: &str,
    topics: &[String],
    find: impl Fn(&[Header]) -> Option<T>,
) -> Result<Option<T>> {
    let mut config = ClientConfig::new();
    for (name, value) in properties {
        config.set(name, value);
    }
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false");
    let consumer = |isolation: &str| -> Result<KafkaConsumer> {
        let mut config = config.clone();
        config.set("isolation.level", isolation);
        config
            .create_with_context(Events::default())
            .map_err(error::creation)
    };
    let (committed, uncommitted) = (consumer("read_committed")?, consumer("read_uncommitted")?);
    let mut greatest = None;
    for topic in topics {
        // Without its partitions nothing would be found, and all of it sent again.
        let found = unless_missing(MISSING_FOR, || partition_ids(&committed, topic));
        let found = found.map_err(|source| failed(topic, source))?;
        for partition in found.unwrap_or_default() {
            let input = TopicPartition::new(topic.clone(), partition);
            let bounds = decided_bounds(&committed, &uncommitted, &input)?;
            greatest = greatest.max(greatest_in(&committed, &input, bounds, &find)?);
        }
    }
    Ok(greatest)
}

fn partition_ids(consumer: &KafkaConsumer, topic: &str) -> Result<Vec<i32>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), TIME_OUT)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    if let Some(code) = found.and_then(|found| found.error()) {
        return Err(KafkaError::MetadataFetch(code.into()));
    }
    let partitions = found.into_iter().flat_map(|found| found.partitions());
    Ok(partitions.map(|partition| partition.id()).collect())
}

/// What is answered; `None` once that long nothing has been said but that there is no such topic, which a broker that has just come up
/// may say of any.
fn unless_missing<T>(
    patience: Duration,
    ask: impl Fn() -> Result<T, KafkaError>,
) -> Result<Option<T>, KafkaError> {
    let began = wall::monotonic();
    loop {
        match ask() {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) if !error::is_missing_topic(&error) => return Err(error),
            Err(_) if wall::monotonic().duration_since(began) >= patience => return Ok(None),
            Err(_) => std::thread::sleep(SLICE),
        }
    }
}

/// First and end offset of a partition, once no transaction is open in it.
fn decided_bounds(
    committed: &KafkaConsumer,
    uncommitted: &KafkaConsumer,
    input: &TopicPartition,
) -> Result<(i64, i64)> {
    let began = wall::monotonic();
    loop {
        let bounds = |consumer: &KafkaConsumer| {
            let answer = consumer.fetch_watermarks(&input.topic, input.partition, TIME_OUT);
            answer.map_err(|source| failed(input, source))
        };
        let ((low, stable), (_, end)) = (bounds(committed)?, bounds(uncommitted)?);
        if stable >= end {
            return Ok((low, stable));
        }
        if wall::monotonic().duration_since(began) > TIME_OUT {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "a transaction is open in {input}, so its last records are not known: end the program that left it open"
                ),
            ));
        }
        std::thread::sleep(SLICE);
    }
}

fn greatest_in<T: Ord>(
    consumer: &KafkaConsumer,
    input: &TopicPartition,
    (low, end): (i64, i64),
    find: impl Fn(&[Header]) -> Option<T>,
) -> Result<Option<T>> {
    let mut look = FIRST_LOOK;
    loop {
        let from = low.max(end - look);
        if from >= end {
            return Ok(None);
        }
        let mut greatest = None;
        read_from(consumer, input, from, |message| {
            let headers = message.headers().map(read_headers);
            greatest = greatest
                .take()
                .max(headers.and_then(|headers| find(&headers)));
        })
        .map_err(|source| failed(input, source))?;
        if greatest.is_some() || from == low || look >= LAST_LOOK {
            return Ok(greatest);
        }
        look = (look * 2).min(LAST_LOOK);
    }
}

/// Shows the records from an offset to the end.
fn read_from(
    consumer: &KafkaConsumer,
    input: &TopicPartition,
    offset: i64,
    mut show: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&input.topic, input.partition, Offset::Offset(offset))?;
    consumer.assign(&list)?;
    let mut heard: Instant = wall::monotonic();
    loop {
        match consumer.poll(SLICE) {
            Some(Ok(message)) => show(&message),
            Some(Err(KafkaError::PartitionEOF(partition))) if partition == input.partition => {
                return consumer.unassign();
            }
            // The client goes on by itself, as long as it does.
            Some(Err(error)) if wall::monotonic().duration_since(heard) > TIME_OUT => {
                return Err(error);
            }
            None if wall::monotonic().duration_since(heard) > TIME_OUT => {
                return Err(KafkaError::Canceled);
            }
            Some(Err(_)) | None => continue,
        }
        heard = wall::monotonic();
    }
}

fn failed(what: impl std::fmt::Display, source: KafkaError) -> Error {
    error::client_failed(format_args!("reading the end of {what}"), source)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use rdkafka::error::RDKafkaErrorCode as Code;

    use super::*;

    /// Fails so often with this code, then answers.
    fn answering_after(times: u32, code: Code) -> impl Fn() -> Result<&'static str, KafkaError> {
        let left = Cell::new(times);
        move || match left.get() {
            0 => Ok("there"),
            times => {
                left.set(times - 1);
                Err(KafkaError::MetadataFetch(code))
            }
        }
    }

    #[test]
    fn a_topic_is_missing_only_once_that_has_been_said_for_some_time() {
        let ask = answering_after(2, Code::UnknownTopicOrPartition);
        assert_eq!(unless_missing(TIME_OUT, ask).unwrap(), Some("there"));
        let ask = answering_after(u32::MAX, Code::UnknownTopic);
        assert_eq!(unless_missing(SLICE, ask).unwrap(), None);
        let ask = answering_after(1, Code::TopicAuthorizationFailed);
        assert!(unless_missing(TIME_OUT, ask).is_err());
    }
}
