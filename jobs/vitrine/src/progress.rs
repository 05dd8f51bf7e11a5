//! Progress on stderr: a bar on a terminal, one plain line every five seconds otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pipeline::time::wall;

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The progress of a command.
pub(crate) struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    reported_at: Instant,
}

impl Progress {
    /// Progress of `what` (`sent`, `recomputed`); `total` is how many there will be, if that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = match total {
                Some(_) => "{prefix} [{wide_bar}] {human_pos}/{human_len} {msg}",
                None => "{prefix} {human_pos} ({per_sec}) {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.with_prefix(what)
        });
        Self {
            what,
            bar,
            reported_at: wall::monotonic(),
        }
    }

    /// Shows that this many are done.
    pub(crate) fn update(&mut self, done: u64, message: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            None if self.reported_at.elapsed() >= LINE_EVERY => {
                tracing::info!("{} {done} {message}", self.what);
                self.reported_at = wall::monotonic();
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
