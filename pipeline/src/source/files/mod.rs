//! Records from event files: `DIR/<topic>/<partition>.ndjson`, also `.gz` and `.zst`.
//!
//! One event a line in arrival order; the number of the line, from 0, is the offset. Files are complete when they are
//! opened: what is appended later is not seen. The sequence over all files depends on their content and the starts alone
//! (K1), however polls cut it.

mod merge;
mod reader;
mod recorded_at;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use schemas::time::TimestampMs;

use self::merge::Merge;
use self::reader::FileReader;
use super::error::stopped;
use super::{Item, Source, Start};
use crate::error::{Error, ErrorKind, Result};
use crate::time::wall;

/// Endings in which an event file may come.
const ENDINGS: [&str; 3] = [".ndjson", ".ndjson.gz", ".ndjson.zst"];

/// Event files as the inputs of one shard.
pub struct FileSource {
    readers: Vec<FileReader>,
    merge: Merge,
    failed: bool,
}

impl FileSource {
    /// Opens the files of `starts` under `dir` and goes to their offsets.
    ///
    /// `max_kept_bytes` bounds what is kept of a line (see [`Record::payload`](super::Record::payload)). Fails if `dir` is
    /// missing, a file cannot be read, exists in two forms, or is shorter than its offset.
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

/// Number of partitions that the files of the customer topics make: the highest file number + 1 (K1); 0 without any file.
pub fn file_partitions(dir: &Path, topics: &[&str]) -> Result<u32> {
    require_directory(dir)?;
    let mut partitions = 0;
    for topic in topics {
        let folder = dir.join(topic);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder, 0))? {
            let path = entry.map_err(unreadable(&folder, 0))?.path();
            if let Some(number) = file_number(&path)? {
                partitions = partitions.max(number + 1);
            }
        }
    }
    Ok(partitions)
}

fn require_directory(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Configuration,
        format!(
            "there is no folder of event files dir={}: check its name",
            dir.display()
        ),
    ))
}

/// For `map_err`: `line` is the number of the line that was to be read, from 0.
fn unreadable(path: &Path, line: i64) -> impl FnOnce(io::Error) -> Error {
    let message = format!(
        "event file cannot be read file={} line={line}: the file may be damaged or incomplete",
        path.display()
    );
    Error::from_source(ErrorKind::Unavailable, message)
}

fn bad_name(path: &Path, reason: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "event file name is not understood file={}: {reason}",
            path.display()
        ),
    )
}

/// The partition an event file belongs to; `None` for other files.
fn file_number(path: &Path) -> Result<Option<u32>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(stem) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else {
        return Ok(None);
    };
    // only the form that will be looked for: neither 00.ndjson nor +1.ndjson, nor what does not fit a partition number
    match stem.parse::<u32>() {
        Ok(number) if number.to_string() == stem && i32::try_from(number).is_ok() => {
            Ok(Some(number))
        }
        _ => Err(bad_name(
            path,
            "expected a partition number such as 0.ndjson",
        )),
    }
}

/// The file of a partition in whichever form it exists; `None` if there is none.
fn event_file(dir: &Path, topic: &str, partition: i32) -> Result<Option<PathBuf>> {
    let mut found: Option<PathBuf> = None;
    for ending in ENDINGS {
        let path = dir.join(topic).join(format!("{partition}{ending}"));
        if !path.exists() {
            continue;
        }
        if let Some(first) = found {
            let first = first.display();
            return Err(bad_name(
                &path,
                format_args!("partition {partition} also exists as {first}; keep one of them"),
            ));
        }
        found = Some(path);
    }
    Ok(found)
}
