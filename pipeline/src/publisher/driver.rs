//! The publisher's loop: one `select!` over shards, sinks, signals and time, with at most one action under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use futures::future::BoxFuture;
use futures::{FutureExt, future};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::assemble::{OWN_ALERTS, alerts_of_seal};
use super::event::{Now, PublisherAction, PublisherEvent, SealedRecord};
use super::io::EpochIo;
use super::lifecycle::{LifecycleConditions, LifecycleStage};
use super::machine::Machine;
use super::needs::StorageNeeds;
use super::record::EpochRecord;
use super::settings::{RunSummary, Until};
use crate::error::{Error, ErrorKind, Result};
use crate::shard::{Backlog, ShardCommand, ShardReport};
use crate::sink::{AlertDelivery, RecordDelivery, SinkEvent};
use crate::table::Tables;
use crate::time::wall;

/// How often an idle publisher looks whether its log is still its own.
const CONFIRM_EVERY: Duration = Duration::from_secs(2);
/// How long an ending process waits for receivers of alerts.
const LAST_ALERTS: Duration = Duration::from_secs(10);
/// How long an ending process waits until its records are in Kafka.
const LAST_RECORDS: Duration = Duration::from_secs(120);
/// The same after a signal: whoever sent it waits for a minute.
const LAST_RECORDS_WHEN_STOPPED: Duration = Duration::from_secs(30);
/// How often a lifecycle stage after the last epoch looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The channels of a running publisher.
pub struct Channels {
    /// To each shard.
    pub commands: Vec<Sender<ShardCommand>>,
    pub reports: UnboundedReceiver<ShardReport>,
    pub sinks: UnboundedReceiver<SinkEvent>,
    /// Set once the process is to end.
    pub stop: watch::Receiver<bool>,
    /// Versions of the reference data to be put in force.
    pub new_references: UnboundedReceiver<String>,
    /// What shards have sealed and the publisher not yet made part of an intent.
    pub backlog: Arc<Backlog>,
}

/// The two sinks that run beside the publisher.
pub struct Delivery {
    pub alerts: AlertDelivery,
    pub records: RecordDelivery,
}

/// The publisher of one storage.
pub struct Publisher {
    machine: Machine,
    /// Away while an action is under way.
    io: Option<EpochIo>,
    delivery: Delivery,
    until: Until,
    stage: LifecycleStage,
    running_shards: usize,
    closes_at: Option<Instant>,
    needs: watch::Sender<StorageNeeds>,
    /// Under which files are staged.
    claim: u64,
    tables: Arc<Tables>,
}

/// The action under way; it gives the [`EpochIo`] back.
type RunningAction = BoxFuture<'static, (EpochIo, Result<Option<PublisherEvent>>)>;

impl Publisher {
    /// What of the storage is still needed, as it changes.
    pub fn needs(&self) -> watch::Receiver<StorageNeeds> {
        self.needs.subscribe()
    }

    pub fn tables(&self) -> Arc<Tables> {
        self.tables.clone()
    }

    fn report_needs(&self) {
        let cursors = self.delivery.alerts.durable_cursors();
        self.needs
            .send_replace(self.machine.needs(self.claim, &cursors));
    }

    /// Publishes until `until`, or until a signal comes; ends with a last epoch and a checkpoint.
    pub async fn run(
        mut self,
        mut channels: Channels,
        mut on_epoch: impl FnMut(&EpochRecord),
    ) -> Result<RunSummary> {
        self.running_shards = channels.commands.len();
        self.machine.set_has_shards(true);
        let mut work: Option<RunningAction> = None;
        let mut epoch = self.machine.last().map(|last| last.epoch);
        let mut can_be_stopped = true;
        while self.stage != LifecycleStage::Ended {
            if work.is_none() {
                // Before the next epoch, which is due at once as long as windows wait: a signal ends the run in between.
                let is_signalled = *channels.stop.borrow();
                if is_signalled
                    && self.machine.is_between_epochs()
                    && self.advance(&mut channels)?
                {
                    continue;
                }
                work = self.begin(&channels.commands)?;
            }
            let newest = self.machine.last().filter(|last| Some(last.epoch) > epoch);
            if let Some(newest) = newest {
                epoch = Some(newest.epoch);
                on_epoch(newest);
            }
            channels.backlog.release(self.machine.take_released());
            if work.is_none() && self.advance(&mut channels)? {
                continue;
            }
            let wait = self.wait(work.is_none());
            tokio::select! {
                (io, event) = async {
                    match &mut work {
                        Some(work) => work.await,
                        None => future::pending().await,
                    }
                } => {
                    work = None;
                    self.io = Some(io);
                    if let Some(event) = event? {
                        self.happened(event)?;
                        self.checkpoint_if_due().await?;
                    }
                }
                report = channels.reports.recv(), if self.running_shards > 0 => {
                    self.reported(report)?;
                }
                Some(event) = channels.sinks.recv() => self.sink_reported(event)?,
                Some(version) = channels.new_references.recv() => {
                    command_all(&channels.commands, &ShardCommand::Reference { version });
                }
                changed = channels.stop.changed(), if can_be_stopped => can_be_stopped = changed.is_ok(),
                () = wall::sleep(wait) => {}
            }
        }
        self.close().await
    }

