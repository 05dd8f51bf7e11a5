//! Log lines in which nothing steers a terminal.

use std::io::{self, Write};

use pipeline::query::output::escaped;

/// Writes whole log lines, escaped. Colours stay where they are wanted; a reader that has gone is no failure.
pub(super) struct Escaping<W> {
    inner: W,
    has_colours: bool,
}

impl<W: Write> Escaping<W> {
    pub(super) fn new(inner: W, has_colours: bool) -> Self {
        Self { inner, has_colours }
    }

    fn line(&self, line: &str) -> String {
        if !self.has_colours {
            return escaped(line).into_owned();
        }
        // A colour is ESC [ digits and ; then m.
        let mut parts = line.split("\u{1b}[");
        let mut shown = escaped(parts.next().unwrap_or_default()).into_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
            match end.filter(|&end| part[end..].starts_with('m')) {
                Some(end) => {
                    shown.push_str("\u{1b}[");
                    shown.push_str(&part[..=end]);
                    shown.push_str(&escaped(&part[end + 1..]));
                }
                None => shown.push_str(&escaped(&format!("\u{1b}[{part}"))),
            }
        }
        shown
    }
}

impl<W: Write> Write for Escaping<W> {
    /// The subscriber writes one event at a time, with its line end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut shown = self.line(line);
        shown.push('\n');
        let _ = self.inner.write_all(shown.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.inner.flush();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(line: &str, has_colours: bool) -> String {
        let mut bytes = Vec::new();
        Escaping::new(&mut bytes, has_colours)
            .write_all(line.as_bytes())
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_stays_a_line_and_colours_are_kept_where_wanted() {
        let line = "\u{1b}[33m WARN\u{1b}[0m id=\"a\u{202e}b\u{1b}[2Jc\nd\"\n";
        assert_eq!(
            shown(line, true),
            "\u{1b}[33m WARN\u{1b}[0m id=\"a\\u{202e}b\\u{1b}[2Jc\\nd\"\n"
        );
        assert_eq!(
            shown(line, false),
            "\\u{1b}[33m WARN\\u{1b}[0m id=\"a\\u{202e}b\\u{1b}[2Jc\\nd\"\n"
        );
        assert_eq!(shown("plain\n", true), "plain\n");
    }
}
