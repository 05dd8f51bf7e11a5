//! `vitrine status`: the state of a storage and its inputs, from the last seals and the newest epoch; no service has to run.
//!
//! Numbers of the shards are those of their last seals (a second old in a running service). Finality, alerts and reasons are those of the
//! newest epoch. The lag comes from the broker; if it does not answer, the page says so and shows everything else.

mod collect;
mod page;
mod report;

use crate::config::Config;
use crate::output::print_lines;

/// Arguments of `vitrine status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine --config vitrine.toml status
  vitrine --config vitrine.toml status --json | jq '.inputs[] | select(.lag > 1000)'")]
pub(crate) struct StatusArgs {
    /// One JSON object for scripts
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &StatusArgs, config: &Config) -> anyhow::Result<()> {
    let report = collect::status(config).await?;
    let text = if args.json {
        serde_json::to_string_pretty(&report)?
    } else {
        page::page(&report, config.time.zone)
    };
    print_lines([text])
}