    /// Starts what is to be done next; `None` where there is nothing but to wait.
    fn begin(&mut self, commands: &[Sender<ShardCommand>]) -> Result<Option<RunningAction>> {
        loop {
            let Some(mut io) = self.io.take() else {
                return Ok(None);
            };
            match self.machine.next(read_now())? {
                PublisherAction::Wait if io.log.unconfirmed_for() < CONFIRM_EVERY => {
                    self.io = Some(io);
                    return Ok(None);
                }
                PublisherAction::Wait => {
                    let confirm = async move {
                        let confirmed = io.log.confirm().await;
                        (io, confirmed.map(|()| None))
                    };
                    return Ok(Some(confirm.boxed()));
                }
                PublisherAction::Ask(requests) => {
                    self.io = Some(io);
                    for request in requests {
                        let command = ShardCommand::Aggregate {
                            round: request.round,
                            window: request.key.window,
                            metrics: request.metrics,
                        };
                        command_all(commands, &command);
                    }
                }
                action => {
                    let act = async move {
                        let outcome = io.perform(action).await;
                        (io, outcome)
                    };
                    return Ok(Some(act.boxed()));
                }
            }
        }
    }

    fn happened(&mut self, event: PublisherEvent) -> Result<()> {
        if let PublisherEvent::IntentSealed { number } = event
            && let Some(intent) = self.machine.sealing()
        {
            let intent = intent.clone();
            self.machine.apply(event, read_now())?;
            self.delivery.alerts.ingest(
                OWN_ALERTS,
                number,
                intent.alerts.clone(),
                intent.alerts_at,
            );
            self.delivery.alerts.confirm(intent.state.attempts_cut);
            if let Some(file) = intent.state.undelivered.get(&intent.state.epoch) {
                self.delivery
                    .records
                    .deliver(intent.state.epoch, file.clone());
            }
            self.report_needs();
            return Ok(());
        }
        let has_recorded = matches!(event, PublisherEvent::Recorded { .. });
        self.machine.apply(event, read_now())?;
        if has_recorded {
            self.report_needs();
        }
        Ok(())
    }

    fn reported(&mut self, report: Option<ShardReport>) -> Result<()> {
        match report {
            Some(ShardReport::Sealed {
                shard,
                number,
                seal,
                bytes,
            }) => {
                let (transitions, at) = alerts_of_seal(shard, number, &seal);
                self.delivery
                    .alerts
                    .ingest(&shard.to_string(), number, transitions, at);
                let sealed = SealedRecord {
                    shard,
                    number,
                    seal,
                    bytes,
                };
                self.machine
                    .apply(PublisherEvent::Sealed(sealed), read_now())
            }
            Some(ShardReport::CaughtUp { shard, number }) => self
                .machine
                .apply(PublisherEvent::CaughtUp { shard, number }, read_now()),
            Some(ShardReport::Ended { shard, result }) => {
                self.running_shards -= 1;
                result.map_err(|error| error.context(format!("shard={shard} ended")))
            }
            // Every shard reports its end before it lets go of the channel.
            None => Err(Error::new(
                ErrorKind::Internal,
                "a shard has ended without saying why",
            )),
        }
    }

    fn sink_reported(&mut self, event: SinkEvent) -> Result<()> {
        match event {
            SinkEvent::Attempted { number, attempts } => self
                .machine
                .apply(PublisherEvent::Attempted { number, attempts }, read_now()),
            SinkEvent::Delivered { epoch, given_up } => self
                .machine
                .apply(PublisherEvent::Delivered { epoch, given_up }, read_now()),
            SinkEvent::Ended(error) => Err(error),
        }
    }

