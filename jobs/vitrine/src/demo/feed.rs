//! Simulated events, to files and to the broker; live ones at their own time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pipeline::error::{Error, ErrorKind};
use pipeline::kafka::TopicPartition;
use pipeline::source::memory::{Outgoing, Producer};
use pipeline::time::AnchoredClock;
use schemas::event::Topic;
use schemas::time::TimestampMs;
use simulator::{DirtyRecord, EventFiles, EventSink, Plan, SoldInterval, generate};

use crate::config::Config;
use crate::simulate::topic_partitions;

/// The progress of the simulator.
#[derive(Debug, Default)]
pub(super) struct FeedProgress {
    /// Events sent.
    pub(super) events: AtomicU64,
    /// In ms; see [`FeedProgress::recorded_at`].
    recorded_at: AtomicI64,
    /// A live run has caught up with the clock.
    pub(super) has_caught_up: AtomicBool,
    /// No more events will come.
    pub(super) is_finished: AtomicBool,
}

impl FeedProgress {
    /// `recorded_at` of the last event; 1970 before the first.
    pub(super) fn recorded_at(&self) -> TimestampMs {
        TimestampMs::from_ms(self.recorded_at.load(Ordering::Relaxed))
    }
}

/// Simulates `plan` to files and broker; returns when the plan is over or no shard reads any more.
///
/// With `is_live`, an event is not sent before its `recorded_at`, and its timestamp is the time of sending, as with a Kafka producer. So
/// live time (wall − δ) stays in the past while past events are sent, no past deadline passes before its events have come, and live time
/// is wall time from the first event on that is sent at its own time. Otherwise events have no timestamp, as in files.
pub(super) fn feed(
    plan: &Plan,
    config: &Config,
    is_live: bool,
    producer: Producer,
    progress: Arc<FeedProgress>,
) -> anyhow::Result<()> {
    let mut feeder = Feeder {
        files: EventFiles::create(plan, &config.source.dir)?,
        topic_partitions: topic_partitions(plan, &config.topics.inputs())?,
        producer,
        is_live,
        clock: AnchoredClock::new(),
        progress,
    };
    match generate(plan, &mut feeder) {
        Ok(summary) => {
            feeder.files.finish(&summary)?;
            feeder.progress.is_finished.store(true, Ordering::Relaxed);
            feeder.producer.finish();
            Ok(())
        }
        Err(error) if is_stop(&error) => Ok(feeder.files.flush()?),
        Err(error) => Err(error.into()),
    }
}

/// Whether the shards have stopped reading, which is not a failure of the simulator.
fn is_stop(error: &simulator::Error) -> bool {
    let simulator::Error::Sink { source, .. } = error else {
        return false;
    };
    source
        .downcast_ref()
        .is_some_and(|error: &Error| error.kind() == ErrorKind::Unavailable)
}

struct Feeder {
    files: EventFiles,
    /// By topic, then partition.
    topic_partitions: [Vec<TopicPartition>; 4],
    producer: Producer,
    is_live: bool,
    /// Live time counts from the same instant by the same clock, so setting the wall clock neither stops the feed nor hastens it.
    clock: AnchoredClock,
    progress: Arc<FeedProgress>,
}

/// Longest sleep at a time, so that the end of the shards is noticed soon.
const MAX_SLEEP_MS: i64 = 1_000;

impl Feeder {
    /// Waits until the clock has reached `recorded_at`.
    fn wait_for(&mut self, recorded_at: TimestampMs, topic: Topic) -> Result<(), simulator::Error> {
        while let ahead @ 1.. = (recorded_at - self.clock.now()).as_ms() {
            self.progress.has_caught_up.store(true, Ordering::Relaxed);
            self.files.flush()?;
            let rest = Duration::from_millis(ahead.min(MAX_SLEEP_MS).unsigned_abs());
            self.producer.rest(rest).map_err(stopped(topic))?;
        }
        Ok(())
    }
}

/// The error for a topic that no shard reads any more; see [`is_stop`].
fn stopped(topic: Topic) -> impl FnOnce(Error) -> simulator::Error {
    move |gone| simulator::Error::Sink {
        topic: topic.default_topic(),
        source: Box::new(gone),
    }
}

impl EventSink for Feeder {
    /// Files first: a later run finds there what a shard has read, at the same offset.
    fn event(
        &mut self,
        topic: Topic,
        partition: u32,
        key: Option<&str>,
        recorded_at: TimestampMs,
        payload: &[u8],
    ) -> Result<(), simulator::Error> {
        if self.is_live {
            self.wait_for(recorded_at, topic)?;
        }
        self.files
            .event(topic, partition, key, recorded_at, payload)?;
        let record = Outgoing {
            key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
            payload: Some(Bytes::copy_from_slice(payload)),
            created_at: self.is_live.then(|| self.clock.now()),
        };
        let topic_partition = &self.topic_partitions[topic.index()][partition as usize];
        self.producer
            .send(topic_partition, record)
            .map_err(stopped(topic))?;
        self.progress.events.fetch_add(1, Ordering::Relaxed);
        self.progress
            .recorded_at
            .store(recorded_at.as_ms(), Ordering::Relaxed);
        Ok(())
    }

    fn dirty(&mut self, record: &DirtyRecord<'_>) -> Result<(), simulator::Error> {
        self.files.dirty(record)
    }

    fn sold(&mut self, interval: &SoldInterval<'_>) -> Result<(), simulator::Error> {
        self.files.sold(interval)
    }
}
