//! `vitrine run`: the service.
//!
//! ```text
//!  inputs ─ sources per shard ─┐
//!  new_references ─ versions ──┼▶ service: pipeline::run::process ─▶ sinks
//!  signals ─ stop ─────────────┘
//! ```

mod inputs;
mod new_references;
mod service;
mod signals;
mod sinks;

use std::time::Duration;

use chrono::{DateTime, Utc};
use pipeline::error::broken_down;
use pipeline::publisher::{RunSummary, Until};
use schemas::time::TimestampMs;

pub(crate) use self::inputs::{Inputs, kafka_settings};
pub(crate) use self::service::process;
pub(crate) use self::signals::StopSignals;
use self::signals::unless_stopped;
pub(crate) use self::sinks::webhook_problems;
use crate::config::Config;
use crate::local_time::parse_instant;
use crate::output::print_lines;
use crate::progress::Progress;

/// How often an idle service shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Arguments of `vitrine run`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml run
  vitrine --config vitrine.toml run --drain            (process what is there, decide every deadline, end)")]
pub(crate) struct RunArgs {
    /// Stop once everything that is there now has been read and published
    #[arg(long, conflicts_with_all = ["drain", "drain_to"])]
    until_caught_up: bool,
    /// The same, then advance event time until every window that holds a fact is final
    #[arg(long, conflicts_with = "drain_to")]
    drain: bool,
    /// The same, then advance event time to this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    drain_to: Option<DateTime<Utc>>,
}

impl RunArgs {
    fn until(&self) -> Until {
        match (self.until_caught_up, self.drain, self.drain_to) {
            (true, ..) => Until::CaughtUp,
            (_, true, _) => Until::Drained,
            (.., Some(instant)) => Until::DrainedTo(TimestampMs::from_datetime(instant)),
            _ => Until::Stopped,
        }
    }
}

/// Runs the service until it has done what the arguments say, or a signal stops it.
pub(crate) async fn run(args: &RunArgs, config: &Config) -> anyhow::Result<()> {
    let stopping =
        StopSignals::register()?.watch(|| tracing::info!("stopping after a last seal and epoch"));
    let (stop, until) = (stopping.stop(), args.until());
    let mut progress = Progress::new("epoch", None);
    let summary = stopping
        .run(async {
            let of_config = config.clone();
            let opening = blocking("inputs", move || Inputs::of(&of_config, until));
            let Some(inputs) = unless_stopped(&stop, opening).await? else {
                return Ok(None);
            };
            process(config, inputs, until, stop.clone(), |epoch| {
                progress.update(epoch.epoch.unsigned_abs(), "published");
            })
            .await
        })
        .await?;
    drop(progress);
    match summary {
        Some(summary) => print_lines(lines(&summary)),
        None => print_lines(["stopped before anything was read".to_owned()]),
    }
}

/// Runs what blocks beside the runtime's threads, which have to hear of signals meanwhile.
async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|panic| broken_down(what, &panic.to_string()))?
}

fn lines(summary: &RunSummary) -> Vec<String> {
    let counts = format!(
        "epoch {}: read {} = accepted {} + duplicate {} + too late {} + dead letters {}; {} metric rows",
        summary.epoch,
        summary.read,
        summary.accepted,
        summary.duplicate,
        summary.too_late,
        summary.dead,
        summary.rows
    );
    summary
        .drained_to
        .map(|instant| format!("drained to {instant}"))
        .into_iter()
        .chain([counts])
        .collect()
}
