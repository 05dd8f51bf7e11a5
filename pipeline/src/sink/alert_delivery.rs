//! Delivery of alerts, beside the owners of the logs that they come from.
//!
//! ```text
//! sources ─ ingest ─▶ AlertOutboxState ─ dispatches ─▶ lanes ─▶ AlertSink
//!                        │ changes, ≤ 1 record a second    │ attempts
//!                        ▼                                 ▼
//!                     own log                   settled; SinkEvent::Attempted
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use object_store::ObjectStore;
use schemas::time::TimestampMs;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::alert_lanes::{AlertLanes, LaneKey};
use super::alert_log::{ALERT_LAYOUT, ALERT_LOG};
use super::alert_outbox::{AlertOutboxState, SourceRecord};
use super::alert_sink::AlertDestinations;
use super::alert_source::AlertSource;
use super::outbox::Routes;
use super::own_log::OwnLog;
use super::schedule::DeliveryAttempt;
use super::task::{self, SinkEvent, Stop, TaskEnd};
use crate::alert::Transition;
use crate::error::Result;
use crate::time::wall;

/// Sends durable transitions to their destinations. Dropping it ends it at once; what it has not sealed is sent again.
pub struct AlertDelivery {
    commands: UnboundedSender<AlertDeliveryCommand>,
    task: JoinHandle<Result<()>>,
    routes: Routes,
    /// Destinations that have a sink.
    reachable: BTreeSet<Arc<str>>,
    /// Source → the last number that is known.
    known: Mutex<BTreeMap<Arc<str>, u64>>,
    /// Source → the number up to which it need not be read again.
    durable: Arc<Mutex<BTreeMap<Arc<str>, u64>>>,
    outstanding: Arc<AtomicUsize>,
}

enum AlertDeliveryCommand {
    Ingest(SourceRecord),
    Confirm(u64),
    Close,
}

impl AlertDelivery {
    /// Claims the log `sink-alerts`, restores outboxes and cursors, reads what the sources have sealed behind the cursors, and
    /// starts sending.
    pub async fn claim(
        store: Arc<dyn ObjectStore>,
        owner: &str,
        destinations: AlertDestinations,
        sources: Vec<AlertSource>,
        events: UnboundedSender<SinkEvent>,
    ) -> Result<Self> {
        let AlertDestinations { routes, sinks } = destinations;
        let (mut log, restored) =
            OwnLog::claim(store.clone(), ALERT_LOG, ALERT_LAYOUT, owner).await?;
        let mut state = AlertOutboxState::restore(restored.checkpoint, restored.records);
        for source in &sources {
            let cursor = state.cursor(&source.label);
            let ingest = |record| drop(state.ingest(record));
            source.read_behind(&store, &routes, cursor, ingest).await?;
            log.look(false).await?;
        }
        for (number, attempts) in state.unconfirmed() {
            let (number, attempts) = (*number, attempts.clone());
            // Who does not listen yet finds them in the channel.
            let _ = events.send(SinkEvent::Attempted { number, attempts });
        }
        let reachable: BTreeSet<_> = sinks.iter().map(|(name, ..)| name.clone()).collect();
        let mut lanes = AlertLanes::new(sinks);
        lanes.reach(state.live_time());
        let outstanding = Arc::new(AtomicUsize::new(0));
        for (source, dispatch) in state.take_over(&routes) {
            let is_reachable = reachable.contains(&dispatch.destination);
            outstanding.fetch_add(usize::from(is_reachable), Ordering::SeqCst);
            lanes.push(&source, dispatch);
        }
        let (commands, received) = unbounded_channel();
        let known = Mutex::new(state.cursors().clone());
        let durable = Arc::new(Mutex::new(state.sealed_cursors().clone()));
        let running = AlertDeliveryTask {
            log,
            state,
            lanes,
            attempts: Vec::new(),
            settled: 0,
            durable: durable.clone(),
            commands: received,
            events: events.clone(),
            outstanding: outstanding.clone(),
        };
        Ok(Self {
            commands,
            task: task::spawn("alerts", events, running.run()),
            routes,
            reachable,
            known,
            durable,
            outstanding,
        })
    }

    /// Registers a durable record of a source: its transitions may leave. Numbers of a source rise; one that is known already
    /// changes nothing. `at` is what ages are measured against from now on, if it is later than before.
    pub fn ingest(&self, label: &str, number: u64, transitions: Vec<Transition>, at: TimestampMs) {
        // Held until the record is on its way, so that records arrive in their order.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(label).is_some_and(|known| *known >= number) {
            return;
        }
        let source: Arc<str> = label.into();
        known.insert(source.clone(), number);
        let transitions = self.routes.route(transitions);
        let destinations = transitions.iter().flat_map(|routed| &routed.destinations);
        let sending = destinations.filter(|name| self.reachable.contains(*name));
        self.outstanding
            .fetch_add(sending.count(), Ordering::SeqCst);
        // A task that has ended has reported that.
        let _ = self
            .commands
            .send(AlertDeliveryCommand::Ingest(SourceRecord {
                source,
                number,
                transitions,
                at: Some(at),
            }));
    }

    /// Attempts reported with this number or a lower one are rows of a sealed intent: they need not be kept any longer.
    pub fn confirm(&self, number: u64) {
        let _ = self.commands.send(AlertDeliveryCommand::Confirm(number));
    }

    /// Per source the number up to which its records need not be read again, whatever happens to this process.
    pub fn durable_cursors(&self) -> BTreeMap<Arc<str>, u64> {
        let durable = self.durable.lock();
        durable.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Transitions × destinations that are not settled.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::SeqCst)
    }

    /// Stops sending, makes durable what is acknowledged and how far the sources are known, and ends the task.
    pub async fn close(self) -> Result<()> {
        let _ = self.commands.send(AlertDeliveryCommand::Close);
        task::join("alerts", self.task).await
    }
}

