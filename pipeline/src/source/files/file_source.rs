//! The files of a shard's inputs as one source.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use schemas::time::TimestampMs;

use super::folder::require_directory;
use super::identity::LineWitness;
use super::merge::Merge;
use super::reader::{FileEnds, FileReader};
use crate::error::Result;
use crate::kafka::TopicPartition;
use crate::source::error::stopped;
use crate::source::{InputNews, Item, Source, Start};
use crate::time::wall;

/// Bytes of records that one poll hands over, and one record more.
const POLL_BYTES: usize = 4 << 20;
/// How often partitions without a file are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Room for a line that is kept from one to the next.
const LINE_BYTES: usize = 256 * 1024;

/// How event files are read.
#[derive(Clone, Copy, Debug)]
pub struct FileSettings {
    /// The longest line that is kept whole; of a longer one only the beginning is, see
    /// [`Record::payload`](crate::source::Record::payload).
    pub max_record_bytes: usize,
    pub ends: FileEnds,
}

/// Event files as the inputs of one shard.
pub struct FileSource {
    dir: PathBuf,
    inputs: Vec<TopicPartition>,
    readers: Vec<FileReader>,
    /// By input: the lines handed over.
    witnesses: Vec<LineWitness>,
    merge: Merge,
    ends: FileEnds,
    /// Room for a line, used by one reader after the other.
    line: Vec<u8>,
    looked_at: Instant,
    failed: bool,
}

impl FileSource {
    /// Opens the files of `starts` under `dir` and goes to their offsets.
    ///
    /// Fails if `dir` is missing, a file cannot be read, exists in two forms, is shorter than its offset, or is not the
    /// one that was read.
    pub fn open(dir: &Path, starts: &[Start], settings: FileSettings) -> Result<Self> {
        require_directory(dir)?;
        let mut readers = Vec::with_capacity(starts.len());
        let mut witnesses = Vec::with_capacity(starts.len());
        let mut merge = Merge::new(starts.len());
        let mut line = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            let place = (index, start.offset);
            let mut witness = LineWitness::default();
            let mut reader =
                FileReader::open(dir, &start.input, place, settings, &mut witness, &mut line)?;
            if let Some(path) = reader.path() {
                witness.check(path, start.offset, start.sealed)?;
            }
            witnesses.push(witness);
            if let Some(head) = reader.next(&mut line)? {
                merge.put(head);
            }
            readers.push(reader);
        }
        Ok(Self {
            dir: dir.to_owned(),
            inputs: starts.iter().map(|start| start.input.clone()).collect(),
            readers,
            witnesses,
            merge,
            ends: settings.ends,
            line,
            looked_at: wall::monotonic(),
            failed: false,
        })
    }

    fn read(&mut self, max: usize, at: Instant, out: &mut Vec<Item>) -> Result<()> {
        if self.ends == FileEnds::Followed {
            self.follow(at)?;
        }
        let (mut records, mut bytes) = (0, 0);
        while records < max && bytes < POLL_BYTES {
            let Some(record) = self.merge.take() else {
                break;
            };
            let input = record.input;
            records += 1;
            bytes += record.held_bytes();
            self.witnesses[input].observe(&record);
            out.push(Item::Record(record));
            if let Some(head) = self.readers[input].next(&mut self.line)? {
                self.merge.put(head);
            }
        }
        self.line.shrink_to(LINE_BYTES);
        Ok(())
    }

    /// Takes up what has come to files that had been read to their ends.
    fn follow(&mut self, at: Instant) -> Result<()> {
        let looks_again = at.saturating_duration_since(self.looked_at) >= LOOK_AGAIN;
        if looks_again {
            self.looked_at = at;
        }
        for (input, reader) in self.readers.iter_mut().enumerate() {
            if self.merge.has(input) {
                continue;
            }
            if looks_again && reader.is_missing() {
                reader.look_again(&self.dir, &self.inputs[input])?;
            }
            if let Some(head) = reader.next(&mut self.line)? {
                self.merge.put(head);
            }
        }
        Ok(())
    }
}

impl Source for FileSource {
    /// The files' own order (K1) stands, so `watermarks` decide nothing. Every end is announced again on every poll.
    fn poll(&mut self, max: usize, _watermarks: &[TimestampMs], out: &mut Vec<Item>) -> Result<()> {
        if self.failed {
            return Err(stopped());
        }
        let at = wall::monotonic();
        if let Err(error) = self.read(max, at, out) {
            self.failed = true;
            return Err(error);
        }
        let witnesses = self.witnesses.iter_mut().enumerate();
        out.extend(witnesses.filter_map(|(input, witness)| {
            let news = InputNews::Identified(witness.take_news()?);
            Some(Item::News { input, news })
        }));
        for (input, reader) in self.readers.iter().enumerate() {
            if !self.merge.has(input) {
                let next_offset = reader.next_offset();
                out.push(Item::End {
                    input,
                    next_offset,
                    at,
                });
            }
        }
        Ok(())
    }

    fn unread(&self, input: usize) -> bool {
        self.failed || self.merge.has(input)
    }
}

#[cfg(test)]
mod tests;
