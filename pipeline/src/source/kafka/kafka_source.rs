//! Partitions of a cluster as one source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::{Offset, TopicPartitionList};
use schemas::time::TimestampMs;

use super::beginning::{Beginning, LogNow};
use super::end_watcher::EndWatcher;
use super::poll_thread::{AssignedPartition, PollThread};
use super::queue::BufferLimits;
use super::shared::Shared;
use super::topic_watcher::TopicWatcher;
use super::topics::{ExpectedTopic, ReadTopic};
use crate::error::{Error, ErrorKind, Result, catch_panic};
use crate::kafka::{
    Client, Events, KafkaConsumer, KafkaSettings, TopicPartition, client_failed, setting,
};
use crate::observe::{OffsetsMissing, Outage};
use crate::source::{Item, OnMissing, Source, Start};

/// Kafka partitions as the inputs of one shard.
pub struct KafkaSource {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Dropped to end the watchers.
    watch: Option<Sender<()>>,
    /// Outlives the threads: librdkafka must be shut down after its queues have been given back.
    _consumer: Arc<KafkaConsumer>,
}

impl KafkaSource {
    /// Connects, checks that every start exists, and begins to read ahead. `topics` says how many partitions topics have and
    /// which may grow; one that is not named has as many as it has now.
    ///
    /// Waits up to `connect_timeout` for a broker. Fails if none answers, credentials are refused, a topic or partition is
    /// missing or is not the one that was read, or an offset is not in the log (before the first or after the end) and
    /// `on_missing` says to stop there.
    pub fn open(
        settings: &KafkaSettings,
        topics: &[ExpectedTopic],
        starts: &[Start],
        on_missing: OnMissing,
    ) -> Result<Self> {
        let client = Client::new(settings)?;
        let topics = read_topics(&client, topics, starts)?;
        let logs = read_logs(&client, &topics, starts)?;
        let consumer = client.consumer;

        let limits = BufferLimits {
            records: settings.buffered_records,
            bytes: settings.buffered_bytes,
            alignment: settings.alignment,
        };
        let inputs = starts.iter().map(|start| start.input.clone()).collect();
        let (shared, woken) = Shared::new(inputs, limits);
        let shared = Arc::new(shared);

        // split before assigned: what is fetched then goes to the partition's own queue from the first record on
        let mut lanes = Vec::with_capacity(starts.len());
        let mut assignment = TopicPartitionList::with_capacity(starts.len());
        for (index, (start, log)) in starts.iter().zip(logs).enumerate() {
            let begun = log.begin(start, on_missing)?;
            report_missing(start, &begun);
            for news in begun.news() {
                shared.announce(index, news);
            }
            lanes.push(AssignedPartition {
                queue: split_queue(&consumer, &shared, &start.input)?,
                input: start.input.clone(),
                next_offset: begun.offset,
            });
            assign_at(&mut assignment, &start.input, begun.offset)?;
        }
        consumer
            .assign(&assignment)
            .map_err(|source| client_failed("assigning partitions", source))?;

        let poll_thread = PollThread {
            lanes,
            consumer: Arc::clone(&consumer),
            shared: Arc::clone(&shared),
            woken,
            max_kept_bytes: settings.max_kept_bytes,
            on_missing,
            outage: Outage::default(),
        };
        let (watch, closed) = crossbeam_channel::bounded(0);
        let end_watcher = EndWatcher {
            consumer: Arc::clone(&consumer),
            shared: Arc::clone(&shared),
            every: settings.confirm_every,
            closed: closed.clone(),
        };
        let topic_watcher = TopicWatcher::new(
            topics,
            Arc::clone(&consumer),
            Arc::clone(&shared),
            settings.describe_every,
            closed,
        );
        let mut source = Self {
            shared,
            threads: Vec::with_capacity(3),
            watch: Some(watch),
            _consumer: consumer,
        };
        source.spawn("kafka-poll", move || poll_thread.run())?;
        source.spawn("kafka-ends", move || end_watcher.run())?;
        source.spawn("kafka-topics", move || topic_watcher.run())?;
        Ok(source)
    }

    /// A thread that ends by a panic ends reading: the next poll says so.
    fn spawn(&mut self, name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || watched(name, &shared, body))
            .map_err(|error| setting("thread limit of the process", error))?;
        self.threads.push(thread);
        Ok(())
    }
}

