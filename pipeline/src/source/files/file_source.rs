//! The files of a shard's inputs as one source.

use std::path::Path;

use schemas::time::TimestampMs;

use super::folder::{event_file, require_directory};
use super::identity::LineWitness;
use super::merge::Merge;
use super::reader::FileReader;
use crate::error::Result;
use crate::source::error::stopped;
use crate::source::{InputNews, Item, Source, Start};
use crate::time::wall;

/// Event files as the inputs of one shard.
pub struct FileSource {
    readers: Vec<FileReader>,
    /// By input: the lines handed over.
    witnesses: Vec<LineWitness>,
    merge: Merge,
    failed: bool,
}

impl FileSource {
    /// Opens the files of `starts` under `dir` and goes to their offsets.
    ///
    /// `max_kept_bytes` bounds what is kept of a line (see [`Record::payload`](crate::source::Record::payload)). Fails if
    /// `dir` is missing, a file cannot be read, exists in two forms, is shorter than its offset, or is not the one that was read.
    pub fn open(dir: &Path, starts: &[Start], max_kept_bytes: usize) -> Result<Self> {
        require_directory(dir)?;
        let mut readers = Vec::with_capacity(starts.len());
        let mut witnesses = Vec::with_capacity(starts.len());
        let mut merge = Merge::new(starts.len());
        for (input, start) in starts.iter().enumerate() {
            let path = event_file(dir, &start.input.topic, start.input.partition)?;
            let path = path.as_deref();
            let mut witness = LineWitness::default();
            let mut reader =
                FileReader::open(path, input, start.offset, max_kept_bytes, &mut witness)?;
            if let Some(path) = path {
                witness.check(path, start.offset, start.sealed)?;
            }
            witnesses.push(witness);
            if let Some(head) = reader.next()? {
                merge.put(head);
            }
            readers.push(reader);
        }
        Ok(Self {
            readers,
            witnesses,
            merge,
            failed: false,
        })
    }

    fn read(&mut self, max: usize, out: &mut Vec<Item>) -> Result<()> {
        for _ in 0..max {
            let Some(record) = self.merge.take() else {
                break;
            };
            let input = record.input;
            self.witnesses[input].observe(&record);
            out.push(Item::Record(record));
            if let Some(head) = self.readers[input].next()? {
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
        if let Err(error) = self.read(max, out) {
            self.failed = true;
            return Err(error);
        }
        let witnesses = self.witnesses.iter_mut().enumerate();
        out.extend(witnesses.filter_map(|(input, witness)| {
            let news = InputNews::Identified(witness.take_news()?);
            Some(Item::News { input, news })
        }));
        let at = wall::monotonic();
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
