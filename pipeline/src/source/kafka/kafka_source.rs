//! Partitions of a cluster as one source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};
use schemas::time::TimestampMs;

use super::end_watcher::EndWatcher;
use super::poll_thread::{AssignedPartition, PollThread};
use super::queue::BufferLimits;
use super::shared::Shared;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Client, KafkaConsumer, KafkaSettings, TopicPartition, client_failed, setting};
use crate::observe::{Outage, ReadingThreadPanicked};
use crate::source::error::out_of_range;
use crate::source::{Item, Source, Start};

/// Kafka partitions as the inputs of one shard.
pub struct KafkaSource {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Dropped to end the watcher.
    watch: Option<Sender<()>>,
    /// Outlives the threads: librdkafka must be shut down after its queues have been given back.
    _consumer: Arc<KafkaConsumer>,
}

impl KafkaSource {
    /// Connects, checks that every start exists, and begins to read ahead.
    ///
    /// Waits up to `connect_timeout` for a broker. Fails if none answers, credentials are refused, a topic or partition is
    /// missing, or an offset is not in the log (before the first or after the end).
    pub fn open(settings: &KafkaSettings, starts: &[Start]) -> Result<Self> {
        let client = Client::new(settings)?;
        let first_offsets = check_starts(&client, starts)?;
        let consumer = client.consumer;

        let limits = BufferLimits {
            records: settings.buffered_records,
            bytes: settings.buffered_bytes,
            alignment: settings.alignment,
        };
        let (shared, woken) = Shared::new(starts.len(), limits);
        let shared = Arc::new(shared);

        // split before assigned: what is fetched then goes to the partition's own queue from the first record on
        let mut lanes = Vec::with_capacity(starts.len());
        let mut assignment = TopicPartitionList::with_capacity(starts.len());
        for (start, first_offset) in starts.iter().zip(first_offsets) {
            let TopicPartition { topic, partition } = &start.input;
            let bad_name = || setting("[topics]", format_args!("not a topic name: {topic}"));
            let mut queue = consumer
                .split_partition_queue(topic, *partition)
                .ok_or_else(bad_name)?;
            let waker = Arc::clone(&shared);
            queue.set_nonempty_callback(move || waker.wake());
            let offset = match start.offset {
                0 => Offset::Beginning,
                offset => Offset::Offset(offset),
            };
            assignment
                .add_partition_offset(topic, *partition, offset)
                .map_err(|_| bad_name())?;
            lanes.push(AssignedPartition {
                input: start.input.clone(),
                queue,
                next_offset: start.offset.max(first_offset),
            });
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
            outage: Outage::default(),
        };
        let (watch, closed) = crossbeam_channel::bounded(0);
        let end_watcher = EndWatcher {
            inputs: starts.iter().map(|start| start.input.clone()).collect(),
            consumer: Arc::clone(&consumer),
            shared: Arc::clone(&shared),
            every: settings.confirm_every,
            closed,
        };
        let mut source = Self {
            shared,
            threads: Vec::with_capacity(2),
            watch: Some(watch),
            _consumer: consumer,
        };
        source.spawn("kafka-poll", move || poll_thread.run())?;
        source.spawn("kafka-ends", move || end_watcher.run())?;
        Ok(source)
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(body)
            .map_err(|error| setting("thread limit of the process", error))?;
        self.threads.push(thread);
        Ok(())
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
            if thread.join().is_err() {
                ReadingThreadPanicked.report();
            }
        }
    }
}

/// Checks that every start can be read; returns the first offset each input has today.
fn check_starts(client: &Client, starts: &[Start]) -> Result<Vec<i64>> {
    let mut partitions: BTreeMap<&str, u32> = BTreeMap::new();
    for Start { input, .. } in starts {
        let count = match partitions.get(input.topic.as_str()) {
            Some(count) => *count,
            None => client.partition_count(&input.topic)?,
        };
        partitions.insert(&input.topic, count);
        if u32::try_from(input.partition).map_or(true, |partition| partition >= count) {
            return Err(missing_partition(input, count));
        }
    }
    let inputs: Vec<TopicPartition> = starts.iter().map(|start| start.input.clone()).collect();
    let first = client.offsets(&inputs, Offset::Beginning)?;
    let end = client.offsets(&inputs, Offset::End)?;
    for ((start, first), end) in starts.iter().zip(&first).zip(&end) {
        // at 0 reading begins wherever the log does
        if start.offset != 0 && !(*first..=*end).contains(&start.offset) {
            let available = [Some(*first), Some(*end)];
            return Err(out_of_range(&start.input, start.offset, available));
        }
    }
    Ok(first)
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