    /// Moves on towards the end; says whether the stage has changed.
    fn advance(&mut self, channels: &mut Channels) -> Result<bool> {
        // Sinks report before they count down: what this number no longer holds is among the events.
        let outstanding = self.delivery.alerts.outstanding() + self.delivery.records.outstanding();
        while let Ok(event) = channels.sinks.try_recv() {
            self.sink_reported(event)?;
        }
        let now = read_now();
        if self.stage == LifecycleStage::Delivering && *channels.stop.borrow() {
            let at_most = now.monotonic + LAST_RECORDS_WHEN_STOPPED;
            self.closes_at = self.closes_at.map(|at| at.min(at_most));
        }
        let is_draining_to = match self.stage {
            LifecycleStage::Draining(to) => Some(to),
            _ => None,
        };
        let conditions = LifecycleConditions {
            until: self.until,
            is_signalled: *channels.stop.borrow(),
            is_quiet: self.stage.waits_for_quiet() && self.machine.is_quiet(now),
            is_between_epochs: self.machine.is_between_epochs(),
            has_caught_up: self.machine.has_caught_up(),
            to_believe: match (self.until, self.stage) {
                (Until::Drained, LifecycleStage::Running) => self.machine.to_believe(),
                _ => None,
            },
            have_agreed: match self.stage {
                LifecycleStage::Agreeing(until) => self.machine.all_believe(until),
                _ => false,
            },
            drain_to: match self.until {
                Until::DrainedTo(to) => Some(to),
                Until::Drained if self.stage.asks_how_far_to_drain() => {
                    self.machine.drain_instant()
                }
                Until::Drained | Until::Stopped | Until::CaughtUp => None,
            },
            has_drained: is_draining_to.is_some_and(|to| self.machine.has_drained(to)),
            has_running_shards: self.running_shards > 0,
            has_deliveries: outstanding > 0,
            is_out_of_patience: self.closes_at.is_some_and(|at| now.monotonic >= at),
        };
        let next = self.stage.next(&conditions);
        if next == self.stage {
            return Ok(false);
        }
        self.stage = next;
        match next {
            LifecycleStage::Agreeing(until) => {
                command_all(&channels.commands, &ShardCommand::Believe { until });
            }
            LifecycleStage::Draining(to) => {
                command_all(&channels.commands, &ShardCommand::Drain { to });
            }
            LifecycleStage::Revising => self.machine.revise_all(true),
            LifecycleStage::Stopping => {
                self.machine.revise_all(false);
                if conditions.is_signalled {
                    self.machine.leave_feed();
                }
                self.machine.set_has_shards(false);
                command_all(&channels.commands, &ShardCommand::Stop);
            }
            LifecycleStage::Closing | LifecycleStage::Settling => self.machine.publish_now(now),
            LifecycleStage::Delivering => {
                let patience = match self.delivery.records.outstanding() {
                    0 => LAST_ALERTS,
                    _ if conditions.is_signalled => LAST_RECORDS_WHEN_STOPPED,
                    _ => LAST_RECORDS,
                };
                self.closes_at = Some(now.monotonic + patience);
            }
            LifecycleStage::Running | LifecycleStage::Ended => {}
        }
        Ok(true)
    }

    /// How long to sleep where nothing else happens.
    fn wait(&self, is_idle: bool) -> Duration {
        if self.stage == LifecycleStage::Delivering {
            return LOOK_AGAIN;
        }
        if !is_idle || !self.machine.is_between_epochs() {
            return CONFIRM_EVERY;
        }
        let due_at = self.machine.due_at();
        due_at
            .saturating_duration_since(read_now().monotonic)
            .clamp(LOOK_AGAIN, CONFIRM_EVERY)
    }

    async fn checkpoint_if_due(&mut self) -> Result<()> {
        if let (Some(io), Some(checkpoint)) = (&mut self.io, self.machine.due_checkpoint()) {
            let is_written = io.write_checkpoint(checkpoint).await?;
            self.machine.checkpoint_tried(is_written);
        }
        Ok(())
    }

    async fn close(mut self) -> Result<RunSummary> {
        self.machine.report_refused();
        let undelivered = self.delivery.records.outstanding();
        self.delivery.alerts.close().await?;
        self.delivery.records.close().await?;
        // A checkpoint of a claim alone would say nothing new, and would let the newest epoch record be trimmed before it.
        if let Some(io) = self.io.as_mut().filter(|io| io.log.has_appended()) {
            io.write_checkpoint(self.machine.checkpoint()).await?;
        }
        if undelivered > 0 {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "records of {undelivered} epochs could not be sent to Kafka; they are kept, and the next run sends them: check \
                     [source] brokers and the output topics"
                ),
            ));
        }
        Ok(self.machine.checkpoint().summary())
    }
}

fn command_all(commands: &[Sender<ShardCommand>], command: &ShardCommand) {
    for sender in commands {
        // One that has ended says so in its report.
        let _ = sender.send(command.clone());
    }
}

/// Both clocks of the process.
fn read_now() -> Now {
    Now {
        monotonic: wall::monotonic(),
        wall_time: wall::now(),
    }
}

mod start;
