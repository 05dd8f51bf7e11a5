//! One event file, line by line.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::content::{Content, Growth};
use super::file_source::FileSettings;
use super::folder::{EventFile, Packing, event_file, unreadable};
use super::identity::LineWitness;
use super::line::{Blanks, is_whole_json, read_line, take_blanks};
use super::recorded_at::recorded_at;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::TopicPartition;
use crate::observe::LastLineTorn;
use crate::source::record::{PREFIX_BYTES, kept_bytes};
use crate::source::{Record, TimestampKind};

/// Where reading stops, and what becomes of a last line whose line end is missing.
///
/// One that is a whole JSON value is a record everywhere (K47).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEnds {
    /// Nowhere: files grow. A torn line waits for its end.
    Followed,
    /// Where the file ended when it was opened. A torn line is left to a later run.
    AtOpening,
    /// The same, and nothing more will come: a torn line is a record as it is.
    Final,
}

/// The record at the head of a file and the instant it is merged by.
pub(super) struct LineHead {
    pub record: Record,
    /// `recorded_at` of the line in ms; of the line before where it has none (K1), `i64::MIN` where none had one yet.
    pub recorded_at: i64,
}

/// Reads the lines of one file as records; a missing file is an empty one (K1).
pub(super) struct FileReader {
    input: usize,
    settings: FileSettings,
    path: PathBuf,
    packing: Packing,
    /// `None` for a missing file.
    content: Option<Content>,
    /// Number of the next line, from 0.
    next_offset: i64,
    recorded_at: i64,
    /// The line before was read without its end: up to it only blanks may follow.
    owes_line_end: bool,
}

impl FileReader {
    /// Opens the file of a partition under `dir` and goes to line `offset`. The lines skipped are scanned too: the line before
    /// may decide where the first one belongs in the merge, and a resumed run has to hand over the same sequence as an
    /// uninterrupted one. `witness` sees them; `line` is room for a line.
    pub(super) fn open(
        dir: &Path,
        partition: &TopicPartition,
        (input, offset): (usize, i64),
        settings: FileSettings,
        witness: &mut LineWitness,
        line: &mut Vec<u8>,
    ) -> Result<Self> {
        let mut reader = Self {
            input,
            settings,
            path: PathBuf::new(),
            packing: Packing::Plain,
            content: None,
            next_offset: 0,
            recorded_at: i64::MIN,
            owes_line_end: false,
        };
        if let Some(file) = event_file(dir, &partition.topic, partition.partition)? {
            reader.put(&file)?;
        }
        while reader.next_offset < offset {
            let Some(skipped) = reader.next(line)? else {
                return Err(if reader.is_missing() {
                    gone(dir, partition, offset)
                } else {
                    reader.too_short(offset)
                });
            };
            witness.observe(&skipped.record);
        }
        Ok(reader)
    }

    fn put(&mut self, file: &EventFile) -> Result<()> {
        let follows = self.settings.ends == FileEnds::Followed;
        let content = Content::open(&file.path, file.packing, follows);
        self.content = Some(content.map_err(unreadable(&file.path, 0))?);
        self.path.clone_from(&file.path);
        self.packing = file.packing;
        Ok(())
    }

    /// Its file; `None` where there is none.
    pub(super) fn path(&self) -> Option<&Path> {
        self.content.is_some().then_some(self.path.as_path())
    }

    /// Whether its file did not exist when it was last looked for.
    pub(super) fn is_missing(&self) -> bool {
        self.content.is_none()
    }

    /// Looks again for the file of a partition that had none. A compressed one is not followed, so not taken up either.
    pub(super) fn look_again(&mut self, dir: &Path, partition: &TopicPartition) -> Result<()> {
        match event_file(dir, &partition.topic, partition.partition)? {
            Some(file) if file.packing == Packing::Plain => self.put(&file),
            _ => Ok(()),
        }
    }

