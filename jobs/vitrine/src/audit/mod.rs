//! `vitrine audit`: is every record accounted for, and does batch give the rows that streaming published?
//!
//! ```text
//!  newest epoch ─┬─ ops.conservation, events.* ─▶ conservation ─┐
//!                └─ events.* ─▶ recompute ─▶ rows, compared  ───┴─▶ report
//! ```

mod conservation;
mod recompute;
mod report;

use chrono::{DateTime, Utc};
use schemas::time::TimestampMs;

pub(crate) use self::recompute::audit;
use crate::config::Config;
use crate::exit::CommandError;
use crate::local_time::parse_instant;
use crate::output::print_lines;
use crate::progress::Progress;

/// Arguments of `vitrine audit`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml audit
  vitrine --config vitrine.toml audit --since 2026-01-12T00:00:00+08:00    (windows that end later)

Exit code 3 if anything differs.")]
pub(crate) struct AuditArgs {
    /// Recompute only windows that end after this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    since: Option<DateTime<Utc>>,
}

/// Runs the command.
pub(crate) async fn run(args: &AuditArgs, config: &Config) -> anyhow::Result<()> {
    let since = args.since.map(TimestampMs::from_datetime);
    let mut progress = Progress::new("recomputed", None);
    let report = audit(config, since, |done, total| {
        progress.update(done as u64, &format!("of {total} windows"));
    })
    .await?;
    drop(progress);
    print_lines(report.lines())?;
    match report.differences() {
        0 => Ok(()),
        differences => Err(CommandError::Differences(differences).into()),
    }
}
