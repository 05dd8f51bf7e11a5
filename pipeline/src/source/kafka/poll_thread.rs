//! The thread that moves records from librdkafka's queues into ours.
//!
//! Every partition has a queue of its own in librdkafka. One that has no room here is left alone: its queue fills up to
//! `queued.*` and librdkafka stops fetching it. (`pause` would do the same, but throws away what has been fetched; and from
//! the common queue an end of partition comes without its topic.)

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, Timestamp, TopicPartitionList};
use schemas::time::TimestampMs;

use super::kafka_source::{assign_at, split_queue};
use super::shared::Shared;
use crate::error::Result;
use crate::kafka::{
    ErrorClass, Events, KafkaConsumer, TopicPartition, classify, client_failed, list_offsets,
    read_headers, serve_events,
};
use crate::observe::{
    KafkaReachable, KafkaUnreachable, OffsetsMissing, Outage, ReadingStopped, UnassignedRecord,
};
use crate::source::error::out_of_range;
use crate::source::record::kept_bytes;
use crate::source::{InputNews, OnMissing, Record, TimestampKind};
use crate::time::wall;

/// Records moved under one lock; small enough that all partitions move along together.
const CHUNK: usize = 256;

/// How often the client's own events are served while no record comes.
const IDLE: Duration = Duration::from_millis(100);

/// One partition as the thread sees it.
pub(super) struct AssignedPartition {
    pub input: TopicPartition,
    pub queue: PartitionQueue<Events>,
    /// Everything below has been handed over, or lies before our start.
    pub next_offset: i64,
}

pub(super) struct PollThread {
    pub lanes: Vec<AssignedPartition>,
    pub consumer: Arc<KafkaConsumer>,
    pub shared: Arc<Shared>,
    pub woken: Receiver<()>,
    pub max_kept_bytes: usize,
    pub on_missing: OnMissing,
    pub outage: Outage,
}

impl PollThread {
    /// Runs until the source is closed or cannot go on.
    pub(super) fn run(mut self) {
        while !self.shared.is_stopped() {
            match self.turn() {
                Ok(true) => {}
                // woken by a queue that is no longer empty, or by room in ours
                Ok(false) => {
                    let _ = self.woken.recv_timeout(IDLE);
                }
                Err(error) => {
                    ReadingStopped { error: &error }.report();
                    self.shared.fail(error);
                }
            }
        }
    }

    /// Looks at every queue once; returns whether anything moved.
    fn turn(&mut self) -> Result<bool> {
        self.serve_client()?;
        self.take_appeared()?;
        let mut moved = false;
        for input in 0..self.lanes.len() {
            moved |= self.read(input)?;
        }
        Ok(moved)
    }

    /// Begins to read partitions that have appeared.
    fn take_appeared(&mut self) -> Result<()> {
        for partition in self.shared.take_appeared(self.lanes.len()) {
            let input = partition.input;
            self.lanes.push(AssignedPartition {
                queue: split_queue(&self.consumer, &self.shared, &input)?,
                next_offset: partition.begun.offset,
                input: input.clone(),
            });
            self.assign(&input, partition.begun.offset)?;
        }
        Ok(())
    }

    fn assign(&self, input: &TopicPartition, offset: i64) -> Result<()> {
        let mut assignment = TopicPartitionList::new();
        assign_at(&mut assignment, input, offset)?;
        self.consumer
            .incremental_assign(&assignment)
            .map_err(|source| client_failed(format_args!("assigning={input}"), source))
    }

    /// Serves the common queue, on which only news of the client itself arrive.
    fn serve_client(&mut self) -> Result<()> {
        for event in serve_events(&self.consumer) {
            match event {
                Ok(message) => {
                    debug_assert!(
                        false,
                        "all partitions were split off before they were assigned"
                    );
                    UnassignedRecord {
                        topic: message.topic(),
                        partition: message.partition(),
                    }
                    .report();
                }
                Err(error @ KafkaError::MessageConsumptionFatal(_)) => {
                    return Err(client_failed("reading", error));
                }
                Err(error) => warn_of(&mut self.outage, &self.consumer, &error),
            }
        }
        Ok(())
    }

