//! Delivery of an epoch's records: the feed and dead letters.
//!
//! ```text
//! deliver ─▶ read the staged file ─▶ RecordSink, chunk after chunk ─▶ {epoch} in the own log ─▶ Delivered ─▶ delete the file
//! ```
//!
//! At least once, in the order of epochs and records: after a crash the file of the epoch that was under way is sent again from
//! its beginning, and readers see equal records.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::own_log::{OwnLog, Restored};
use super::record_file::{RecordFile, delete_records, read_records};
use super::record_queue::{RecordQueue, RecordStep};
use super::record_sink::{RecordSink, RecordSinkError, SinkRecord};
use super::task::{self, SinkEvent, Stop, TaskEnd};
use crate::error::{Error, Result};
use crate::observe::{Outage, RecordRefused, RecordsNotDelivered, RecordsResumed};
use crate::time::wall;

/// Name of the log: a record is the epoch that was delivered, a checkpoint the newest one.
pub(super) const RECORD_LOG: &str = "sink-records";
/// Version of the log's payloads.
pub(super) const RECORD_LAYOUT: u16 = 1;

/// Sends the records of epochs beside the publisher. Dropping it ends it at once.
pub struct RecordDelivery {
    worker: Option<Worker>,
    events: UnboundedSender<SinkEvent>,
    /// The newest epoch that is known.
    known: Mutex<Option<i64>>,
    /// What had been delivered at the claim.
    claimed_at: Option<i64>,
    outstanding: Arc<AtomicUsize>,
}

struct Worker {
    commands: UnboundedSender<RecordDeliveryCommand>,
    task: JoinHandle<Result<()>>,
}

enum RecordDeliveryCommand {
    Deliver(i64, RecordFile),
    /// The file of an epoch that had been delivered before.
    Delete(RecordFile),
    Close,
}

impl RecordDelivery {
    /// Claims the log `sink-records`; without a sink there is neither log nor task.
    pub async fn claim(
        store: Arc<dyn ObjectStore>,
        owner: &str,
        sink: Option<Arc<dyn RecordSink>>,
        events: UnboundedSender<SinkEvent>,
    ) -> Result<Self> {
        let outstanding = Arc::new(AtomicUsize::new(0));
        let mut delivery = Self {
            worker: None,
            events: events.clone(),
            known: Mutex::new(None),
            claimed_at: None,
            outstanding: outstanding.clone(),
        };
        let Some(sink) = sink else {
            return Ok(delivery);
        };
        let claim = OwnLog::claim(store.clone(), RECORD_LOG, RECORD_LAYOUT, owner).await?;
        let (
            log,
            Restored {
                checkpoint,
                records,
            },
        ): (_, Restored<Option<i64>, i64>) = claim;
        let last = records.last().map(|(_, epoch)| *epoch);
        let delivered = last.max(checkpoint.flatten());
        let (commands, received) = unbounded_channel();
        let running = RecordDeliveryTask {
            log,
            queue: RecordQueue::new(delivered),
            records: Arc::default(),
            attempt: None,
            outage: Outage::default(),
            store,
            sink,
            commands: received,
            events: events.clone(),
            outstanding,
        };
        delivery.known = Mutex::new(delivered);
        delivery.claimed_at = delivered;
        delivery.worker = Some(Worker {
            commands,
            task: task::spawn("records", events, running.run()),
        });
        Ok(delivery)
    }

    /// Sends the records of `epoch`, which `file` holds. Epochs rise; one that is known already changes nothing.
    ///
    /// An epoch that had left before the claim is reported as delivered again: its owner may have died before it knew.
    pub fn deliver(&self, epoch: i64, file: RecordFile) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known >= Some(epoch) {
            self.repeated(epoch, file);
            return;
        }
        *known = Some(epoch);
        let Some(worker) = &self.worker else {
            self.report(SinkEvent::Delivered { epoch });
            return;
        };
        self.outstanding.fetch_add(1, Ordering::SeqCst);
        // A task that has ended has reported that.
        let _ = worker
            .commands
            .send(RecordDeliveryCommand::Deliver(epoch, file));
    }

    /// An epoch that is known already: of one that had left before the claim only its file may be left.
    fn repeated(&self, epoch: i64, file: RecordFile) {
        let Some(worker) = &self.worker else { return };
        if self.claimed_at >= Some(epoch) {
            self.report(SinkEvent::Delivered { epoch });
            let _ = worker.commands.send(RecordDeliveryCommand::Delete(file));
        }
    }

    fn report(&self, event: SinkEvent) {
        // An owner that no longer listens is ending itself.
        let _ = self.events.send(event);
    }

    /// Epochs that are not delivered.
    pub fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::SeqCst)
    }

    /// Stops sending and ends the task. What is under way is sent again by the next owner.
    pub async fn close(self) -> Result<()> {
        let Some(Worker { commands, task }) = self.worker else {
            return Ok(());
        };
        let _ = commands.send(RecordDeliveryCommand::Close);
        task::join("records", task).await
    }
}