/// The body of a thread; where it panics, reading has failed.
fn watched(name: &str, shared: &Shared, body: impl FnOnce()) {
    if let Err(error) = catch_panic(&format!("thread={name}"), body) {
        shared.fail(error);
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, max: usize, watermarks: &[TimestampMs], out: &mut Vec<Item>) -> Result<()> {
        self.shared.take(max, watermarks, out)
    }

    fn unread(&self, input: usize) -> bool {
        self.shared.unread(input)
    }
}

/// Ends the threads, then the client.
impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.shared.stop();
        self.watch = None;
        for thread in self.threads.drain(..) {
            // A panic has been handed over with the next poll.
            let _ = thread.join();
        }
    }
}

/// The topics of the inputs as they are now, each with its id.
fn read_topics(
    client: &Client,
    expected: &[ExpectedTopic],
    starts: &[Start],
) -> Result<Vec<ReadTopic>> {
    let names: BTreeSet<&str> = starts
        .iter()
        .map(|start| start.input.topic.as_str())
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let described = client.describe(&names)?;
    let topics = names.iter().zip(described).map(|(name, now)| {
        let known = expected.iter().find(|topic| topic.name == *name);
        let expected = known.cloned().unwrap_or_else(|| ExpectedTopic {
            name: (*name).to_owned(),
            partitions: now.partitions,
            may_grow: false,
        });
        let missing = starts.iter().map(|start| &start.input).find(|input| {
            let partition = u32::try_from(input.partition);
            input.topic == *name && partition.map_or(true, |number| number >= now.partitions)
        });
        match missing {
            Some(input) => Err(missing_partition(input, now.partitions)),
            None => Ok(ReadTopic::new(expected, now.id)),
        }
    });
    topics.collect()
}

/// The log of each input as it is now.
fn read_logs(client: &Client, topics: &[ReadTopic], starts: &[Start]) -> Result<Vec<LogNow>> {
    let inputs: Vec<TopicPartition> = starts.iter().map(|start| start.input.clone()).collect();
    let first = client.offsets(&inputs, Offset::Beginning)?;
    let end = client.offsets(&inputs, Offset::End)?;
    let logs = inputs.iter().zip(first).zip(end);
    Ok(logs
        .map(|((input, first), end)| {
            let mut topics = topics.iter();
            let topic = topics.find(|topic| topic.expected.name == input.topic);
            LogNow {
                id: topic.and_then(ReadTopic::id),
                first,
                end,
            }
        })
        .collect())
}

/// Says what is gone of an input before it is read.
pub(super) fn report_missing(start: &Start, begun: &Beginning) {
    let Some(from) = begun.wanted else {
        return;
    };
    OffsetsMissing {
        topic: &start.input.topic,
        partition: start.input.partition,
        from,
        to: begun.offset,
        is_first_start: start.is_first(),
    }
    .report();
}

/// The queue of one partition, which wakes the poll thread.
pub(super) fn split_queue(
    consumer: &Arc<KafkaConsumer>,
    shared: &Arc<Shared>,
    input: &TopicPartition,
) -> Result<PartitionQueue<Events>> {
    let mut queue = consumer
        .split_partition_queue(&input.topic, input.partition)
        .ok_or_else(|| bad_name(&input.topic))?;
    let waker = Arc::clone(shared);
    queue.set_nonempty_callback(move || waker.wake());
    Ok(queue)
}

pub(super) fn assign_at(
    assignment: &mut TopicPartitionList,
    input: &TopicPartition,
    offset: i64,
) -> Result<()> {
    assignment
        .add_partition_offset(&input.topic, input.partition, Offset::Offset(offset))
        .map_err(|_| bad_name(&input.topic))
}

fn bad_name(topic: &str) -> Error {
    setting("[topics]", format_args!("not a topic name: {topic}"))
}

fn missing_partition(input: &TopicPartition, partitions: u32) -> Error {
    let TopicPartition { topic, partition } = input;
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "partition does not exist topic={topic} partition={partition} partitions={partitions}: was the topic created \
             anew with fewer partitions?"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::time::Duration;

    use super::super::queue::BufferLimits;
    use super::*;

    #[test]
    fn a_panic_of_a_thread_ends_reading_with_its_words() {
        let limits = BufferLimits {
            records: 10,
            bytes: 1 << 20,
            alignment: Duration::from_secs(60),
        };
        let (shared, _woken) = Shared::new(Vec::new(), limits);
        watched("kafka-ends", &shared, || {});
        shared.take(1, &[], &mut Vec::new()).unwrap();
        watched("kafka-ends", &shared, || panic!("a mistake"));
        let error = shared.take(1, &[], &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(
            error
                .to_string()
                .contains("thread=kafka-ends broke down (a mistake)"),
            "{error}"
        );
    }
}
