//! Delivery of an epoch's records: the feed and dead letters.
//!
//! ```text
//! deliver ─▶ read the staged file ─▶ resume ─▶ RecordSink, chunk after chunk ─▶ {epoch} in the own log ─▶ Delivered ─▶ delete the file
//! ```
//!
//! In the order of epochs and records, each chunk as a whole. Before the first chunk of an owner, and whenever the outcome of one is
//! not known, the sink is resumed: it fences whoever sent before under the same name and says how far that one came (design 3.5).
//! Before each of these and before each chunk the own log's end is read: a former owner that wakes up sends nothing and ends.
//!
//! A record that is refused for good is given up: said in the log at once, a row of `ops.deliveries` once its epoch has left, and the
//! next ones go on. An heir goes on behind it.

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
use super::record_log::{RECORD_LAYOUT, RECORD_LOG, RecordCheckpoint, RecordLogEntry};
use super::record_queue::{RecordQueue, RecordStep};
use super::record_sink::{RecordSink, RecordSinkError};
use super::schedule::{DeliveryAttempt, DeliveryOutcome, topic_destination};
use super::sink_record::SinkRecord;
use super::task::{self, SinkEvent, Stop, TaskEnd};
use crate::error::{Error, Result};
use crate::observe::{Outage, RecordRefused, RecordsNotDelivered, RecordsResumed};
use crate::time::wall;

/// Bytes of records in one transaction, unless a single one is larger.
const BYTES_AT_ONCE: usize = 16 << 20;

