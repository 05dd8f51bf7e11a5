//! `vitrine simulate`.

use std::path::PathBuf;

use anyhow::Context;
use chrono::NaiveDate;

use crate::config::Config;
use crate::simulate::{Plan, write_dir};

/// Arguments of `vitrine simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine simulate --out events --days 28
  vitrine simulate --out events --dirty --seed 7      (disorder, duplicates, malformed and late records; truth/ says which)")]
pub struct SimulateArgs {
    /// Folder for `<topic>/<partition>.ndjson`, ref/ and truth/
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[arg(long, default_value_t = 14)]
    pub days: u32,
    #[arg(long, default_value_t = 500)]
    pub customers: u32,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// First local day
    #[arg(long, default_value = "2026-01-05", value_name = "DATE")]
    pub start: NaiveDate,
    #[arg(long, default_value_t = 4)]
    pub partitions: u32,
    /// Adds records that must not be accepted, and disorder
    #[arg(long)]
    pub dirty: bool,
}

impl SimulateArgs {
    fn plan(&self, config: &Config) -> Plan {
        Plan {
            days: self.days,
            customers: self.customers,
            seed: self.seed,
            start: self.start,
            partitions: self.partitions,
            dirty: self.dirty,
            zone: config.time.zone,
        }
    }
}

/// Runs the command.
pub async fn run(args: &SimulateArgs, config: &Config) -> anyhow::Result<()> {
    let plan = args.plan(config);
    let out = args.out.clone();
    let summary = tokio::task::spawn_blocking(move || write_dir(&plan, &out))
        .await
        .context("the simulator stopped")??;
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(())
}