    /// Moves what one partition has, as far as there is room; returns whether that was anything.
    fn read(&mut self, input: usize) -> Result<bool> {
        let room = self.shared.room(input).min(CHUNK);
        if room == 0 {
            return Ok(false);
        }
        let lane = &mut self.lanes[input];
        let mut records = Vec::new();
        let mut end: Option<Instant> = None;
        let mut failure = None;
        while records.len() < room {
            match lane.queue.poll(Duration::ZERO) {
                None => break,
                Some(Ok(message)) => {
                    records.push(detach(input, &message, self.max_kept_bytes));
                    lane.next_offset = message.offset() + 1;
                    // an end that lay in the queue before this record is one no more
                    end = None;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => end = Some(wall::monotonic()),
                Some(Err(error)) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let end = end.map(|at| {
            // markers at the end of a transaction take offsets but are no records: librdkafka's position is behind them
            let position = position(&self.consumer, &lane.input).unwrap_or(lane.next_offset);
            lane.next_offset = lane.next_offset.max(position);
            (lane.next_offset, at)
        });
        let moved = !records.is_empty() || end.is_some();
        if moved {
            if let Some(lasted) = self.outage.note_success(wall::monotonic()) {
                KafkaReachable { lasted }.report();
            }
            self.shared.fill(input, records, end);
        }
        match failure {
            None => Ok(moved),
            Some(error) => self.answer(input, error).map(|()| true),
        }
    }

    fn answer(&mut self, input: usize, error: KafkaError) -> Result<()> {
        let lane = &self.lanes[input];
        match classify(&lane.input, lane.next_offset, error.clone()) {
            ErrorClass::Wait => {
                warn_of(&mut self.outage, &self.consumer, &error);
                Ok(())
            }
            // the topic watcher finds out whether it is so
            ErrorClass::SaidMissing => Ok(()),
            ErrorClass::OutOfRange => self.pass_over(input),
            ErrorClass::Stop(error) => Err(error),
        }
    }
}

impl PollThread {
    /// The position is not in the log any more: goes on at its beginning where the policy says so.
    fn pass_over(&mut self, input: usize) -> Result<()> {
        let lane = &mut self.lanes[input];
        let available = available(&self.consumer, &lane.input);
        let first = match available {
            // a position behind the end is no retention: the topic was cut off or is another one, which a start finds out
            [Some(first), _]
                if self.on_missing == OnMissing::Earliest && first > lane.next_offset =>
            {
                first
            }
            _ => return Err(out_of_range(&lane.input, lane.next_offset, available)),
        };
        let from = std::mem::replace(&mut lane.next_offset, first);
        OffsetsMissing {
            topic: &lane.input.topic,
            partition: lane.input.partition,
            from,
            to: first,
            is_first_start: false,
        }
        .report();
        let news = InputNews::Missing { from, to: first };
        self.shared.announce(input, news);
        let id = lane.input.clone();
        let mut assigned = TopicPartitionList::new();
        assign_at(&mut assigned, &id, first)?;
        self.consumer
            .incremental_unassign(&assigned)
            .map_err(|source| client_failed(format_args!("unassigning={id}"), source))?;
        self.assign(&id, first)
    }
}

/// However the thread ends, the shard hears of it. A panic is reported with its words, by whoever catches it.
impl Drop for PollThread {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.shared.stop();
        }
    }
}

/// Says that brokers do not answer, when it begins and every 30 s.
fn warn_of(outage: &mut Outage, consumer: &KafkaConsumer, error: &KafkaError) {
    if let Some(lasted) = outage.note_failure(wall::monotonic()) {
        let last = consumer.client().context().last();
        KafkaUnreachable {
            lasted,
            error,
            reason: last.as_ref().map(|(_, reason)| reason.as_str()),
        }
        .report();
    }
}

/// The offset librdkafka would give out next; `None` before it has given out any.
fn position(consumer: &KafkaConsumer, input: &TopicPartition) -> Option<i64> {
    let positions = consumer.position().ok()?;
    let found = positions.find_partition(&input.topic, input.partition)?;
    match found.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// First and end offset of a partition, asked once and briefly: for a message that is about to be the last.
fn available(consumer: &KafkaConsumer, input: &TopicPartition) -> [Option<i64>; 2] {
    [Offset::Beginning, Offset::End].map(|which| {
        let inputs = std::slice::from_ref(input);
        let offsets = list_offsets(consumer, inputs, which, Duration::from_secs(1)).ok()?;
        offsets.into_iter().next()?.ok()
    })
}

/// The instant itself, or the nearest from 1970 to the last day but one of the year 9999: a producer may write any number as its
/// time, and neither arithmetic nor a calendar column behind this has to bear them all. No verdict changes by it: events lie in
/// the years 2000 to 9998 (K4, K25).
fn on_a_calendar(ms: i64) -> TimestampMs {
    TimestampMs::from_ms(ms.clamp(0, 253_402_214_399_999))
}

/// Copies a message out of librdkafka's memory, the payload as far as it is kept.
fn detach(input: usize, message: &BorrowedMessage<'_>, max_kept_bytes: usize) -> Record {
    let payload = message.payload();
    let (timestamp_kind, timestamp) = match message.timestamp() {
        Timestamp::NotAvailable => (TimestampKind::None, None),
        Timestamp::CreateTime(ms) => (TimestampKind::CreateTime, Some(on_a_calendar(ms))),
        Timestamp::LogAppendTime(ms) => (TimestampKind::LogAppendTime, Some(on_a_calendar(ms))),
    };
    Record {
        input,
        offset: message.offset(),
        key: message.key().map(Bytes::copy_from_slice),
        payload: payload.map(|bytes| {
            let kept = kept_bytes(bytes.len(), max_kept_bytes);
            Bytes::copy_from_slice(&bytes[..kept])
        }),
        payload_len: payload.map_or(0, |bytes| bytes.len() as u64),
        timestamp,
        timestamp_kind,
        headers: message.headers().map_or_else(Vec::new, read_headers),
    }
}
