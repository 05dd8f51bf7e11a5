//! One event file, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use super::folder::unreadable;
use super::identity::LineWitness;
use super::recorded_at::recorded_at;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{Record, TimestampKind};

/// Large enough that reading is a few system calls per thousand events.
const BUFFER_BYTES: usize = 256 * 1024;

/// The record at the head of a file and the instant it is merged by.
pub(super) struct LineHead {
    pub record: Record,
    /// `recorded_at` of the line in ms; of the line before where it has none (K1), `i64::MIN` where none had one yet.
    pub recorded_at: i64,
}

/// Reads the lines of one file as records; a missing file is an empty one (K1).
pub(super) struct FileReader {
    input: usize,
    max_kept_bytes: usize,
    /// Path and lines; `None` for a missing file.
    file: Option<(PathBuf, Box<dyn BufRead + Send>)>,
    /// Number of the next line, from 0.
    next_offset: i64,
    recorded_at: i64,
}

impl FileReader {
    /// Opens the file and goes to line `offset`. The lines skipped are scanned too: the line before may decide where the
    /// first one belongs in the merge, and a resumed run has to hand over the same sequence as an uninterrupted one. `witness`
    /// sees them.
    pub(super) fn open(
        path: Option<&Path>,
        input: usize,
        offset: i64,
        max_kept_bytes: usize,
        witness: &mut LineWitness,
    ) -> Result<Self> {
        let mut reader = Self {
            input,
            max_kept_bytes,
            file: None,
            next_offset: 0,
            recorded_at: i64::MIN,
        };
        if let Some(path) = path {
            let lines = open_lines(path).map_err(unreadable(path, 0))?;
            reader.file = Some((path.to_path_buf(), lines));
        }
        while reader.next_offset < offset {
            let Some(skipped) = reader.next()? else {
                let path = path.unwrap_or(Path::new("(missing)"));
                return Err(too_short(path, reader.next_offset, offset));
            };
            witness.observe(&skipped.record);
        }
        Ok(reader)
    }

    /// Offset of the line that [`next`](Self::next) will give; at the end, the number of lines.
    pub(super) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The next line, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<LineHead>> {
        let Some((path, lines)) = &mut self.file else {
            return Ok(None);
        };
        let line = match read_line(lines, self.max_kept_bytes) {
            Ok(line) => line,
            Err(error) => return Err(unreadable(path, self.next_offset)(error)),
        };
        let Some(line) = line else {
            return Ok(None);
        };
        self.recorded_at = recorded_at(&line.bytes).unwrap_or(self.recorded_at);
        let tombstone = line.bytes == b"null";
        let record = Record {
            input: self.input,
            offset: self.next_offset,
            key: None,
            payload_len: if tombstone { 0 } else { line.len },
            payload: (!tombstone).then(|| Bytes::from(line.bytes)),
            timestamp: None,
            timestamp_kind: TimestampKind::None,
            headers: Vec::new(),
        };
        self.next_offset += 1;
        Ok(Some(LineHead {
            record,
            recorded_at: self.recorded_at,
        }))
    }
}

fn too_short(path: &Path, lines: i64, wanted: i64) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "event file is shorter than what was read before file={} lines={lines} wanted_line={wanted}: files must only grow",
            path.display()
        ),
    )
}

fn open_lines(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let lines: Box<dyn BufRead + Send> = match path.extension().and_then(|e| e.to_str()) {
        // several members behind each other are one file, as `cat a.gz b.gz` makes them
        Some("gz") => Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            MultiGzDecoder::new(file),
        )),
        Some("zst") => Box::new(BufReader::with_capacity(
            BUFFER_BYTES,
            zstd::stream::read::Decoder::with_buffer(file)?,
        )),
        _ => Box::new(file),
    };
    Ok(lines)
}

struct FileLine {
    /// Without its line end, at most as long as asked for.
    bytes: Vec<u8>,
    /// Bytes of the whole line.
    len: u64,
}

/// Reads one line and keeps its first `keep` bytes; the rest passes through the buffer without being held.
fn read_line(lines: &mut dyn BufRead, keep: usize) -> io::Result<Option<FileLine>> {
    let mut line = FileLine {
        bytes: Vec::new(),
        len: 0,
    };
    let mut last = None;
    loop {
        let available = match lines.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            // a last line without line end is a line; nothing after the last line end is not
            if line.len == 0 {
                return Ok(None);
            }
            break;
        }
        let end = memchr::memchr(b'\n', available);
        let part = &available[..end.unwrap_or(available.len())];
        let room = keep - line.bytes.len();
        line.bytes.extend_from_slice(&part[..part.len().min(room)]);
        line.len += part.len() as u64;
        last = part.last().copied().or(last);
        let used = part.len() + usize::from(end.is_some());
        lines.consume(used);
        if end.is_some() {
            break;
        }
    }
    // lines written on Windows: the carriage return belongs to the line end
    if last == Some(b'\r') {
        line.len -= 1;
        if line.bytes.len() as u64 > line.len {
            line.bytes.pop();
        }
    }
    Ok(Some(line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn lines(text: &[u8], keep: usize, buffer: usize) -> Vec<(Vec<u8>, u64)> {
        let mut reader = BufReader::with_capacity(buffer, Cursor::new(text.to_vec()));
        let mut all = Vec::new();
        while let Some(line) = read_line(&mut reader, keep).unwrap() {
            all.push((line.bytes, line.len));
        }
        all
    }

    #[test]
    fn line_ends_and_cuts() {
        // a tiny buffer makes every line, and the line end itself, straddle its edge
        for buffer in [1, 2, 3, 64] {
            let got = lines(b"ab\n\ncd\r\nabcdefgh\nlast", 4, buffer);
            let want: Vec<(Vec<u8>, u64)> = vec![
                (b"ab".to_vec(), 2),
                (b"".to_vec(), 0),
                (b"cd".to_vec(), 2),
                (b"abcd".to_vec(), 8),
                (b"last".to_vec(), 4),
            ];
            assert_eq!(got, want, "buffer={buffer}");
        }
    }

    #[test]
    fn carriage_return_at_the_cut() {
        assert_eq!(lines(b"abc\r\n", 4, 8), [(b"abc".to_vec(), 3)]);
        assert_eq!(lines(b"abcd\r\n", 4, 8), [(b"abcd".to_vec(), 4)]);
        assert_eq!(lines(b"abc\rdef\n", 4, 8), [(b"abc\r".to_vec(), 7)]);
    }
}
