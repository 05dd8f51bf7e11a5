//! A broker inside the process: a producer's records reach the shards without a network, a file or an installation.
//!
//! ```text
//! Producer ─ numbers each partition ─▶ lane of a reader (bounded, in order of sending) ─▶ MemorySource ─▶ shard
//!                                  └─▶ lanes of all others that read the same partition (prices)
//! ```
//!
//! **No lane per partition but one per reader.** A reader takes what was sent in the order in which it was sent, over all its
//! partitions, so none runs ahead of the others (K1 does the same for files) and nobody ever waits for one that is empty. A
//! full lane stops the producer until its reader has taken something; that reader always can. So back-pressure cannot
//! deadlock.
//!
//! **Ends.** An empty lane says nothing while the producer is at work: the next record may be on its way. It is the end once
//! the producer [rests](Producer::rest) (a live one, between two records) or is [finished](Producer::finish).
//!
//! It keeps nothing that has been read: a source can be opened once, at the beginning. For a log that can be read again there
//! are [event files](super::files) and [Kafka](super::kafka).

mod producer;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use schemas::time::TimestampMs;

use super::error::{out_of_range, stopped};
use super::{Item, Record, Source, Start};
use crate::error::Result;
use crate::kafka::TopicPartition;
use crate::time::wall;

pub use producer::{Outgoing, Producer};

/// Time between two confirmations of the same end; Kafka's end watcher keeps the same pace.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);

/// What the producer is doing.
#[derive(Clone, Debug, Default)]
struct ProducerActivity(Arc<AtomicU8>);

impl ProducerActivity {
    const BUSY: u8 = 0;
    const RESTING: u8 = 1;
    const FINISHED: u8 = 2;

    fn set(&self, state: u8) {
        self.0.store(state, Ordering::Release);
    }

    /// Whether everything sent so far is in the lanes and nothing is on its way.
    fn is_at_rest(&self) -> bool {
        self.0.load(Ordering::Acquire) != Self::BUSY
    }
}

/// One reader's end of a lane, before a source takes it.
struct ReaderQueue {
    inputs: Vec<TopicPartition>,
    records: Receiver<Record>,
    /// Never sent on: once all readers have dropped theirs, the producer knows.
    presence: Sender<()>,
}

/// Hands the lanes to the sources that ask for them.
pub struct Broker {
    lanes: Mutex<Vec<ReaderQueue>>,
    activity: ProducerActivity,
}

impl Broker {
    /// A broker for readers of these inputs, each lane holding at most `bound` records, and its only producer.
    pub fn new(readers: Vec<Vec<TopicPartition>>, bound: usize) -> (Self, Producer) {
        let (presence, readers_gone) = crossbeam_channel::bounded(0);
        let activity = ProducerActivity::default();
        let mut producer = Producer::new(activity.clone(), readers_gone);
        let lanes = readers
            .into_iter()
            .map(|inputs| {
                let (sender, records) = crossbeam_channel::bounded(bound.max(1));
                producer.add_reader(&inputs, sender);
                ReaderQueue {
                    inputs,
                    records,
                    presence: presence.clone(),
                }
            })
            .collect();
        let broker = Self {
            lanes: Mutex::new(lanes),
            activity,
        };
        (broker, producer)
    }

    /// Opens the inputs of one reader, in the order in which they were given to the broker.
    ///
    /// Fails if no such reader is left, or one starts anywhere but at the beginning: nothing is kept here.
    pub fn open(&self, starts: &[Start]) -> Result<MemorySource> {
        if let Some(start) = starts.iter().find(|start| start.offset != 0) {
            let available = [Some(0), None];
            return Err(out_of_range(&start.input, start.offset, available));
        }
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = |lane: &ReaderQueue| {
            lane.inputs
                .iter()
                .eq(starts.iter().map(|start| &start.input))
        };
        let lane = match lanes.iter().position(asked) {
            Some(index) => lanes.swap_remove(index),
            None => return Err(stopped()),
        };
        Ok(MemorySource {
            next_offsets: vec![0; starts.len()],
            records: lane.records,
            activity: self.activity.clone(),
            confirmed_at: None,
            _presence: lane.presence,
        })
    }
}

/// One reader's inputs, all from one lane.
pub struct MemorySource {
    records: Receiver<Record>,
    /// By input.
    next_offsets: Vec<i64>,
    activity: ProducerActivity,
    /// When the ends were last announced; `None` while there is something to read.
    confirmed_at: Option<Instant>,
    _presence: Sender<()>,
}

impl MemorySource {
    fn take(&mut self, record: Record, out: &mut Vec<Item>) {
        self.next_offsets[record.input] = record.offset + 1;
        self.confirmed_at = None;
        out.push(Item::Record(record));
    }
}

impl Source for MemorySource {
    /// The order of sending stands, so `watermarks` decide nothing.
    fn poll(&mut self, max: usize, _watermarks: &[TimestampMs], out: &mut Vec<Item>) -> Result<()> {
        // Asked before the lane is: what was sent before a rest is then in the lane.
        let at = wall::monotonic();
        let was_at_rest = self.activity.is_at_rest();
        let Ok(first) = self.records.try_recv() else {
            let is_due = self
                .confirmed_at
                .is_none_or(|confirmed| at.duration_since(confirmed) >= CONFIRM_EVERY);
            if was_at_rest && is_due {
                self.confirmed_at = Some(at);
                out.extend(
                    (0..)
                        .zip(&self.next_offsets)
                        .map(|(input, &next_offset)| Item::End {
                            input,
                            next_offset,
                            at,
                        }),
                );
            }
            return Ok(());
        };
        self.take(first, out);
        for _ in 1..max {
            let Ok(record) = self.records.try_recv() else {
                break;
            };
            self.take(record, out);
        }
        Ok(())
    }

    fn unread(&self, _input: usize) -> bool {
        !(self.activity.is_at_rest() && self.records.is_empty())
    }
}
