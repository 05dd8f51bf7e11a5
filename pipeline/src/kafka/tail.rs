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
        let metadata = committed.fetch_metadata(Some(topic), TIME_OUT);
        let metadata = metadata.map_err(|source| failed(topic, source))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        // Without its partitions nothing would be found, and all of it sent again.
        if let Some(code) = found.and_then(|found| found.error()) {
            let source = KafkaError::MetadataFetch(code.into());
            if !error::is_missing_topic(&source) {
                return Err(failed(topic, source));
            }
        }
        for partition in found.into_iter().flat_map(|found| found.partitions()) {
            let input = TopicPartition::new(topic.clone(), partition.id());
            let bounds = decided_bounds(&committed, &uncommitted, &input)?;
            greatest = greatest.max(greatest_in(&committed, &input, bounds, &find)?);
        }
    }
    Ok(greatest)
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
