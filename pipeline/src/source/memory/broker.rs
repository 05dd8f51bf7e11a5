//! The lanes, from making them until the sources take them.

use std::sync::{Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender};

use super::activity::ProducerActivity;
use super::memory_source::MemorySource;
use super::producer::Producer;
use crate::error::Result;
use crate::kafka::TopicPartition;
use crate::source::error::{out_of_range, stopped};
use crate::source::{Record, Start};

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

#[cfg(test)]
mod tests;
