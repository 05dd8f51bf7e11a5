//! `vitrine demo`: simulator, broker and pipeline in one process.
//!
//! ```text
//!  simulator thread ─▶ feed ─┬▶ DIR/events/<topic>/<partition>.ndjson   (later: run, audit, publish)
//!                            └▶ in-process broker ─▶ shards ─▶ publisher ─▶ DIR/storage ─▶ report, SQL
//! ```
//!
//! With `--once` the days are those of a fixed plan and events carry no timestamps, so that every run gives the same tables.
//! Without it the plan began some days ago, and its events keep coming at their own time until Ctrl-C.

mod alerts;
mod feed;
mod folder;
mod questions;
mod report;
mod watcher;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use chrono::Duration;
use indicatif::HumanCount;
use pipeline::publisher::Until;
use pipeline::time::{Zone, wall};
use tokio::sync::watch;

use self::feed::{Sent, feed};
use self::folder::DemoFolder;
use self::report::DemoReport;
use super::audit::Differences;
use super::run::{Inputs, process_with, wait_for_signal};
use crate::config::Config;
use simulator::{Plan, write_reference};

/// Records that a shard may lie behind the simulator: a few megabytes.
const LANE_RECORDS: usize = 8_192;
/// Two shards show all that several do. What they cost is planning: each answers every window with a query of its own.
const PARTITIONS: u32 = 2;
/// A live demo's plan goes on for so long after today.
const DAYS_AHEAD: u32 = 366;

/// Arguments of `vitrine demo`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  vitrine demo --once            (14 days of 500 retailers, what came of them, and the end)
  vitrine demo                   (the same up to now, then live until Ctrl-C)
  vitrine demo --once --days 56 --dir weeks8      (long enough for trends)")]
pub struct DemoArgs {
    /// Folder to make; a folder that holds anything is refused
    #[arg(long, value_name = "DIR", default_value = "vitrine-demo")]
    pub dir: PathBuf,
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub days: u32,
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub customers: u32,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Process the simulated days, print the summary and end
    #[arg(long)]
    pub once: bool,
}

impl DemoArgs {
    fn plan(&self, config: &Config) -> Plan {
        let today = Zone(config.time.zone).day_of(wall::now_ms()).date();
        let plan = Plan {
            days: self.days,
            customers: self.customers,
            seed: self.seed,
            partitions: PARTITIONS,
            zone: config.time.zone,
            ..Plan::default()
        };
        match self.once {
            true => plan,
            false => Plan {
                start: today - Duration::days(self.days.into()),
                days: self.days + DAYS_AHEAD,
                ..plan
            },
        }
    }
}

/// Runs the command.
pub async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let began = wall::monotonic();
    let folder = DemoFolder::make(&args.dir)?;
    let config = folder.configure(!args.once)?;
    let plan = args.plan(&config);
    write_reference(&plan, &folder.reference())?;
    announce(args, &plan);

    let (stopper, stop) = watch::channel(false);
    let stopper = Arc::new(stopper);
    tokio::spawn({
        let stopper = stopper.clone();
        async move {
            wait_for_signal().await;
            eprintln!("stopping: a last seal and epoch, then the end");
            stopper.send_replace(true);
        }
    });

    let (inputs, producer) = Inputs::in_process(&config, plan.partitions, LANE_RECORDS);
    let sent = Arc::new(Sent::default());
    let feeding = tokio::task::spawn_blocking({
        let (plan, config, sent) = (plan.clone(), config.clone(), sent.clone());
        let is_live = !args.once;
        move || {
            let fed = feed(&plan, &config, is_live, producer, sent);
            if fed.is_err() {
                // Whatever has been sent is worth a last epoch; more will not come.
                stopper.send_replace(true);
            }
            fed
        }
    });
    let (epochs, seen) = watch::channel(0);
    let watching = tokio::spawn(watcher::watch(
        config.clone(),
        plan.start,
        args.days,
        sent.clone(),
        seen,
    ));
    let until = match args.once {
        true => Until::Drained,
        false => Until::Stopped,
    };
    let was_stopped = stop.clone();
    let result = process_with(&config, inputs, until, stop, |epoch| {
        epochs.send_replace(epoch.epoch);
    })
    .await;
    // What it would still say stands in the report; waiting for it clears its bar from the terminal.
    watching.abort();
    let _ = watching.await;
    let fed = feeding.await.context("the simulator stopped")?;
    let summary = result?;
    fed?;

    let report = DemoReport {
        config: &config,
        config_file: folder.config_file(),
        plan: &plan,
        days: args.days,
    };
    let was_stopped = *was_stopped.borrow();
    report.summary(&summary, began.elapsed(), was_stopped)?;
    if summary.epoch == 0 {
        // Stopped before anything was published: there are no tables to ask.
        return Ok(());
    }
    report.findings().await?;
    let differences = match args.once && !was_stopped {
        true => report.audit().await?,
        false => 0,
    };
    report.what_to_try(began.elapsed())?;
    match differences {
        0 => Ok(()),
        differences => Err(Differences(differences).into()),
    }
}

fn announce(args: &DemoArgs, plan: &Plan) {
    let customers = HumanCount(plan.customers.into());
    match args.once {
        true => eprintln!(
            "simulating {} days from {}: {customers} customers, {} shards",
            plan.days, plan.start, plan.partitions
        ),
        false => eprintln!(
            "simulating {} days up to now, then live until Ctrl-C: {customers} customers, {} shards",
            args.days, plan.partitions
        ),
    }
    eprintln!(
        "broker: in-process, nothing to install; `vitrine publish {}` sends the same\nevents to a real Kafka",
        args.dir.join("events").display()
    );
}
