//! Which epoch's records leave next, and from where after a failure. Pure; every instant is given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::record_file::RecordFile;
use crate::time::{Backoff, Pauses};

const BETWEEN_TRIES: Backoff = Backoff {
    longest: Duration::from_secs(30),
    ..Backoff::doubling_from(Duration::from_secs(1))
};
/// Records of one transaction at most.
pub(super) const AT_ONCE: usize = 10_000;
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
    /// Find out how many of the head's records have arrived, then call [`RecordQueue::resumed`].
    Resume { epoch: i64 },
    /// Send some of the head's records, from position `from` on and `count` at most, then call [`RecordQueue::sent`],
    /// [`RecordQueue::failed`] or [`RecordQueue::refused`].
    Send {
        epoch: i64,
        from: usize,
        count: usize,
    },
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
    /// What has arrived is known: nobody else sends, and no transaction's outcome is open.
    is_resumed: bool,
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
            is_resumed: false,
            pauses: BETWEEN_TRIES.pauses(),
            not_before: None,
        }
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
        if !self.is_resumed {
            return RecordStep::Resume { epoch: *epoch };
        }
        RecordStep::Send {
            epoch: *epoch,
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

    /// So many of the head's records have arrived, whoever sent them.
    pub(super) fn resumed(&mut self, arrived: usize) {
        self.is_resumed = true;
        if let Some(head) = &mut self.head {
            head.position = head.position.max(arrived.min(head.records));
        }
    }

    /// `count` records have been committed.
    pub(super) fn sent(&mut self, count: usize) {
        self.advance(count);
        if let Some(head) = &mut self.head {
            head.chunk = (head.chunk * 2).min(AT_ONCE);
        }
        self.recovered();
    }

    /// Nobody answered: the same again after a pause. Unless it `is_undone`, what has arrived is to be found out first.
    pub(super) fn failed(&mut self, is_undone: bool, now: Instant) {
        self.is_resumed &= is_undone;
        // These pauses never end.
        let pause = self
            .pauses
            .after(Duration::ZERO)
            .unwrap_or(BETWEEN_TRIES.longest);
        self.not_before = Some(now + pause);
    }

    /// A record among the next `count` was refused for good, and none of them has arrived. Gives the position of the record that is
    /// skipped; `None` where a smaller chunk has to leave first, or has to find it. `refused` is its place among them, if known.
    pub(super) fn refused(
        &mut self,
        refused: Option<usize>,
        count: usize,
        is_undone: bool,
    ) -> Option<usize> {
        self.is_resumed &= is_undone;
        self.recovered();
        let head = self.head.as_mut()?;
        match refused {
            Some(before) if before > 0 => {
                head.chunk = before;
                return None;
            }
            None if count > 1 => {
                head.chunk = (count / SHRINK).max(1);
                return None;
            }
            Some(_) | None => {}
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

    fn advance(&mut self, by: usize) {
        if let Some(head) = &mut self.head {
            head.position = (head.position + by).min(head.records);
        }
    }

    fn recovered(&mut self) {
        self.pauses = BETWEEN_TRIES.pauses();
        self.not_before = None;
    }
}

#[cfg(test)]
mod tests;
