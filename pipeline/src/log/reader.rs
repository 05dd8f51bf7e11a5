//! Following a log without owning it: the publisher reads shards, `status` and queries read everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::ObjectStore;

use super::objects::Objects;
use super::record::{ClaimId, LogRecord, RecordKind};
use super::recover::{Recovered, read_chain};
use crate::error::Result;

/// One record as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    pub number: u64,
    /// `Claim` (the payload is the owner's name) or `Data`.
    pub kind: RecordKind,
    pub claim: ClaimId,
    pub payload: Bytes,
}

impl From<LogRecord> for LogEntry {
    fn from(record: LogRecord) -> Self {
        Self {
            number: record.header.number,
            kind: record.header.kind,
            claim: record.header.claim,
            payload: record.payload,
        }
    }
}

/// Reads the records of one log; any number of readers may, in any process.
#[derive(Debug)]
pub struct LogReader {
    objects: Objects,
    /// A number that is known to exist (0 before the first look): numbers are contiguous, so looking goes on from here.
    known: AtomicU64,
}

impl LogReader {
    /// A reader of the log `name`, whose payloads have this layout; nothing is read yet.
    pub fn new(store: Arc<dyn ObjectStore>, name: &str, layout: u16) -> Self {
        Self {
            objects: Objects::new(store, name, layout),
            known: AtomicU64::new(0),
        }
    }

    /// The newest record's number; `None` for a log without records.
    ///
    /// Lists the log once, after that it asks for a few numbers only: steps that double, then halve.
    pub async fn last_number(&self) -> Result<Option<u64>> {
        let mut known = self.known.load(Ordering::Relaxed);
        // The known number may have been trimmed since, then what follows it proves nothing.
        if known == 0 || !self.objects.has_record(known).await? {
            let listed = self.objects.list(&self.objects.folder.records()).await?;
            let Some((number, _)) = listed.last() else {
                return Ok(None);
            };
            known = *number;
        }
        let mut step = 1;
        while self.objects.has_record(known + step).await? {
            known += step;
            step *= 2;
        }
        while step > 1 {
            step /= 2;
            if self.objects.has_record(known + step).await? {
                known += step;
            }
        }
        self.known.store(known, Ordering::Relaxed);
        Ok(Some(known))
    }

    /// One record; `None` where there is none (not yet, or no more).
    ///
    /// A record of another layout or format is [`Incompatible`](crate::error::ErrorKind::Incompatible).
    pub async fn read(&self, number: u64) -> Result<Option<LogEntry>> {
        Ok(self.objects.record(number).await?.map(LogEntry::from))
    }

    /// The newest usable checkpoint and the records behind it, as a new owner would find them.
    pub async fn recovered(&self) -> Result<Recovered> {
        Ok(read_chain(&self.objects).await?.1)
    }

    /// The records from `number` down to the oldest that is kept, newest first.
    pub fn read_back(&self, number: u64) -> BoxStream<'_, Result<LogEntry>> {
        stream::try_unfold(number, move |number| async move {
            if number == 0 {
                return Ok(None);
            }
            Ok(self.read(number).await?.map(|entry| (entry, number - 1)))
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests;
