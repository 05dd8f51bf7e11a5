//! SIGTERM, Ctrl-C and SIGHUP: the first asks for an end with a last epoch, a second one or a minute cuts that short.

use std::time::Duration;

use anyhow::Context;
use pipeline::time::wall;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::exit::CommandError;

/// How long a command may take to end after the first signal: within the minute of F34.
const GRACE: Duration = Duration::from_secs(55);
/// What comes this soon after the first signal is the same wish: a terminal that closes signals twice, a supervisor may send two kinds.
const SAME_WISH: Duration = Duration::from_secs(1);

/// The signals that stop a command, received from registration on.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` where it is ignored, as `nohup` has it.
    hang_up: Option<Signal>,
}

impl StopSignals {
    pub(crate) fn register() -> anyhow::Result<Self> {
        let register = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: register(SignalKind::terminate())?,
            interrupt: register(SignalKind::interrupt())?,
            hang_up: match ignores_hang_ups() {
                true => None,
                false => Some(register(SignalKind::hangup())?),
            },
        })
    }

    /// Waits for the next of them; its name.
    async fn next(&mut self) -> &'static str {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hang_up => "SIGHUP",
        }
    }

    /// Waits for one that is a wish of its own: no hang-up, and not at once after the first.
    async fn second(&mut self) -> &'static str {
        let first = wall::monotonic();
        loop {
            let signal = self.next().await;
            if signal != "SIGHUP" && first.elapsed() >= SAME_WISH {
                return signal;
            }
        }
    }

    /// Watches them: the first sets what the answer holds, and `announce` says so.
    pub(crate) fn watch(mut self, announce: impl FnOnce() + Send + 'static) -> Stopping {
        let (stopper, stop) = watch::channel(false);
        let (cut, is_cut) = oneshot::channel();
        let stopping = stopper.clone();
        tokio::spawn(async move {
            let first = self.next().await;
            announce();
            stopping.send_replace(true);
            let why = tokio::select! {
                second = self.second() => format!("stopped at once by a second signal ({second})"),
                () = wall::sleep(GRACE) => {
                    format!("did not end within {} s after {first}", GRACE.as_secs())
                }
            };
            // Nobody listens once the command has ended.
            let _ = cut.send(why);
        });
        Stopping {
            stopper,
            stop,
            is_cut,
        }
    }
}

/// A command that signals can stop.
pub(crate) struct Stopping {
    stopper: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
    is_cut: oneshot::Receiver<String>,
}

impl Stopping {
    /// Set once the command is to end.
    pub(crate) fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// Ends the command as the first signal would.
    pub(crate) fn stopper(&self) -> watch::Sender<bool> {
        self.stopper.clone()
    }

    /// Runs `work`, which ends by itself some time after the first signal, or not.
    pub(crate) async fn run<T>(
        self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            result = work => result,
            Ok(why) = self.is_cut => Err(CommandError::Cut(format!(
                "{why}: what was sealed is kept, and the next run goes on from there"
            ))
            .into()),
        }
    }
}

/// Whether this process was started with SIGHUP ignored; `false` where the system does not say.
fn ignores_hang_ups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Runs what may take long and holds nothing, unless the command is to end before: then there is no result.
pub(super) async fn unless_stopped<T>(
    stop: &watch::Receiver<bool>,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    let mut stop = stop.clone();
    tokio::select! {
        result = work => result.map(Some),
        Ok(_) = stop.wait_for(|is_set| *is_set) => Ok(None),
    }
}
