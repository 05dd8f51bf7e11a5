//! The files of a shard's inputs as one source.

use std::path::Path;

use schemas::time::TimestampMs;

use super::folder::{event_file, require_directory};
use super::merge::Merge;
use super::reader::FileReader;
use crate::error::Result;
use crate::source::error::stopped;
use crate::source::{Item, Source, Start};
use crate::time::wall;

/// Event files as the inputs of one shard.
pub struct FileSource {
    readers: Vec<FileReader>,
    merge: Merge,
    failed: bool,
}

impl FileSource {
    /// Opens the files of `starts` under `dir` and goes to their offsets.
    ///
    /// `max_kept_bytes` bounds what is kept of a line (see [`Record::payload`](crate::source::Record::payload)). Fails if
    /// `dir` is missing, a file cannot be read, exists in two forms, or is shorter than its offset.
    pub fn open(dir: &Path, starts: &[Start], max_kept_bytes: usize) -> Result<Self> {
        require_directory(dir)?;
        let mut readers = Vec::with_capacity(starts.len());
        let mut merge = Merge::new(starts.len());
        for (input, start) in starts.iter().enumerate() {
            let path = event_file(dir, &start.input.topic, start.input.partition)?;
            let mut reader =
                FileReader::open(path.as_deref(), input, start.offset, max_kept_bytes)?;
            if let Some(head) = reader.next()? {
                merge.put(head);
            }
            readers.push(reader);
        }
        Ok(Self {
            readers,
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