/// How an attempt ended.
enum Attempt {
    Read(Result<Vec<SinkRecord>>),
    Sent(Result<(), RecordSinkError>),
}

/// The task: commands, attempts and time in one loop.
struct RecordDeliveryTask {
    log: OwnLog,
    queue: RecordQueue,
    /// The head's records, once its file has been read.
    records: Arc<[SinkRecord]>,
    /// What is under way; at most one.
    attempt: Option<BoxFuture<'static, Attempt>>,
    outage: Outage,
    store: Arc<dyn ObjectStore>,
    sink: Arc<dyn RecordSink>,
    commands: UnboundedReceiver<RecordDeliveryCommand>,
    events: UnboundedSender<SinkEvent>,
    outstanding: Arc<AtomicUsize>,
}

impl RecordDeliveryTask {
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
            self.log.look(!self.queue.is_empty()).await?;
            let wait = self.act().await?;
            let under_way = async {
                match &mut self.attempt {
                    Some(attempt) => attempt.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(RecordDeliveryCommand::Deliver(epoch, file)) => self.queue.push(epoch, file),
                    Some(RecordDeliveryCommand::Delete(file)) => delete_records(&self.store, &file).await,
                    Some(RecordDeliveryCommand::Close) => return Ok(Stop::Closed),
                    None => return Ok(Stop::Dropped),
                },
                attempt = under_way => {
                    self.attempt = None;
                    self.ended(attempt)?;
                }
                () = wall::sleep(wait) => {}
            }
        }
    }

    /// Starts what is next; says how long nothing else is to be done.
    async fn act(&mut self) -> Result<Duration> {
        while self.attempt.is_none() {
            let now = wall::monotonic();
            match self.queue.next(now) {
                RecordStep::Idle => break,
                RecordStep::WaitUntil(until) => {
                    let pause = until.duration_since(now);
                    return Ok(pause.min(self.log.look_in(true)));
                }
                RecordStep::Read(file) => {
                    let store = self.store.clone();
                    let read = async move { Attempt::Read(read_records(&store, &file).await) };
                    self.attempt = Some(read.boxed());
                }
                RecordStep::Send { .. } if wall::now() > self.log.leased_until() => {
                    self.log.look_now().await?;
                }
                RecordStep::Send { from, count } => {
                    let (sink, records) = (self.sink.clone(), self.records.clone());
                    let send =
                        async move { Attempt::Sent(sink.send(&records[from..from + count]).await) };
                    self.attempt = Some(send.boxed());
                }
                RecordStep::Seal { epoch } => self.delivered(epoch).await?,
            }
        }
        Ok(self.log.look_in(!self.queue.is_empty()))
    }

    /// Makes durable that the head has left, then reports it.
    async fn delivered(&mut self, epoch: i64) -> Result<()> {
        self.log.append(&epoch).await?;
        let sealed = self.queue.sealed();
        self.records = Arc::default();
        let _ = self.events.send(SinkEvent::Delivered { epoch });
        self.outstanding.fetch_sub(1, Ordering::SeqCst);
        if self.log.is_checkpoint_due() {
            self.log.write_checkpoint(&self.queue.delivered()).await?;
        }
        if let Some((_, file)) = sealed {
            delete_records(&self.store, &file).await;
        }
        Ok(())
    }

    fn ended(&mut self, attempt: Attempt) -> Result<()> {
        match attempt {
            Attempt::Read(Ok(records)) => {
                self.queue.read(records.len());
                self.records = records.into();
            }
            Attempt::Read(Err(error)) if error.is_retryable() => self.failed(0, &error),
            Attempt::Read(Err(error)) => return Err(error),
            Attempt::Sent(Ok(())) => {
                if self.outage.note_success(wall::monotonic()).is_some() {
                    RecordsResumed.report();
                }
                self.queue.sent();
            }
            Attempt::Sent(Err(RecordSinkError { position, error })) if error.is_retryable() => {
                self.failed(position, &error);
            }
            Attempt::Sent(Err(RecordSinkError { position, error })) => {
                self.refused(position, &error);
            }
        }
        Ok(())
    }

    fn failed(&mut self, arrived: usize, error: &Error) {
        let now = wall::monotonic();
        if self.outage.note_failure(now).is_some() {
            let epoch = self.queue.head_epoch();
            RecordsNotDelivered { epoch, error }.report();
        }
        self.queue.failed(arrived, now);
    }

    /// Says which record is given up, without its key and value.
    fn refused(&mut self, arrived: usize, error: &Error) {
        let Some(position) = self.queue.refused(arrived) else {
            return;
        };
        let topic = self
            .records
            .get(position)
            .map(|record| record.topic.as_str());
        RecordRefused {
            epoch: self.queue.head_epoch(),
            topic,
            position,
            error,
        }
        .report();
    }

    /// Ends what is under way and writes what a restart would have to read.
    async fn seal(&mut self) -> Result<()> {
        self.attempt = None;
        self.log.write_checkpoint(&self.queue.delivered()).await
    }
}

#[cfg(test)]
mod tests;
