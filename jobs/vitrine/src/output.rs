//! Results on stdout, messages on stderr.
//!
//! What is shown may hold ids and texts of events: control characters are escaped, so that none steers a terminal.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::Context;
use pipeline::query::output::escaped;

/// Prints lines to stdout; a reader that has seen enough (`| head`) is not a failure.
pub(crate) fn print_lines(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        match writeln!(stdout, "{}", escaped_lines(&line)) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("stdout cannot be written")?,
        }
    }
    Ok(())
}

/// Tells the user something on stderr. Nobody may be there to read it, which is no failure.
pub(crate) fn tell(message: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", escaped_lines(&message.to_string()));
}

/// Escaped but for line ends.
fn escaped_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(escaped).collect();
    lines.join("\n")
}
