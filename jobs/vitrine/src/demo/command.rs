//! The command: starts the simulator, the service and the watcher, and reports when they end.

use std::sync::Arc;

use anyhow::Context;
use pipeline::publisher::Until;
use pipeline::time::wall;
use simulator::write_reference;
use tokio::sync::watch;

use super::args::DemoArgs;
use super::feed::{FeedProgress, feed};
use super::folder::DemoFolder;
use super::report::DemoReport;
use super::watcher;
use crate::exit::CommandError;
use crate::output::tell;
use crate::run::{Inputs, StopSignals, process};

/// Records that a shard may lag behind the simulator: a few megabytes.
const LANE_RECORDS: usize = 8_192;

/// Runs the command.
pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let began = wall::monotonic();
    let signals = StopSignals::register()?;
    let folder = DemoFolder::create(&args.dir)?;
    let config = folder.configure(!args.once)?;
    let plan = args.plan(&config);
    write_reference(&plan, &folder.reference())?;
    args.announce(&plan);

    let stopping = signals.watch(|| tell("stopping after a last seal and epoch"));
    let (stopper, stop) = (stopping.stopper(), stopping.stop());

    let (inputs, producer) = Inputs::in_process(&config, plan.partitions, LANE_RECORDS);
    let progress = Arc::new(FeedProgress::default());
    let feeding = tokio::task::spawn_blocking({
        let (plan, config, progress) = (plan.clone(), config.clone(), progress.clone());
        let is_live = !args.once;
        move || {
            let result = feed(&plan, &config, is_live, producer, progress);
            if result.is_err() {
                // What has been sent is published in a last epoch; no more will come.
                stopper.send_replace(true);
            }
            result
        }
    });
    let (epochs, newest_epoch) = watch::channel(0);
    let watching = tokio::spawn(watcher::watch(
        config.clone(),
        plan.start,
        args.days(),
        progress,
        newest_epoch,
    ));
    let until = if args.once {
        Until::Drained
    } else {
        Until::Stopped
    };
    let was_stopped = stop.clone();
    let showing = async {
        let result = process(&config, inputs, until, stop, |epoch| {
            epochs.send_replace(epoch.epoch);
        })
        .await;
        // The report covers what the watcher has not shown; awaiting it clears its bar from the terminal.
        watching.abort();
        let _ = watching.await;
        let fed = feeding.await.context("the simulator stopped")?;
        let summary = result?;
        fed?;
        let Some(summary) = summary else {
            return Ok(());
        };

        let report = DemoReport {
            config: &config,
            config_file: folder.config_file(),
            plan: &plan,
            days: args.days(),
        };
        let was_stopped = *was_stopped.borrow();
        report.summary(&summary, began.elapsed(), was_stopped)?;
        if summary.epoch == 0 {
            // Stopped before anything was published: there are no tables to query.
            return Ok(());
        }
        report.findings().await?;
        let differences = if args.once && !was_stopped {
            report.audit().await?
        } else {
            0
        };
        report.commands_to_try(began.elapsed())?;
        match differences {
            0 => Ok(()),
            differences => Err(CommandError::Differences(differences).into()),
        }
    };
    stopping.run(showing).await
}
