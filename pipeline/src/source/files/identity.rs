//! Whether an event file is still the one that was read.
//!
//! A file that was replaced by another, longer one has lines at all offsets that were read. Its first and its last line read
//! tell: both are hashed, and stand in the seal beside the offset.

use std::hash::Hasher;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::error::{Error, ErrorKind, Result};
use crate::source::{InputIdentity, Record};

/// Of a longer line this much is hashed, and its length: how much of it was kept depends on the configuration.
const HASHED_BYTES: usize = 4096;

/// Hashes of the first and of the last line read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesRead {
    first: u64,
    last: u64,
}

/// The lines read so far of one file, which come in order from its first one.
#[derive(Default)]
pub(super) struct LineWitness {
    first: Option<u64>,
    /// Start and length of the last line; hashed when somebody asks.
    last: Option<(Option<Bytes>, u64)>,
    has_news: bool,
}

impl LineWitness {
    /// Takes note of the next line read. Blanks at its end do not count: they may follow a line that was read without its end
    /// (K47).
    pub(super) fn observe(&mut self, record: &Record) {
        let payload = record.payload.as_ref();
        let is_whole = |bytes: &Bytes| bytes.len() as u64 == record.payload_len;
        let length = match payload.filter(|bytes| is_whole(bytes)) {
            Some(bytes) => bytes.trim_ascii_end().len() as u64,
            None => record.payload_len,
        };
        let hashed = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(HASHED_BYTES);
        let start = payload.map(|bytes| bytes.slice(..bytes.len().min(hashed)));
        let last = (start, length);
        if self.first.is_none() {
            self.first = Some(hash(&last));
        }
        self.last = Some(last);
        self.has_news = true;
    }

    fn lines(&self) -> Option<LinesRead> {
        let last = self.last.as_ref()?;
        Some(LinesRead {
            first: self.first?,
            last: hash(last),
        })
    }

    /// What is known, where lines have come since the last call.
    pub(super) fn take_news(&mut self) -> Option<InputIdentity> {
        let has_news = std::mem::take(&mut self.has_news);
        let lines = self.lines().filter(|_| has_news);
        lines.map(InputIdentity::Lines)
    }

    /// Fails where the lines up to the sealed offset are not those that were read. `offset` is the number of lines read.
    pub(super) fn check(
        &self,
        path: &Path,
        offset: i64,
        sealed: Option<InputIdentity>,
    ) -> Result<()> {
        let sealed = match sealed {
            None | Some(InputIdentity::Unknown) => return Ok(()),
            Some(InputIdentity::Lines(sealed)) => sealed,
            Some(InputIdentity::Topic(id)) => {
                return Err(Error::new(
                    ErrorKind::EventsMissing,
                    format!(
                        "this storage has read a Kafka topic, its offsets are no lines of a file file={} topic_id={id}: set [source] \
                         kind = \"kafka\" again, or replay into a new storage",
                        path.display()
                    ),
                ));
            }
        };
        let which = match self.lines() {
            Some(found) if found == sealed => return Ok(()),
            Some(found) if found.first == sealed.first => format!("line={}", offset - 1),
            _ => "line=0".to_owned(),
        };
        Err(Error::new(
            ErrorKind::EventsMissing,
            format!(
                "event file is not the one that was read before file={} {which} read_lines={offset}: it was replaced or changed, \
                 files must only grow; put the former one back, or replay into a new storage",
                path.display()
            ),
        ))
    }
}

fn hash((start, len): &(Option<Bytes>, u64)) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(*len);
    hasher.write_u8(u8::from(start.is_some()));
    hasher.write(start.as_deref().unwrap_or_default());
    hasher.finish()
}
