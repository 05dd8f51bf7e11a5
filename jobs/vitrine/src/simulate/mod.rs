//! `vitrine simulate`: events as files, and with `--kafka` to Kafka too.

mod kafka;
mod pace;

use std::path::PathBuf;

use anyhow::Context;
use chrono::NaiveDate;
use simulator::{Plan, write_dir};

pub(crate) use self::kafka::topic_partitions;
use self::pace::{Pace, positive};
use crate::config::Config;
use crate::output::print_lines;
use crate::progress::Progress;

/// Arguments of `vitrine simulate`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine simulate --out events --days 28
  vitrine simulate --out events --dirty --seed 7      (disorder, duplicates, malformed and late records; truth/ lists them)
  vitrine simulate --out events --kafka --speed 3600  (to Kafka too, an hour per second)")]
pub(crate) struct SimulateArgs {
    /// Folder for `<topic>/<partition>.ndjson`, ref/ and truth/
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long, default_value_t = 14)]
    days: u32,
    #[arg(long, default_value_t = 500)]
    customers: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// First local day
    #[arg(long, default_value = "2026-01-05", value_name = "DATE")]
    start: NaiveDate,
    #[arg(long, default_value_t = 4)]
    partitions: u32,
    /// Add disorder, and records that must not be accepted
    #[arg(long)]
    dirty: bool,
    /// Send to Kafka too, with the time of sending as timestamp; the topics must exist
    #[arg(long)]
    kafka: bool,
    /// Send at most this many events per second
    #[arg(long, value_name = "EV_PER_S", value_parser = positive, requires = "kafka", conflicts_with = "speed")]
    rate: Option<f64>,
    /// Send this many times as fast as the events were recorded
    #[arg(long, value_name = "X", value_parser = positive, requires = "kafka")]
    speed: Option<f64>,
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
pub(crate) async fn run(args: &SimulateArgs, config: &Config) -> anyhow::Result<()> {
    let plan = args.plan(config);
    let out = args.out.clone();
    let simulation = if args.kafka {
        let (config, pace) = (config.clone(), args.pace());
        tokio::task::spawn_blocking(move || {
            let mut progress = Progress::new("sent", None);
            kafka::run(&plan, &out, &config, pace, |sent| {
                progress.update(sent, "events")
            })
        })
    } else {
        tokio::task::spawn_blocking(move || Ok(write_dir(&plan, &out)?))
    };
    let summary = simulation.await.context("the simulator stopped")??;
    print_lines([serde_json::to_string_pretty(&summary)?])
}
