//! The publisher's loop: hear, publish, drain, end.

use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::{EpochRecord, OWN_ALERTS, Publisher, RunSummary, Until, live_or_clock};
use crate::error::{Error, ErrorKind, Result};
use crate::shard::{ShardCommand, ShardReport};
use crate::time::wall;

impl Publisher {
    /// Publishes until `until`, or until `stop` is set; ends with a last epoch.
    pub async fn run(
        mut self,
        commands: Vec<Sender<ShardCommand>>,
        mut reports: UnboundedReceiver<ShardReport>,
        until: Until,
        mut stop: watch::Receiver<bool>,
        mut new_references: UnboundedReceiver<String>,
        mut told: impl FnMut(&EpochRecord),
    ) -> Result<RunSummary> {
        self.commands = commands;
        let logs: Vec<String> = (0..self.settings.shards)
            .map(|shard| shard.to_string())
            .chain([OWN_ALERTS.to_owned()])
            .collect();
        self.alerting.start(&mut self.state.outboxes, &logs);
        let mut due_at = wall::monotonic() + self.settings.interval;
        loop {
            self.pulse().await?;
            let now = wall::monotonic();
            let early = self.pending_bytes >= self.settings.early_bytes;
            if now >= due_at || early {
                if let Some(epoch) = self.publish(&mut reports, false).await? {
                    told(epoch);
                }
                due_at = wall::monotonic();
                if !self.has_due(false) && !self.has_feed_days() {
                    due_at += self.settings.interval;
                }
            }
            if self.has_caught_up() && until != Until::Stopped {
                break;
            }
            let wait = due_at
                .saturating_duration_since(wall::monotonic())
                .min(PULSE);
            tokio::select! {
                report = reports.recv() => self.hear(report)?,
                Some(version) = new_references.recv() => {
                    self.ask_all(&ShardCommand::Reference { version });
                }
                () = wall::sleep(wait) => {}
                _ = stop.changed() => break,
            }
        }
        if !*stop.borrow() {
            self.drain(&mut reports, until, &mut told).await?;
        }
        for command in &self.commands {
            // A shard that has ended has nothing left to seal.
            let _ = command.send(ShardCommand::Stop);
        }
        let mut running = self.commands.len();
        while running > 0 {
            match reports.recv().await {
                Some(ShardReport::Ended { shard, result }) => {
                    running -= 1;
                    result.map_err(|error| ended(shard, error))?;
                }
                Some(other) => self.hear(Some(other))?,
                None => break,
            }
        }
        self.commands.clear();
        if let Some(epoch) = self.publish(&mut reports, false).await? {
            told(epoch);
        }
        self.finish_deliveries().await?;
        if let Some(epoch) = self.publish(&mut reports, false).await? {
            told(epoch);
        }
        self.write_checkpoint().await?;
        Ok(self.summary())
    }

    /// Looks whether the log is still ours, and lets alerts leave for the next seconds.
    pub(super) async fn pulse(&mut self) -> Result<()> {
        if self.log.unconfirmed_for() >= PULSE {
            self.log.confirm().await?;
        }
        self.alerting.renew(self.live_or_clock_ms());
        self.alerting.collect(&mut self.state.outboxes);
        Ok(())
    }

    pub(super) fn live_or_clock_ms(&self) -> i64 {
        live_or_clock(self.live_ms, self.state.clocks.values())
    }

    /// Gives alerts that are on their way a moment; what is not acknowledged then is the next owner's to repeat.
    pub(super) async fn finish_deliveries(&mut self) -> Result<()> {
        let until = wall::monotonic() + LAST_DELIVERIES;
        while self.alerting.outstanding() > 0 && wall::monotonic() < until {
            self.pulse().await?;
            wall::sleep(Duration::from_millis(20)).await;
        }
        self.pulse().await
    }

    /// After the inputs' ends: moves event time on and publishes what follows, until nothing moves any more.
    pub(super) async fn drain(
        &mut self,
        reports: &mut UnboundedReceiver<ShardReport>,
        until: Until,
        told: &mut impl FnMut(&EpochRecord),
    ) -> Result<()> {
        if until == Until::Stopped {
            return Ok(());
        }
        let mut reached = None;
        loop {
            let stop_offset = match until {
                Until::DrainedTo(to_ms) => Some(to_ms),
                Until::Drained => self.state.planner.drain_instant_ms(
                    &self.metrics,
                    self.settings.zone,
                    &self.settings.lateness,
                ),
                Until::Stopped | Until::CaughtUp => None,
            };
            let Some(to_ms) = stop_offset
                .filter(|stop_offset| reached.is_none_or(|so_far| *stop_offset > so_far))
            else {
                break;
            };
            self.ask_all(&ShardCommand::Drain { to_ms });
            while !self.has_drained(to_ms) {
                let report = reports.recv().await;
                self.hear(report)?;
            }
            reached = Some(to_ms);
        }
        while let Some(epoch) = self.publish(reports, true).await? {
            told(epoch);
            self.pulse().await?;
        }
        Ok(())
    }

    pub(super) fn has_drained(&self, to_ms: i64) -> bool {
        (0..self.settings.shards).all(|shard| {
            self.state
                .clocks
                .get(&shard)
                .is_some_and(|clocks| clocks.values().all(|&clock| clock >= to_ms))
        })
    }

    pub(super) fn has_caught_up(&self) -> bool {
        (0..self.settings.shards).all(|shard| {
            self.caught_up
                .get(&shard)
                .is_some_and(|number| self.heard.get(&shard) >= Some(number))
        })
    }

    pub(super) fn ask_all(&self, command: &ShardCommand) {
        for sender in &self.commands {
            // One that has ended says so in its report.
            let _ = sender.send(command.clone());
        }
    }

    pub(super) fn hear(&mut self, report: Option<ShardReport>) -> Result<()> {
        match report {
            None => Err(Error::new(ErrorKind::Internal, "all shards have ended")),
            Some(ShardReport::Sealed {
                shard,
                number,
                seal,
            }) => {
                self.take(shard, number, seal);
                Ok(())
            }
            Some(ShardReport::CaughtUp { shard, number }) => {
                self.caught_up.insert(shard, number);
                Ok(())
            }
            Some(ShardReport::Ended { shard, result }) => {
                result.map_err(|error| ended(shard, error))
            }
        }
    }
}

fn ended(shard: u32, error: Error) -> Error {
    error.context(format!("shard={shard} ended"))
}

/// How often the publisher looks whether its log is still its own.
const PULSE: Duration = Duration::from_secs(2);

/// How long an ending process waits for receivers.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);