/// The task: commands, attempts and time in one loop.
struct AlertDeliveryTask {
    log: OwnLog,
    state: AlertOutboxState,
    lanes: AlertLanes,
    /// Not registered yet.
    attempts: Vec<(LaneKey, DeliveryAttempt)>,
    /// Attempts that settled something and are not durable yet.
    settled: usize,
    durable: Arc<Mutex<BTreeMap<Arc<str>, u64>>>,
    commands: UnboundedReceiver<AlertDeliveryCommand>,
    events: UnboundedSender<SinkEvent>,
    outstanding: Arc<AtomicUsize>,
}

impl AlertDeliveryTask {
    async fn run(mut self) -> TaskEnd {
        match self.drive().await {
            Ok(Stop::Closed) => TaskEnd::Asked(self.seal().await),
            Ok(Stop::Dropped) => TaskEnd::Asked(Ok(())),
            Err(error) => TaskEnd::Failed(error),
        }
    }

    /// Delivers until its owner wants no more.
    async fn drive(&mut self) -> Result<Stop> {
        loop {
            self.keep_log().await?;
            let wait = self.send();
            tokio::select! {
                command = self.commands.recv() => {
                    if let Some(stop) = self.take(command) {
                        return Ok(stop);
                    }
                }
                Some(answer) = self.lanes.answer() => self.attempts.push(answer),
                () = wall::sleep(wait) => {}
            }
            // What is there already is one batch.
            while let Ok(command) = self.commands.try_recv() {
                if let Some(stop) = self.take(Some(command)) {
                    return Ok(stop);
                }
            }
            self.collect();
        }
    }

    /// Appends what has changed, or looks whether the log is still ours, as far as it is time to.
    async fn keep_log(&mut self) -> Result<()> {
        let due_in = self.state.record_due_in(self.log.since_append());
        if due_in.is_some_and(|due_in| due_in.is_zero()) {
            self.append().await?;
        }
        self.log.look(self.lanes.is_waiting()).await
    }

    async fn append(&mut self) -> Result<()> {
        let Some(record) = self.state.unsealed() else {
            return Ok(());
        };
        let number = self.log.append(record).await?;
        let attempts = self.state.sealed(number);
        self.publish_cursors();
        if !attempts.is_empty() {
            let _ = self.events.send(SinkEvent::Attempted { number, attempts });
        }
        // Reported before it is counted: who sees that nothing is outstanding finds all attempts among the events.
        let settled = std::mem::take(&mut self.settled);
        self.outstanding.fetch_sub(settled, Ordering::SeqCst);
        if self.log.is_checkpoint_due() {
            self.log.write_checkpoint(self.state.checkpoint()).await?;
        }
        Ok(())
    }

    fn publish_cursors(&self) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.clone_from(self.state.sealed_cursors());
    }

    /// Starts what may leave; says how long nothing else is to be done.
    fn send(&mut self) -> Duration {
        let now = wall::monotonic();
        let may_send = self.log.may_send();
        let next = self
            .lanes
            .start_due(now, wall::now(), may_send, &mut self.attempts);
        self.register();
        let retry_in = next.map(|next| next.duration_since(now));
        let record_in = self.state.record_due_in(self.log.since_append());
        let look_in = self.log.look_in(self.lanes.is_waiting());
        [retry_in, record_in]
            .into_iter()
            .flatten()
            .fold(look_in, Duration::min)
    }

    fn take(&mut self, command: Option<AlertDeliveryCommand>) -> Option<Stop> {
        match command {
            Some(AlertDeliveryCommand::Ingest(record)) => {
                let source = record.source.clone();
                let dispatches = self.state.ingest(record);
                self.lanes.reach(self.state.live_time());
                for dispatch in dispatches {
                    self.lanes.push(&source, dispatch);
                }
                None
            }
            Some(AlertDeliveryCommand::Confirm(number)) => {
                self.state.confirm(number);
                None
            }
            Some(AlertDeliveryCommand::Close) => Some(Stop::Closed),
            None => Some(Stop::Dropped),
        }
    }

    /// Takes the answers that are there.
    fn collect(&mut self) {
        while let Some(Some(answer)) = self.lanes.answer().now_or_never() {
            self.attempts.push(answer);
        }
        self.register();
    }

    /// Registers attempts; the next record of the log makes them durable, and then they are reported.
    fn register(&mut self) {
        for ((source, _), attempt) in std::mem::take(&mut self.attempts) {
            self.settled += usize::from(attempt.outcome.is_settled());
            self.state.attempted(&source, attempt);
        }
    }

    /// Takes the answers that are there and makes durable what is known; what is under way then is sent again.
    async fn seal(&mut self) -> Result<()> {
        self.collect();
        self.state.close();
        self.append().await?;
        self.log.write_checkpoint(self.state.checkpoint()).await
    }
}

#[cfg(test)]
mod tests;
