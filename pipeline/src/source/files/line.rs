//! Lines of a stream of bytes, of which no more is held than is asked for.

use std::io::{self, BufRead, ErrorKind};

use serde::de::IgnoredAny;

/// A line as it was found; its first bytes are in the buffer that [`read_line`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileLine {
    /// Bytes of the whole line without its end.
    pub len: u64,
    /// Bytes taken from the stream.
    pub taken: u64,
    /// Whether its line feed came; without one the stream ended inside it.
    pub is_ended: bool,
}

/// Reads one line and keeps its first `keep` bytes in `line`; the rest passes through the stream's buffer without being held.
/// `None` at the end of the stream.
pub(super) fn read_line(
    stream: &mut dyn BufRead,
    keep: usize,
    line: &mut Vec<u8>,
) -> io::Result<Option<FileLine>> {
    line.clear();
    let mut found = FileLine {
        len: 0,
        taken: 0,
        is_ended: false,
    };
    let mut last = None;
    while !found.is_ended {
        let available = available(stream)?;
        if available.is_empty() {
            break;
        }
        let end = memchr::memchr(b'\n', available);
        let part = &available[..end.unwrap_or(available.len())];
        let room = keep - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        found.len += part.len() as u64;
        found.is_ended = end.is_some();
        last = part.last().copied().or(last);
        let taken = part.len() + usize::from(found.is_ended);
        found.taken += taken as u64;
        stream.consume(taken);
    }
    if found.taken == 0 {
        return Ok(None);
    }
    // lines written on Windows: the carriage return belongs to the line end
    if last == Some(b'\r') {
        found.len -= 1;
        if line.len() as u64 > found.len {
            line.pop();
        }
    }
    Ok(Some(found))
}

/// What stands where only blanks may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blanks {
    /// A line feed, which was taken too.
    LineEnd,
    /// So far nothing else.
    End,
    /// Something that is no blank; it was not taken.
    Content,
}

/// Takes blanks up to and with the next line feed; also says how many bytes it took.
pub(super) fn take_blanks(stream: &mut dyn BufRead) -> io::Result<(Blanks, u64)> {
    let mut taken = 0;
    loop {
        let available = available(stream)?;
        if available.is_empty() {
            return Ok((Blanks::End, taken));
        }
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let blanks = available
            .iter()
            .position(|byte| !is_blank(byte))
            .unwrap_or(available.len());
        let next = available.get(blanks).copied();
        let used = blanks + usize::from(next == Some(b'\n'));
        stream.consume(used);
        taken += used as u64;
        match next {
            None => {}
            Some(b'\n') => return Ok((Blanks::LineEnd, taken)),
            Some(_) => return Ok((Blanks::Content, taken)),
        }
    }
}

fn available(stream: &mut dyn BufRead) -> io::Result<&[u8]> {
    // asked twice, because a slice that is returned from a loop borrows the stream for all of it
    while let Err(error) = stream.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    stream.fill_buf()
}

/// Whether a line is one whole JSON value, so that it can be read before its line end has come (K47).
///
/// Nesting is not limited here: what is too deep for the decoder is read, and refused by it.
pub(super) fn is_whole_json(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn lines(text: &[u8], keep: usize, buffer: usize) -> Vec<(Vec<u8>, u64)> {
        let mut reader = BufReader::with_capacity(buffer, Cursor::new(text.to_vec()));
        let (mut all, mut line, mut taken) = (Vec::new(), Vec::new(), 0);
        while let Some(found) = read_line(&mut reader, keep, &mut line).unwrap() {
            taken += found.taken;
            assert_eq!(
                found.is_ended,
                text[..usize::try_from(taken).unwrap()].ends_with(b"\n")
            );
            all.push((line.clone(), found.len));
        }
        assert_eq!(taken, text.len() as u64);
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

    #[test]
    fn blanks_end_at_a_line_feed_or_at_content() {
        for buffer in [1, 3, 64] {
            for (text, want) in [
                (" \t\r\nx", (Blanks::LineEnd, 4)),
                ("\n\n", (Blanks::LineEnd, 1)),
                ("", (Blanks::End, 0)),
                ("   ", (Blanks::End, 3)),
                ("  }\n", (Blanks::Content, 2)),
            ] {
                let mut stream = BufReader::with_capacity(buffer, Cursor::new(text));
                assert_eq!(take_blanks(&mut stream).unwrap(), want, "{text:?} {buffer}");
            }
        }
    }

    #[test]
    fn k47_whole_is_what_a_decoder_could_read_to_its_end() {
        let deep = ["[".repeat(200), "]".repeat(200)].concat();
        for whole in [
            "{}",
            "{\"a\":[1,\"}\"]} ",
            "null",
            "42",
            "\"text\"",
            "{\"a\":1,\"a\":1}",
            &deep,
        ] {
            assert!(is_whole_json(whole.as_bytes()), "{whole}");
        }
        for torn in [
            "",
            "  ",
            "{",
            "{\"a\":\"b",
            "nul",
            "{}{}",
            "{} x",
            "nonsense",
        ] {
            assert!(!is_whole_json(torn.as_bytes()), "{torn}");
        }
    }
}
