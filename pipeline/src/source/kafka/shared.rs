//! Where the shard, the poll thread and the end watcher meet.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use schemas::time::TimestampMs;

use super::beginning::Beginning;
use super::queue::{BufferLimits, Buffers};
use crate::error::{Error, Result};
use crate::kafka::TopicPartition;
use crate::source::error::stopped;
use crate::source::{InputNews, Item, Record};

/// A partition of a topic that may grow, as it was found.
#[derive(Clone, Debug)]
pub(super) struct NewPartition {
    pub input: TopicPartition,
    pub begun: Beginning,
}

impl NewPartition {
    /// What the shard learns of it before its first record.
    fn news(&self) -> Vec<InputNews> {
        let mut news = vec![InputNews::Appeared(self.input.clone())];
        news.extend(self.begun.news());
        news
    }
}

struct ReadState {
    inputs: Vec<TopicPartition>,
    buffers: Buffers,
    /// Partitions that are to be read and are not yet.
    appeared: Vec<NewPartition>,
    /// Why reading stopped, until it has been reported to the shard.
    failure: Option<Error>,
    stopped: bool,
}

/// The buffers behind a lock that is held for moves of records only, never while waiting for Kafka.
pub(super) struct Shared {
    state: Mutex<ReadState>,
    /// Wakes the poll thread; one pending signal says all there is to say.
    wake: Sender<()>,
}

impl Shared {
    /// Empty buffers, and the receiver on which the poll thread waits to be woken.
    pub(super) fn new(inputs: Vec<TopicPartition>, limits: BufferLimits) -> (Self, Receiver<()>) {
        let (wake, woken) = crossbeam_channel::bounded(1);
        let shared = Self {
            state: Mutex::new(ReadState {
                buffers: Buffers::new(inputs.len(), limits),
                inputs,
                appeared: Vec::new(),
                failure: None,
                stopped: false,
            }),
            wake,
        };
        (shared, woken)
    }

    /// A thread that panicked left whole records behind: every change below is complete before the lock goes.
    fn lock(&self) -> MutexGuard<'_, ReadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn room(&self, input: usize) -> usize {
        self.lock().buffers.room(input)
    }

    /// Hands over what was read of one input, then its end if it was reached.
    pub(super) fn fill(&self, input: usize, records: Vec<Record>, end: Option<(i64, Instant)>) {
        let mut state = self.lock();
        state.buffers.push(input, records);
        if let Some((next_offset, at)) = end {
            state.buffers.reach_end(input, next_offset, at);
        }
    }

    /// Says something about an input that has nothing to do with a record.
    pub(super) fn announce(&self, input: usize, news: InputNews) {
        self.lock().buffers.announce(input, news);
    }

    /// A partition has appeared: the poll thread is to read it.
    pub(super) fn note_appeared(&self, partition: NewPartition) {
        self.lock().appeared.push(partition);
        self.wake();
    }

    /// Partitions that nobody reads yet. Each of them has a lane from here on, whose first item announces it.
    pub(super) fn take_appeared(&self, inputs: usize) -> Vec<NewPartition> {
        let mut state = self.lock();
        let appeared = std::mem::take(&mut state.appeared);
        for (input, partition) in (inputs..).zip(&appeared) {
            state.inputs.push(partition.input.clone());
            state.buffers.add_lane();
            for news in partition.news() {
                state.buffers.announce(input, news);
            }
        }
        appeared
    }

    /// Inputs at their ends.
    pub(super) fn ends(&self) -> Vec<(usize, TopicPartition)> {
        let state = self.lock();
        let ends = state.buffers.ends().into_iter();
        ends.map(|(input, _)| (input, state.inputs[input].clone()))
            .collect()
    }

    pub(super) fn confirm_end(&self, input: usize, end_offset: i64, at: Instant) {
        self.lock().buffers.confirm_end(input, end_offset, at);
    }

    pub(super) fn fail(&self, error: Error) {
        let mut state = self.lock();
        state.failure.get_or_insert(error);
        state.stopped = true;
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.wake();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    pub(super) fn unread(&self, input: usize) -> bool {
        self.lock().buffers.unread(input)
    }

    /// Notifies the poll thread to look again.
    pub(super) fn wake(&self) {
        // full: it has been notified
        let _ = self.wake.try_send(());
    }

    /// Takes what may be handed over; a failure comes before what is still buffered.
    pub(super) fn take(
        &self,
        max: usize,
        watermarks: &[TimestampMs],
        out: &mut Vec<Item>,
    ) -> Result<()> {
        let mut state = self.lock();
        if state.stopped {
            return Err(state.failure.take().unwrap_or_else(stopped));
        }
        if state.buffers.take(max, watermarks, out) {
            drop(state);
            self.wake();
        }
        Ok(())
    }
}