/// Sends the records of epochs beside the publisher. Dropping it ends it at once.
pub struct RecordDelivery {
    worker: Option<Worker>,
    events: UnboundedSender<SinkEvent>,
    /// The newest epoch that is known.
    known: Mutex<Option<i64>>,
    /// What the log said at the claim.
    claimed: RecordCheckpoint,
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
            claimed: RecordCheckpoint::default(),
            outstanding: outstanding.clone(),
        };
        let Some(sink) = sink else {
            return Ok(delivery);
        };
        let claim = OwnLog::claim(store.clone(), RECORD_LOG, RECORD_LAYOUT, owner).await?;
        let (mut log, restored): (_, Restored<RecordCheckpoint, RecordLogEntry>) = claim;
        let mut state = restored.checkpoint.unwrap_or_default();
        for (_, entry) in restored.records {
            state.apply(entry);
        }
        if state.sender.is_empty() {
            let entry = RecordLogEntry::Sender(log.random_name());
            log.append(&entry).await?;
            state.apply(entry);
        }
        let delivered = state.delivered;
        let (commands, received) = unbounded_channel();
        let running = RecordDeliveryTask {
            log,
            state: state.clone(),
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
        delivery.claimed = state;
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
            let given_up = Vec::new();
            self.report(SinkEvent::Delivered { epoch, given_up });
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
        if self.claimed.delivered >= Some(epoch) {
            let given_up = self.claimed.given_up(epoch);
            self.report(SinkEvent::Delivered { epoch, given_up });
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
    Resumed(Result<usize>),
    /// So many records.
    Sent(usize, Result<(), RecordSinkError>),
}

/// The task: commands, attempts and time in one loop.
struct RecordDeliveryTask {
    log: OwnLog,
    /// What the log says.
    state: RecordCheckpoint,
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
                    self.ended(attempt).await?;
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
                RecordStep::Resume { epoch } => {
                    self.log.look_now().await?;
                    let (sink, sender) = (self.sink.clone(), self.state.sender.clone());
                    let records = self.records.clone();
                    let resume = async move {
                        Attempt::Resumed(sink.resume(&sender, epoch, &records).await)
                    };
                    self.attempt = Some(resume.boxed());
                }
                RecordStep::Send { epoch, from, count } => {
                    self.log.look_now().await?;
                    let (sink, records) = (self.sink.clone(), self.records.clone());
                    let count = within_bytes(&records[from..from + count]);
                    let send = async move {
                        let sent = sink.send(epoch, from, &records[from..from + count]);
                        Attempt::Sent(count, sent.await)
                    };
                    self.attempt = Some(send.boxed());
                }
                RecordStep::Seal { epoch } => self.delivered(epoch).await?,
            }
        }
        Ok(self.log.look_in(!self.queue.is_empty()))
    }

    /// Makes durable that the head has left, then reports it.
    async fn delivered(&mut self, epoch: i64) -> Result<()> {
        self.append(RecordLogEntry::Left { epoch }).await?;
        let sealed = self.queue.sealed();
        self.records = Arc::default();
        let given_up = self.state.given_up(epoch);
        let _ = self.events.send(SinkEvent::Delivered { epoch, given_up });
        self.outstanding.fetch_sub(1, Ordering::SeqCst);
        if let Some((_, file)) = sealed {
            delete_records(&self.store, &file).await;
        }
        Ok(())
    }

    async fn append(&mut self, entry: RecordLogEntry) -> Result<()> {
        self.log.append(&entry).await?;
        self.state.apply(entry);
        if self.log.is_checkpoint_due() {
            self.log.write_checkpoint(&self.state).await?;
        }
        Ok(())
    }

    async fn ended(&mut self, attempt: Attempt) -> Result<()> {
        match attempt {
            Attempt::Read(Ok(records)) => {
                self.queue.read(records.len());
                self.records = records.into();
            }
            Attempt::Read(Err(error)) if error.is_retryable() => self.failed(true, &error),
            Attempt::Read(Err(error)) => return Err(error),
            Attempt::Resumed(Ok(arrived)) => {
                // What was given up never arrives; all before it has left.
                let epoch = self.queue.head_epoch();
                let behind = epoch.map_or(0, |epoch| self.state.behind_given_up(epoch));
                self.queue.resumed(arrived.max(behind));
            }
            // Whatever it is, somebody can mend it at the broker, and nothing is lost until then.
            Attempt::Resumed(Err(error)) => self.failed(false, &error),
            Attempt::Sent(count, Ok(())) => {
                if self.outage.note_success(wall::monotonic()).is_some() {
                    RecordsResumed.report();
                }
                self.queue.sent(count);
            }
            Attempt::Sent(_, Err(failed)) if failed.error.is_retryable() => {
                self.failed(failed.is_undone, &failed.error);
            }
            Attempt::Sent(count, Err(failed)) => self.refused(count, &failed).await?,
        }
        Ok(())
    }

    fn failed(&mut self, is_undone: bool, error: &Error) {
        let now = wall::monotonic();
        if self.outage.note_failure(now).is_some() {
            let epoch = self.queue.head_epoch();
            RecordsNotDelivered { epoch, error }.report();
        }
        self.queue.failed(is_undone, now);
    }

    /// Says which record is given up, without its key and value.
    async fn refused(&mut self, count: usize, failed: &RecordSinkError) -> Result<()> {
        let RecordSinkError {
            refused,
            error,
            is_undone,
        } = failed;
        let Some(epoch) = self.queue.head_epoch() else {
            return Ok(());
        };
        let Some(position) = self.queue.refused(*refused, count, *is_undone) else {
            return Ok(());
        };
        let records = self.records.clone();
        let Some(record) = records.get(position) else {
            return Ok(());
        };
        let place = record.place();
        let attempt = DeliveryAttempt {
            id: place.as_str().into(),
            sequence: 0,
            dedupe_key: Arc::default(),
            destination: topic_destination(&record.topic),
            attempt: 1,
            attempted_at: wall::now(),
            outcome: DeliveryOutcome::Refused,
            status: None,
            error: Some(error.to_string()),
        };
        let entry = RecordLogEntry::GivenUp {
            epoch,
            position,
            attempt,
        };
        self.append(entry).await?;
        RecordRefused {
            epoch: Some(epoch),
            topic: &record.topic,
            place: &place,
            position,
            error,
        }
        .report();
        Ok(())
    }

    /// Ends what is under way and writes what a restart would have to read.
    async fn seal(&mut self) -> Result<()> {
        self.attempt = None;
        self.log.write_checkpoint(&self.state).await
    }
}

/// How many of the records, one at least, go at once.
fn within_bytes(records: &[SinkRecord]) -> usize {
    let sizes = records.iter().scan(0, |total, record| {
        *total += record.size();
        Some(*total)
    });
    let fitting = sizes.take_while(|total| *total <= BYTES_AT_ONCE);
    fitting.count().max(1)
}

#[cfg(test)]
mod tests;
