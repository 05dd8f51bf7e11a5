//! Progress on stderr: a bar on a terminal, one plain line every five seconds otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pipeline::time::wall;

/// Time between two plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// How far a command has come.
pub struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    said_at: Instant,
}

impl Progress {
    /// Progress of `what` (`sent`, `recomputed`); `of` is how many there will be, if that is known.
    pub fn new(what: &'static str, of: Option<u64>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = of.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = match of {
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
            said_at: wall::monotonic(),
        }
    }

    /// So many are done.
    pub fn at(&mut self, done: u64, message: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(message.to_owned());
            }
            None if self.said_at.elapsed() >= EVERY => {
                tracing::info!("{} {done} {message}", self.what);
                self.said_at = wall::monotonic();
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
