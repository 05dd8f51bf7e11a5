//! The bytes of an event file, unpacked: one that grows, or one that ends where it ended when it was opened.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::Packing;
use super::gzip::GzipMembers;

/// Large enough that reading is a few system calls per thousand events.
const BUFFER_BYTES: usize = 256 * 1024;

/// See the module's page. Whatever a compressed file unpacks to, only buffers of it are held, and the window of its frame.
pub(super) enum Content {
    Growing(GrowingFile),
    Complete(Box<dyn BufRead + Send>),
}

/// An uncompressed file that is read again behind its end.
pub(super) struct GrowingFile {
    reader: BufReader<File>,
    /// Where the next line begins.
    position: u64,
    /// Length of the file when all of it had been seen; `None` while there is more.
    seen: Option<u64>,
}

impl Content {
    /// Opens a file. An uncompressed one is followed if `follows` says so, else it ends where it ends now.
    pub(super) fn open(path: &Path, packing: Packing, follows: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let buffered = |file: File| BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(match packing {
            Packing::Plain if follows => Self::Growing(GrowingFile {
                reader: buffered(file),
                position: 0,
                seen: None,
            }),
            Packing::Plain => {
                let length = file.metadata()?.len();
                let content = file.take(length);
                Self::Complete(Box::new(BufReader::with_capacity(BUFFER_BYTES, content)))
            }
            Packing::Gzip => Self::Complete(Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                GzipMembers::new(buffered(file)),
            ))),
            // several frames behind each other are one file
            Packing::Zstd => Self::Complete(Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                zstd::stream::read::Decoder::with_buffer(buffered(file))?,
            ))),
        })
    }

    pub(super) fn stream(&mut self) -> &mut dyn BufRead {
        match self {
            Self::Growing(file) => &mut file.reader,
            Self::Complete(stream) => stream,
        }
    }

    /// Bytes were read for good.
    pub(super) fn advance(&mut self, bytes: u64) {
        if let Self::Growing(file) = self {
            file.position += bytes;
        }
    }

    /// The end was met, `beyond` bytes behind what was read for good: those are read again once the file has grown. False where
    /// this end is the last one.
    pub(super) fn wait_for_more(&mut self, beyond: u64) -> io::Result<bool> {
        let Self::Growing(file) = self else {
            return Ok(false);
        };
        file.reader.seek(SeekFrom::Start(file.position))?;
        file.seen = Some(file.position + beyond);
        Ok(true)
    }

    /// Whether there is anything to read that was not seen. A file that is shorter than what was read is an error of its own.
    pub(super) fn has_more(&mut self) -> io::Result<Growth> {
        let Self::Growing(file) = self else {
            return Ok(Growth::More);
        };
        let Some(seen) = file.seen else {
            return Ok(Growth::More);
        };
        let length = file.reader.get_ref().metadata()?.len();
        if length < file.position {
            return Ok(Growth::Shorter);
        }
        if length == seen {
            return Ok(Growth::Nothing);
        }
        file.seen = None;
        Ok(Growth::More)
    }
}

/// How a file compares with what was seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Nothing,
    More,
    Shorter,
}
