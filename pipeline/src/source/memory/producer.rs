//! The sending side.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use schemas::time::TimestampMs;

use super::activity::ProducerActivity;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicPartition;
use crate::source::{Record, TimestampKind};

/// All sources have been closed: whoever read is gone, and nobody will take another record.
fn readers_gone() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "nobody reads any more: the pipeline has ended",
    )
}

/// A record to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub key: Option<Bytes>,
    /// `None` is a tombstone (K2).
    pub payload: Option<Bytes>,
    /// `CreateTime`; without one the readers see a source that has none, as files are.
    pub created_at: Option<TimestampMs>,
}

/// One partition: its next offset, and who reads it at which index of theirs.
#[derive(Default)]
struct Partition {
    next_offset: i64,
    readers: Vec<(usize, usize)>,
}

/// Sends records to the readers of their partitions.
pub struct Producer {
    partitions: HashMap<TopicPartition, Partition>,
    lanes: Vec<Sender<Record>>,
    activity: ProducerActivity,
    readers_gone: Receiver<()>,
}

impl Producer {
    pub(super) fn new(activity: ProducerActivity, readers_gone: Receiver<()>) -> Self {
        Self {
            partitions: HashMap::new(),
            lanes: Vec::new(),
            activity,
            readers_gone,
        }
    }

    pub(super) fn add_reader(&mut self, inputs: &[TopicPartition], lane: Sender<Record>) {
        for (index, input) in inputs.iter().enumerate() {
            let partition = self.partitions.entry(input.clone()).or_default();
            partition.readers.push((self.lanes.len(), index));
        }
        self.lanes.push(lane);
    }

    /// Appends a record to its partition and gives its offset, waiting while a reader's lane is full.
    ///
    /// A partition that nobody reads takes records all the same: as in any broker, that is the readers' business. Fails
    /// ([`ErrorKind::Unavailable`]) once its readers have gone.
    pub fn send(&mut self, to: &TopicPartition, record: Outgoing) -> Result<i64> {
        self.activity.set(ProducerActivity::BUSY);
        if !self.partitions.contains_key(to) {
            self.partitions.insert(to.clone(), Partition::default());
        }
        let Some(partition) = self.partitions.get_mut(to) else {
            return Err(readers_gone());
        };
        let offset = partition.next_offset;
        for &(lane, input) in &partition.readers {
            let sent = self.lanes[lane].send(Record {
                input,
                offset,
                key: record.key.clone(),
                payload_len: record
                    .payload
                    .as_ref()
                    .map_or(0, |bytes| bytes.len() as u64),
                payload: record.payload.clone(),
                timestamp: record.created_at,
                timestamp_kind: match record.created_at {
                    Some(_) => TimestampKind::CreateTime,
                    None => TimestampKind::None,
                },
                headers: Vec::new(),
            });
            sent.map_err(|_| readers_gone())?;
        }
        partition.next_offset = offset + 1;
        Ok(offset)
    }

    /// Sends nothing for so long: readers that have taken everything are at their ends meanwhile.
    ///
    /// Comes back early, with an error, when all readers have gone.
    pub fn rest(&self, duration: Duration) -> Result<()> {
        self.activity.set(ProducerActivity::RESTING);
        match self.readers_gone.recv_timeout(duration) {
            Err(RecvTimeoutError::Disconnected) => Err(readers_gone()),
            Err(RecvTimeoutError::Timeout) | Ok(()) => Ok(()),
        }
    }

    /// Nothing will be sent any more: the ends are final. Dropping the producer without this leaves readers waiting, as they
    /// should when it has failed.
    pub fn finish(self) {
        self.activity.set(ProducerActivity::FINISHED);
    }
}
