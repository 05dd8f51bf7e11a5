//! The publisher's loop: one `select!` over shards, sinks, signals and time, with at most one action under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use futures::future::BoxFuture;
use futures::{FutureExt, future};
use object_store::ObjectStore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::assemble::{OWN_ALERTS, alerts_of_seal};
use super::event::{Now, PublisherAction, PublisherEvent, SealedRecord};
use super::io::EpochIo;
use super::lifecycle::{LifecycleConditions, LifecycleStage};
use super::machine::{Machine, MachineParts};
use super::needs::StorageNeeds;
use super::record::{EpochRecord, PublisherCheckpoint, recorded_epoch};
use super::settings::{PublisherSettings, RunSummary, Sinks, Until};
use crate::alert::AlertRule;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Log, LogReader, RecordKind, Recovered};
use crate::observe::OpenEpochFound;
use crate::round::{Evaluator, Metric};
use crate::shard::{Backlog, SEAL_LAYOUT, ShardCommand, ShardReport, decode_seal, shard_log};
use crate::sink::{AlertDelivery, RecordDelivery, SinkEvent};
use crate::table::{TableSpec, Tables};
use crate::time::wall;

/// How often an idle publisher looks whether its log is still its own.
const CONFIRM_EVERY: Duration = Duration::from_secs(2);
/// How long an ending process waits for receivers of alerts.
const LAST_ALERTS: Duration = Duration::from_secs(10);
/// How long an ending process waits until its records are in Kafka.
const LAST_RECORDS: Duration = Duration::from_secs(120);
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
    /// Restores checkpoint and records and makes tables that do not exist yet. An intent without its epoch record is rolled
    /// forward by the first actions.
    pub async fn restore(
        settings: PublisherSettings,
        metrics: Arc<Vec<Metric>>,
        rules: Vec<Box<dyn AlertRule>>,
        (sinks, delivery): (&Sinks, Delivery),
        (store, specs): (Arc<dyn ObjectStore>, Vec<TableSpec>),
        (log, recovered): (Log, Recovered),
        until: Until,
    ) -> Result<Self> {
        let checkpoint = match &recovered.checkpoint {
            Some((_, bytes)) => postcard::from_bytes(bytes).map_err(Error::from_source(
                ErrorKind::Damaged,
                "the publisher's checkpoint cannot be read: remove it, the log serves instead",
            ))?,
            None => PublisherCheckpoint::default(),
        };
        let tables = Arc::new(Tables::new(store.clone()));
        // A table that was lost is not made anew and empty: what stood in it would be missing without a word.
        if let Some(epoch) = recorded_epoch(&checkpoint, &recovered.records)? {
            for (table, version) in &epoch.tables {
                tables.require(table, *version).await?;
            }
        }
        let mut versions = BTreeMap::new();
        let mut by_name = BTreeMap::new();
        for spec in specs {
            versions.insert(spec.full_name(), tables.ensure(&spec).await?);
            by_name.insert(spec.full_name(), spec);
        }
        let schemas = by_name
            .iter()
            .map(|(name, spec)| (name.clone(), spec.schema.clone()));
        let parts = MachineParts {
            metrics: metrics.clone(),
            schemas: schemas.collect(),
            feed: sinks.feed.clone(),
            sends_records: sinks.records.is_some(),
            rules,
            versions,
            settings,
        };
        let next_record = log.last().number + 1;
        let evaluator = Evaluator::new(parts.settings.zone);
        let machine = Machine::restore(
            parts,
            checkpoint,
            &recovered.records,
            next_record,
            read_now(),
        )?;
        for (epoch, file) in machine.undelivered() {
            delivery.records.deliver(*epoch, file.clone());
        }
        delivery
            .alerts
            .confirm(machine.checkpoint().state.attempts_cut);
        if machine.is_rolling_forward() {
            let epoch = machine.checkpoint().state.epoch;
            OpenEpochFound { epoch }.report();
        }
        Ok(Self {
            machine,
            claim: log.claim_id().number,
            io: Some(EpochIo {
                store,
                log,
                tables: tables.clone(),
                specs: Arc::new(by_name),
                metrics,
                feed: sinks.feed.clone(),
                evaluator,
            }),
            delivery,
            until,
            stage: LifecycleStage::Running,
            running_shards: 0,
            closes_at: None,
            needs: watch::channel(StorageNeeds::default()).0,
            tables,
        })
    }

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

    /// Publishes what the shards sealed behind the last cut, in epochs of bounded size and without rounds, before they go on.
    ///
    /// What does not go into an epoch of its own yet is added to `backlog`.
    pub async fn catch_up(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        backlog: &Backlog,
    ) -> Result<()> {
        self.settle().await?;
        let (early_bytes, shards) = (
            self.machine.settings.early_bytes,
            self.machine.settings.shards,
        );
        for shard in 0..shards {
            let reader = LogReader::new(store.clone(), &shard_log(shard), SEAL_LAYOUT);
            let Some(last) = reader.last_number().await? else {
                continue;
            };
            for number in self.machine.ingested(shard) + 1..=last {
                let Some(entry) = reader.read(number).await? else {
                    return Err(Error::new(
                        ErrorKind::Damaged,
                        format!(
                            "shard={shard}: seal={number} is missing in its log, the epoch's cut names it: restore the log or the \
                             storage from a copy"
                        ),
                    ));
                };
                if entry.kind != RecordKind::Data {
                    self.machine.skip(shard, number);
                    continue;
                }
                let sealed = SealedRecord {
                    shard,
                    number,
                    bytes: entry.payload.len(),
                    seal: Arc::new(decode_seal(shard, &entry.payload)?),
                };
                self.machine
                    .apply(PublisherEvent::Sealed(sealed), read_now())?;
                if self.machine.collected_bytes() >= early_bytes {
                    self.settle().await?;
                }
            }
        }
        // What has been published by now was never counted as waiting.
        self.machine.take_released();
        backlog.add(self.machine.collected_bytes());
        self.report_needs();
        Ok(())
    }

    /// Acts until there is nothing to do but wait.
    async fn settle(&mut self) -> Result<()> {
        while let Some(mut work) = self.begin(&[])? {
            let (io, event) = (&mut work).await;
            self.io = Some(io);
            if let Some(event) = event? {
                self.happened(event)?;
            }
        }
        Ok(())
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
            SinkEvent::Delivered { epoch } => self
                .machine
                .apply(PublisherEvent::Delivered { epoch }, read_now()),
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
            drain_to: match self.until {
                Until::DrainedTo(to) => Some(to),
                Until::Drained => self.machine.drain_instant(),
                Until::Stopped | Until::CaughtUp => None,
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
            LifecycleStage::Draining(to) => {
                command_all(&channels.commands, &ShardCommand::Drain { to });
            }
            LifecycleStage::Revising => self.machine.revise_all(true),
            LifecycleStage::Stopping => {
                self.machine.revise_all(false);
                self.machine.set_has_shards(false);
                command_all(&channels.commands, &ShardCommand::Stop);
            }
            LifecycleStage::Closing | LifecycleStage::Settling => self.machine.publish_now(now),
            LifecycleStage::Delivering => {
                let patience = if self.delivery.records.outstanding() > 0 {
                    LAST_RECORDS
                } else {
                    LAST_ALERTS
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
