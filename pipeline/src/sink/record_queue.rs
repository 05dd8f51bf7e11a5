//! Which epoch's records leave next, and from where after a failure. Pure; every instant is given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::record_file::RecordFile;
use super::record_sink::AT_ONCE;
use crate::time::{Backoff, Pauses};

const BETWEEN_TRIES: Backoff = Backoff {
    longest: Duration::from_secs(30),
    ..Backoff::doubling_from(Duration::from_secs(1))
};
/// A batch is refused whole for one of its records: a refused chunk is tried again as one of its length by this.
const SHRINK: usize = 8;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RecordStep {
    /// Nothing waits.
    Idle,
    /// Nothing before this instant.
    WaitUntil(Instant),
    /// Read the head's file, then call [`RecordQueue::read`].
    Read(RecordFile),
    /// Send `count` of the head's records from position `from` on, then call [`RecordQueue::sent`] or [`RecordQueue::failed`].
    Send { from: usize, count: usize },
    /// All of the head's records have left: make that durable, then call [`RecordQueue::sealed`].
    Seal { epoch: i64 },
}

/// Epochs whose records have not left, in their order. Only the head is ever tried.
#[derive(Debug)]
pub(super) struct RecordQueue {
    /// The newest epoch whose records have left, durably.
    delivered: Option<i64>,
    waiting: VecDeque<(i64, RecordFile)>,
    /// Records of the head and how many of them have left or were given up; `None` before its file has been read.
    head: Option<HeadProgress>,
    /// Since the last progress.
    pauses: Pauses,
    not_before: Option<Instant>,
}

/// How far the head has got, and how many records are sent at once.
#[derive(Clone, Copy, Debug)]
struct HeadProgress {
    records: usize,
    position: usize,
    chunk: usize,
}

impl RecordQueue {
    pub(super) fn new(delivered: Option<i64>) -> Self {
        Self {
            delivered,
            waiting: VecDeque::new(),
            head: None,
            pauses: BETWEEN_TRIES.pauses(),
            not_before: None,
        }
    }

    /// The newest epoch whose records have left, durably.
    pub(super) fn delivered(&self) -> Option<i64> {
        self.delivered
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The epoch that is under way.
    pub(super) fn head_epoch(&self) -> Option<i64> {
        self.waiting.front().map(|(epoch, _)| *epoch)
    }

    /// Queues an epoch; one that has left or waits already changes nothing.
    pub(super) fn push(&mut self, epoch: i64, file: RecordFile) {
        let newest = self.waiting.back().map(|(epoch, _)| *epoch);
        if newest.max(self.delivered) < Some(epoch) {
            self.waiting.push_back((epoch, file));
        }
    }

    pub(super) fn next(&self, now: Instant) -> RecordStep {
        let Some((epoch, file)) = self.waiting.front() else {
            return RecordStep::Idle;
        };
        if let Some(until) = self.not_before.filter(|until| *until > now) {
            return RecordStep::WaitUntil(until);
        }
        let Some(head) = self.head else {
            return RecordStep::Read(file.clone());
        };
        let left = head.records - head.position;
        if left == 0 {
            return RecordStep::Seal { epoch: *epoch };
        }
        RecordStep::Send {
            from: head.position,
            count: left.min(head.chunk),
        }
    }

    /// The head's file has been read and holds so many records.
    pub(super) fn read(&mut self, records: usize) {
        self.head = Some(HeadProgress {
            records,
            position: 0,
            chunk: AT_ONCE,
        });
        self.recovered();
    }

    /// The chunk has been acknowledged.
    pub(super) fn sent(&mut self) {
        if let Some(head) = &mut self.head {
            head.position = (head.position + head.chunk).min(head.records);
            head.chunk = (head.chunk * 2).min(AT_ONCE);
        }
        self.recovered();
    }

    /// Nobody answered: the same again after a pause. `arrived` records of the chunk have been acknowledged before.
    pub(super) fn failed(&mut self, arrived: usize, now: Instant) {
        if self.advance(arrived) {
            self.recovered();
        }
        // These pauses never end.
        let pause = self
            .pauses
            .after(Duration::ZERO)
            .unwrap_or(BETWEEN_TRIES.longest);
        self.not_before = Some(now + pause);
    }

    /// A record of the chunk was refused for good, after `arrived` that were acknowledged. Gives the position of the record
    /// that is skipped; `None` where a smaller chunk has to find it.
    pub(super) fn refused(&mut self, arrived: usize) -> Option<usize> {
        self.advance(arrived);
        self.recovered();
        let head = self.head.as_mut()?;
        let left = head.records - head.position;
        if head.chunk.min(left) > 1 {
            head.chunk = (head.chunk.min(left) / SHRINK).max(1);
            return None;
        }
        let skipped = head.position;
        self.advance(1);
        Some(skipped)
    }

    /// The head is durably delivered; gives its file, which may go.
    pub(super) fn sealed(&mut self) -> Option<(i64, RecordFile)> {
        let (epoch, file) = self.waiting.pop_front()?;
        self.delivered = Some(epoch);
        self.head = None;
        self.recovered();
        Some((epoch, file))
    }

    fn advance(&mut self, by: usize) -> bool {
        if let Some(head) = &mut self.head {
            head.position = (head.position + by).min(head.records);
        }
        by > 0
    }

    fn recovered(&mut self) {
        self.pauses = BETWEEN_TRIES.pauses();
        self.not_before = None;
    }
}

#[cfg(test)]
mod tests;
