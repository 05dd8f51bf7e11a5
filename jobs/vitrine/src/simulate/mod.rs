//! `vitrine simulate`: events as files, and to Kafka as well if asked for.

mod kafka;
mod pace;

use std::path::PathBuf;

use anyhow::Context;
use chrono::NaiveDate;

pub use self::kafka::{inputs, topics};
use self::pace::{Pace, positive};
use super::progress::Progress;
use crate::config::Config;
use simulator::{Plan, write_dir};

/// Arguments of `vitrine simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine simulate --out events --days 28
  vitrine simulate --out events --dirty --seed 7      (disorder, duplicates, malformed and late records; truth/ says which)
  vitrine simulate --out events --kafka --speed 3600  (to Kafka as well, an hour a second)")]
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
    /// Send to Kafka as well, with the moment of sending as timestamp; its topics must exist
    #[arg(long)]
    pub kafka: bool,
    /// Send at most so many events a second
    #[arg(long, value_name = "EV_PER_S", value_parser = positive, requires = "kafka", conflicts_with = "speed")]
    pub rate: Option<f64>,
    /// Send so many times as fast as the events were recorded
    #[arg(long, value_name = "X", value_parser = positive, requires = "kafka")]
    pub speed: Option<f64>,
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

    fn pace(&self) -> Pace {
        match (self.rate, self.speed) {
            (Some(per_second), _) => Pace::Rate(per_second),
            (None, Some(times)) => Pace::Speed(times),
            (None, None) => Pace::Unlimited,
        }
    }
}

/// Runs the command.
pub async fn run(args: &SimulateArgs, config: &Config) -> anyhow::Result<()> {
    let plan = args.plan(config);
    let out = args.out.clone();
    let simulating = match args.kafka {
        false => tokio::task::spawn_blocking(move || Ok(write_dir(&plan, &out)?)),
        true => {
            let (config, pace) = (config.clone(), args.pace());
            tokio::task::spawn_blocking(move || {
                let mut progress = Progress::new("sent", None);
                kafka::run(&plan, &out, &config, pace, |sent| {
                    progress.at(sent, "events")
                })
            })
        }
    };
    let summary = simulating.await.context("the simulator stopped")??;
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(())
}
