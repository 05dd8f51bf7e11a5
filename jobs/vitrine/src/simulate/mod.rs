//! `vitrine simulate`: events as files, and with `--kafka` to Kafka too.

mod args;
mod kafka;
mod pace;

use anyhow::Context;
use simulator::write_dir;

pub(crate) use self::args::{PlanArgs, SimulateArgs};
pub(crate) use self::kafka::topic_partitions;
use crate::config::Config;
use crate::output::print_lines;
use crate::progress::Progress;

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