    /// Offset of the line that [`next`](Self::next) will give; at the end, the number of lines.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The next line, or `None` at the end, which for a file that is followed is the end for now.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<LineHead>> {
        let Some(content) = &mut self.content else {
            return Ok(None);
        };
        let failed = unreadable(&self.path, self.next_offset);
        let read = match content.has_more().map_err(failed)? {
            Growth::Nothing => return Ok(None),
            Growth::Shorter => return Err(self.too_short(self.next_offset)),
            Growth::More => self.read(line),
        };
        match read.map_err(unreadable(&self.path, self.next_offset))? {
            Step::End => Ok(None),
            Step::Changed => Err(changed(&self.path, self.next_offset - 1)),
            Step::Line { len } => Ok(Some(self.head(line, len))),
        }
    }

    fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Step> {
        let Some(content) = &mut self.content else {
            return Ok(Step::End);
        };
        if self.owes_line_end {
            let (blanks, taken) = take_blanks(content.stream())?;
            content.advance(taken);
            match blanks {
                Blanks::LineEnd => self.owes_line_end = false,
                Blanks::Content => return Ok(Step::Changed),
                Blanks::End => {
                    content.wait_for_more(0)?;
                    return Ok(Step::End);
                }
            }
        }
        let limit = self.settings.max_record_bytes;
        // Enough for the beginning that is kept of a line, however few bytes a record may have.
        let Some(found) = read_line(content.stream(), limit.max(PREFIX_BYTES), line)? else {
            content.wait_for_more(0)?;
            return Ok(Step::End);
        };
        if !found.is_ended {
            // Of one that is too large not enough is held to tell; it is a dead letter once it has its end.
            let is_whole = found.len <= limit as u64 && is_whole_json(line);
            if !is_whole && self.settings.ends != FileEnds::Final {
                if !content.wait_for_more(found.taken)? {
                    // Nothing is read from it any more: the torn line is left to a later run.
                    *content = Content::Complete(Box::new(io::empty()));
                    LastLineTorn {
                        path: &self.path,
                        line: self.next_offset,
                        is_compressed: self.packing != Packing::Plain,
                    }
                    .report();
                }
                return Ok(Step::End);
            }
            self.owes_line_end = true;
        }
        content.advance(found.taken);
        Ok(Step::Line { len: found.len })
    }

    fn head(&mut self, line: &[u8], len: u64) -> LineHead {
        self.recorded_at = recorded_at(line).unwrap_or(self.recorded_at);
        let tombstone = line == b"null";
        let whole = usize::try_from(len).unwrap_or(usize::MAX);
        let kept = kept_bytes(whole, self.settings.max_record_bytes);
        let record = Record {
            input: self.input,
            offset: self.next_offset,
            key: None,
            payload_len: if tombstone { 0 } else { len },
            payload: (!tombstone).then(|| Bytes::copy_from_slice(&line[..kept])),
            timestamp: None,
            timestamp_kind: TimestampKind::None,
            headers: Vec::new(),
        };
        self.next_offset += 1;
        LineHead {
            record,
            recorded_at: self.recorded_at,
        }
    }

    fn too_short(&self, wanted: i64) -> Error {
        Error::new(
            ErrorKind::EventsMissing,
            format!(
                "event file is shorter than what was read before file={} lines={} wanted_line={wanted}: files must only grow",
                self.path.display(),
                self.next_offset
            ),
        )
    }
}

/// What reading on gave.
enum Step {
    Line {
        /// Bytes of the whole line.
        len: u64,
    },
    End,
    /// Something stands behind a line that was read before its end had come.
    Changed,
}

/// There is no file, though `wanted` lines of it were read before.
fn gone(dir: &Path, partition: &TopicPartition, wanted: i64) -> Error {
    let (topic, number) = (&partition.topic, partition.partition);
    let path = dir.join(topic).join(format!("{number}.ndjson"));
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "event file was read before and is gone topic={topic} partition={number} file={} wanted_line={wanted}: put the file \
             back (.gz and .zst are found too); event files must only grow",
            path.display()
        ),
    )
}

fn changed(path: &Path, line: i64) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "a line of an event file has changed after it was read file={} line={line}: it was a whole JSON value without a line \
             end, now more than blanks stand behind it; write an event and its line end at once, and start with an empty \
             [storage] url to read the file again",
            path.display()
        ),
    )
}
