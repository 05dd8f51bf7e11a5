//! The simulator's side: events into files and into the broker, live ones at their own time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use pipeline::error::{Error, ErrorKind};
use pipeline::kafka::TopicPartition;
use pipeline::source::memory::{Outgoing, Producer};
use pipeline::time::wall;
use schemas::time::TimestampMs;

use super::super::simulate::{inputs, topics};
use crate::config::Config;
use simulator::{DirtyRecord, EventFiles, EventSink, Plan, SimTopic, SoldInterval, generate};

/// How far the simulator has come, for whoever shows it.
#[derive(Debug, Default)]
pub struct Sent {
    pub events: AtomicU64,
    /// `recorded_at` of the last event, ms UTC; 0 before the first.
    pub recorded_at_ms: AtomicI64,
    /// A live run has caught up with the wall clock.
    pub has_caught_up: AtomicBool,
    /// Nothing more will come.
    pub is_finished: AtomicBool,
}

/// Simulates `plan` into both; ends when it is over or when nobody reads any more.
///
/// With `is_live`, an event whose `recorded_at` lies ahead waits for it, and the moment of sending is its timestamp, as a
/// producer of Kafka would stamp it. So live time (wall − δ) stays in the past while the past is sent, no deadline of then
/// passes before its events have come, and the first event sent at its own time makes it the clock on the wall. Otherwise
/// events have no timestamp, as in files.
pub fn feed(
    plan: &Plan,
    config: &Config,
    is_live: bool,
    producer: Producer,
    sent: Arc<Sent>,
) -> Result<(), simulator::Error> {
    let mut feeder = Feeder {
        files: EventFiles::create(plan, &config.source.dir)?,
        inputs: inputs(plan, &topics(config)),
        producer,
        is_live,
        sent,
    };
    match generate(plan, &mut feeder) {
        Ok(summary) => {
            feeder.files.finish(&summary)?;
            feeder.sent.is_finished.store(true, Ordering::Relaxed);
            feeder.producer.finish();
            Ok(())
        }
        Err(error) if is_end(&error) => feeder.files.flush(),
        Err(error) => Err(error),
    }
}

/// The pipeline was told to stop: no failure of the simulator's.
fn is_end(error: &simulator::Error) -> bool {
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
    inputs: [Vec<TopicPartition>; 4],
    producer: Producer,
    is_live: bool,
    sent: Arc<Sent>,
}

/// Longest rest in one piece: a wall clock that is set must not leave us asleep.
const REST_MS: i64 = 1_000;

impl Feeder {
    /// Waits until the wall clock has come to `recorded_at`.
    fn wait_for(
        &mut self,
        recorded_at: TimestampMs,
        topic: SimTopic,
    ) -> Result<(), simulator::Error> {
        while let ahead @ 1.. = (recorded_at - TimestampMs::from_ms(wall::now_ms())).as_ms() {
            self.sent.has_caught_up.store(true, Ordering::Relaxed);
            self.files.flush()?;
            let rest = Duration::from_millis(ahead.min(REST_MS).unsigned_abs());
            self.producer.rest(rest).map_err(end_of(topic))?;
        }
        Ok(())
    }
}

/// The pipeline was told to stop: see [`is_end`].
fn end_of(topic: SimTopic) -> impl FnOnce(Error) -> simulator::Error {
    move |gone| simulator::Error::Sink {
        topic: topic.folder(),
        source: Box::new(gone),
    }
}

impl EventSink for Feeder {
    /// Files first: what a shard has read, a later run finds there at the same offset.
    fn event(
        &mut self,
        topic: SimTopic,
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
            created_at_ms: self.is_live.then(wall::now_ms),
        };
        let to = &self.inputs[topic.index()][partition as usize];
        self.producer.send(to, record).map_err(end_of(topic))?;
        self.sent.events.fetch_add(1, Ordering::Relaxed);
        self.sent
            .recorded_at_ms
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
