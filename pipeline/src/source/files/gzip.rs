//! Gzip as `gzip -d` reads it: members behind each other are one file, and zeros behind the last one are padding.

use std::io::{self, BufRead, Error, ErrorKind, Read};

use flate2::bufread::GzDecoder;

/// What the first byte of a member is.
const MAGIC: u8 = 0x1f;

/// The content of all members of a gzip file. A file that ends inside a member is an error, never an end.
pub(super) struct GzipMembers<R> {
    /// `None` behind the last member.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> GzipMembers<R> {
    pub(super) fn new(compressed: R) -> Self {
        Self {
            member: Some(GzDecoder::new(compressed)),
        }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            let read = member.read(buffer);
            if buffer.is_empty() || !matches!(read, Ok(0)) {
                self.member = Some(member);
                return read;
            }
            let mut compressed = member.into_inner();
            if has_member(&mut compressed)? {
                self.member = Some(GzDecoder::new(compressed));
            }
        }
        Ok(0)
    }
}

/// Passes over padding; whether another member follows. What is neither is an error: it may be one that is damaged.
fn has_member(compressed: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let available = compressed.fill_buf()?;
        if available.is_empty() {
            return Ok(false);
        }
        let zeros = available.iter().take_while(|byte| **byte == 0).count();
        match available.get(zeros) {
            None => compressed.consume(zeros),
            Some(&MAGIC) => {
                compressed.consume(zeros);
                return Ok(true);
            }
            Some(_) => {
                let message = "bytes follow that are neither padding nor compressed";
                return Err(Error::new(ErrorKind::InvalidData, message));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(compressed: &[u8], buffer: usize) -> io::Result<String> {
        let mut text = String::new();
        let stream = BufReader::with_capacity(buffer, compressed);
        GzipMembers::new(stream).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn members_are_one_file_and_zeros_behind_them_are_padding() {
        for buffer in [1, 7, 4096] {
            let two = [gzip("a\n"), gzip("b\n")].concat();
            assert_eq!(read(&two, buffer).unwrap(), "a\nb\n");
            for zeros in [1, 512, 10_000] {
                let padded = [two.as_slice(), &vec![0; zeros]].concat();
                assert_eq!(read(&padded, buffer).unwrap(), "a\nb\n", "zeros={zeros}");
                // blocks of a tape: padding, and the next archive
                let blocks = [padded.as_slice(), &gzip("c\n")].concat();
                assert_eq!(read(&blocks, buffer).unwrap(), "a\nb\nc\n");
            }
            assert_eq!(read(&gzip(""), buffer).unwrap(), "");
        }
    }

    #[test]
    fn what_is_cut_or_followed_by_something_else_is_an_error() {
        let whole = gzip("a line\nand another\n");
        for end in 0..whole.len() {
            assert!(read(&whole[..end], 64).is_err(), "end={end}");
        }
        for tail in ["x", "\0\0x", "\x1f", "\x1f\u{b}"] {
            let followed = [whole.as_slice(), tail.as_bytes()].concat();
            assert!(read(&followed, 64).is_err(), "{tail:?}");
        }
    }
}
