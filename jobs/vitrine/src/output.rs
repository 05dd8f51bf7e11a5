//! Results on stdout.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Prints lines to stdout; a reader that has seen enough (`| head`) is not a failure.
pub(crate) fn print_lines(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        match writeln!(stdout, "{line}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("stdout cannot be written")?,
        }
    }
    Ok(())
}
