//! Puts shards, publisher and sinks of one process together.

use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::Sender;
use futures::future::{self, Either};
use object_store::ObjectStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;

use super::housekeeping::{Housekeeper, HousekeepingSettings, LogToTrim};
use crate::alert::AlertRule;
use crate::error::{Error, ErrorKind, Result, broken_down, catch_panic};
use crate::history::ReferenceState;
use crate::log::{Log, LogReader};
use crate::publisher::{
    Channels, Delivery, EpochRecord, OWN_ALERTS, PUBLISHER_LAYOUT, PUBLISHER_LOG, Publisher,
    PublisherSettings, RunSummary, Sinks, Until, alerts_of, alerts_of_seal,
};
use crate::round::Metric;
use crate::shard::{
    Backlog, FirstReference, LogEnd, ReferenceStore, SEAL_LAYOUT, Shard, ShardChannels,
    ShardCommand, ShardReport, ShardSettings, ShardState, decode_seal, first_reference, shard_log,
};
use crate::sink::{AlertDelivery, AlertSource, RecordDelivery, SinkEvent, delivery_logs};
use crate::source::{Source, Start};
use crate::table::TableSpec;
use crate::time::wall;

/// Backlog bytes of seals that may wait for the publisher, as a multiple of those at which an epoch comes early.
const BACKLOG_EPOCHS: usize = 4;
/// How long a process that has failed waits for the last seals of its shards.
const LAST_SEALS: Duration = Duration::from_secs(5);

/// Opens the inputs of one shard at its own offsets.
pub type OpenSource = Arc<dyn Fn(&[Start]) -> Result<Box<dyn Source>> + Send + Sync>;

/// What a process runs.
pub struct Process<R, F> {
    pub shards: Vec<ShardSettings>,
    pub publisher: PublisherSettings,
    pub metrics: Arc<Vec<Metric>>,
    pub specs: Vec<TableSpec>,
    pub row_rules: Vec<Box<dyn AlertRule>>,
    pub sinks: Sinks,
    /// Makes the state of a shard over a reference state: operators and rules over facts.
    pub make_state: F,
    pub references: Arc<dyn ReferenceStore<R>>,
    pub open_source: OpenSource,
    /// End offsets seen at start, per shard and input; `None` for files.
    pub stop_offsets: Option<Vec<Vec<i64>>>,
    /// Content hash of the reference data to be in force.
    pub reference: String,
    /// Versions to be put in force while the process runs.
    pub new_references: mpsc::UnboundedReceiver<String>,
    /// Name of this process in claims.
    pub owner: String,
    pub until: Until,
}

impl<R: ReferenceState, F> Process<R, F> {
    /// Claims all logs, restores state and runs until `until` or until `stop` is set; `None` where that is while state is restored.
    pub async fn run<M>(
        self,
        store: Arc<dyn ObjectStore>,
        mut stop: watch::Receiver<bool>,
        on_epoch: impl FnMut(&EpochRecord),
    ) -> Result<Option<RunSummary>>
    where
        F: FnMut(u32, R) -> M,
        M: Future<Output = Result<ShardState<R>>>,
    {
        let starting = async {
            let sources = self.open_sources(&store).await?;
            self.restore(&store, sources).await
        };
        // As with a kill: whatever is under way then, the next start finds it in the logs.
        let restored = tokio::select! {
            restored = starting => restored?,
            Ok(_) = stop.wait_for(|is_set| *is_set) => return Ok(None),
        };
        restored.serve(store, stop, on_epoch).await.map(Some)
    }

    /// Finds logs and inputs usable, and claims nothing (K39): a start that fails here fences nobody.
    async fn open_sources(&self, store: &Arc<dyn ObjectStore>) -> Result<Vec<OpenedSource>> {
        for LogToTrim { name, layout } in logs_to_trim(self.publisher.shards) {
            let reader = LogReader::new(store.clone(), &name, layout);
            if let Some(last) = reader.last_number().await? {
                reader.read(last).await?;
            }
        }
        let mut sources = Vec::with_capacity(self.shards.len());
        for settings in &self.shards {
            let LogEnd { starts, drained_to } = LogEnd::read(store, settings).await?;
            if drained_to.is_some() {
                self.require_undrained()?;
            }
            sources.push(OpenedSource::open(self.open_source.clone(), starts).await?);
        }
        Ok(sources)
    }

    /// Of a drained storage: only another drain may go on (K7).
    fn require_undrained(&self) -> Result<()> {
        if matches!(self.until, Until::Drained | Until::DrainedTo(_)) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            "this storage was drained: its event time was moved on beyond the inputs' ends, so new events would count as late; \
             finish with `run --drain`, or start with an empty [storage] url",
        ))
    }

    async fn restore<M>(
        mut self,
        store: &Arc<dyn ObjectStore>,
        sources: Vec<OpenedSource>,
    ) -> Result<Restored<R>>
    where
        F: FnMut(u32, R) -> M,
        M: Future<Output = Result<ShardState<R>>>,
    {
        let mut shards = Vec::with_capacity(self.shards.len());
        for settings in std::mem::take(&mut self.shards) {
            confirm_first(&mut shards).await?;
            shards.push(self.restore_shard(store, settings).await?);
        }
        // A former owner may have drained the storage between the look and the claims.
        if shards.iter().any(|shard| shard.drained_to().is_some()) {
            self.require_undrained()?;
        }
        confirm_first(&mut shards).await?;
        let log = Log::claim(store.clone(), PUBLISHER_LOG, PUBLISHER_LAYOUT, &self.owner).await?;
        let (events, sink_events) = mpsc::unbounded_channel();
        confirm_first(&mut shards).await?;
        let alerts = AlertDelivery::claim(
            store.clone(),
            &self.owner,
            self.sinks.alerts.clone(),
            alert_sources(self.publisher.shards),
            events.clone(),
        )
        .await?;
        confirm_first(&mut shards).await?;
        let records = RecordDelivery::claim(
            store.clone(),
            &self.owner,
            self.sinks.records.clone(),
            events,
        )
        .await?;
        let delivery = Delivery { alerts, records };
        let (early_bytes, count) = (self.publisher.early_bytes, self.publisher.shards);
        let mut publisher = Publisher::restore(
            self.publisher,
            self.metrics,
            self.row_rules,
            (&self.sinks, delivery),
            (store.clone(), self.specs),
            log,
            self.until,
        )
        .await?;
        let backlog = Arc::new(Backlog::new(BACKLOG_EPOCHS * early_bytes));
        publisher.catch_up(store, &backlog).await?;
        let mut opened = Vec::with_capacity(shards.len());
        for (shard, source) in shards.into_iter().zip(sources) {
            let source = source.at(&self.open_source, shard.starts()).await?;
            opened.push((shard, source));
        }
        Ok(Restored {
            shards: opened,
            count,
            publisher,
            sink_events,
            backlog,
            new_references: self.new_references,
        })
    }

    async fn restore_shard<M>(
        &mut self,
        store: &Arc<dyn ObjectStore>,
        settings: ShardSettings,
    ) -> Result<Shard<R>>
    where
        F: FnMut(u32, R) -> M,
        M: Future<Output = Result<ShardState<R>>>,
    {
        let shard = settings.shard;
        let claimed =
            Log::claim(store.clone(), &shard_log(shard), SEAL_LAYOUT, &self.owner).await?;
        let version = first_reference(shard, &claimed.1)?.unwrap_or_else(|| self.reference.clone());
        let reference = self.references.reference(&version).await?;
        let state = (self.make_state)(shard, reference).await?;
        let stop_offsets = self
            .stop_offsets
            .as_ref()
            .and_then(|of_shards| of_shards.get(shard as usize))
            .map(Vec::as_slice);
        let references = FirstReference {
            store: self.references.clone(),
            version,
            wanted: self.reference.clone(),
        };
        let restored = Shard::restore(
            settings,
            state,
            claimed,
            stop_offsets,
            references,
            Handle::current(),
        )
        .await?;
        Ok(restored)
    }
}

/// Claims are put in one order. A start that was suspended and goes on finds here that another has begun after it, before it takes more
/// from that one (K39).
async fn confirm_first<R: ReferenceState>(shards: &mut [Shard<R>]) -> Result<()> {
    match shards.first_mut() {
        Some(first) => first.confirm().await,
        None => Ok(()),
    }
}

/// The inputs of a shard, found where its log ends.
struct OpenedSource {
    starts: Vec<Start>,
    /// Taken once.
    source: Option<Box<dyn Source>>,
}

/// Closing waits for threads that may wait for brokers: not on a thread of the runtime, and not one shard after the other.
impl Drop for OpenedSource {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            thread::spawn(move || drop(source));
        }
    }
}

impl OpenedSource {
    /// Opening waits for brokers: beside the runtime's threads, which have to hear of signals meanwhile.
    async fn open(open_source: OpenSource, starts: Vec<Start>) -> Result<Self> {
        let opening = tokio::task::spawn_blocking(move || {
            let source = Some(open_source(&starts)?);
            Ok(Self { starts, source })
        });
        opening
            .await
            .map_err(|panic| broken_down("opening the inputs", &panic.to_string()))?
    }

    /// The source at these starts: another one, if a former owner has sealed more until it was fenced.
    async fn at(mut self, open_source: &OpenSource, starts: Vec<Start>) -> Result<Box<dyn Source>> {
        if self.starts != starts {
            self = Self::open(open_source.clone(), starts).await?;
        }
        let source = self.source.take();
        source.ok_or_else(|| Error::new(ErrorKind::Internal, "a source was taken twice"))
    }
}

/// Everything claimed and restored; nothing is taken from the sources yet.
struct Restored<R: ReferenceState> {
    shards: Vec<(Shard<R>, Box<dyn Source>)>,
    /// Of the whole storage.
    count: u32,
    publisher: Publisher,
    sink_events: mpsc::UnboundedReceiver<SinkEvent>,
    backlog: Arc<Backlog>,
    new_references: mpsc::UnboundedReceiver<String>,
}

impl<R: ReferenceState> Restored<R> {
    /// Reads and publishes until the publisher ends.
    async fn serve(
        self,
        store: Arc<dyn ObjectStore>,
        stop: watch::Receiver<bool>,
        on_epoch: impl FnMut(&EpochRecord),
    ) -> Result<RunSummary> {
        let (sender, reports) = mpsc::unbounded_channel();
        let mut commands = Vec::with_capacity(self.shards.len());
        let mut threads = Vec::with_capacity(self.shards.len());
        for (number, (shard, source)) in (0_u32..).zip(self.shards) {
            let (command, thread) =
                spawn_shard(number, shard, source, sender.clone(), self.backlog.clone())?;
            commands.push(command);
            threads.push(thread);
        }
        drop(sender);
        let channels = Channels {
            commands,
            reports,
            sinks: self.sink_events,
            stop,
            new_references: self.new_references,
            backlog: self.backlog,
        };
        let housekeeper = Housekeeper::new(
            store,
            self.publisher.tables(),
            logs_to_trim(self.count),
            HousekeepingSettings::default(),
        );
        let (end, ended) = watch::channel(false);
        let housekeeping = tokio::spawn(housekeeper.run(self.publisher.needs(), ended));
        let result = {
            let mut housekeeping = pin!(housekeeping);
            let publishing = pin!(self.publisher.run(channels, on_epoch));
            match future::select(publishing, &mut housekeeping).await {
                Either::Left((result, _)) => {
                    let _ = end.send(true);
                    // It only deletes; what it was at is left to the next run.
                    let _ = housekeeping.await;
                    result
                }
                Either::Right((ended, _)) => Err(housekeeping_ended(ended)),
            }
        };
        // Their results have come as reports. After an error of the publisher's own they may still be sealing, for as long as the store
        // does not answer: nobody waits for that.
        let joining = tokio::task::spawn_blocking(move || threads.into_iter().for_each(join));
        tokio::select! {
            _ = joining => {}
            () = wall::sleep(LAST_SEALS), if result.is_err() => {}
        }
        result
    }
}

/// Waits for a thread whose result has been reported.
fn join(thread: JoinHandle<()>) {
    let _ = thread.join();
}

fn spawn_shard<R: ReferenceState>(
    number: u32,
    shard: Shard<R>,
    source: Box<dyn Source>,
    reports: mpsc::UnboundedSender<ShardReport>,
    backlog: Arc<Backlog>,
) -> Result<(Sender<ShardCommand>, JoinHandle<()>)> {
    let (sender, commands) = crossbeam_channel::unbounded();
    let channels = ShardChannels {
        commands,
        reports,
        backlog,
    };
    let thread = thread::Builder::new()
        .name(format!("shard-{number}"))
        .spawn(move || {
            let reports = channels.reports.clone();
            report_end(number, &reports, move || shard.run(source, &channels));
        })
        .map_err(Error::from_source(
            ErrorKind::Unavailable,
            "a thread cannot be started: raise the limit of threads of this process",
        ))?;
    Ok((sender, thread))
}

/// Runs the body of a shard's thread and reports how it ended, be it by a panic.
fn report_end(
    shard: u32,
    reports: &mpsc::UnboundedSender<ShardReport>,
    body: impl FnOnce() -> Result<()>,
) {
    let result = catch_panic("its thread", body).flatten();
    // A closed channel means that the publisher has ended with an error of its own.
    let _ = reports.send(ShardReport::Ended { shard, result });
}

/// Nobody asked it to end.
fn housekeeping_ended(ended: std::result::Result<(), JoinError>) -> Error {
    match ended {
        Ok(()) => broken_down("housekeeping", "it ended by itself"),
        Err(panic) => broken_down("housekeeping", &panic.to_string()),
    }
}

/// Every log of the storage, with the layout of its payloads.
fn logs_to_trim(shards: u32) -> Vec<LogToTrim> {
    let shards = (0..shards).map(|shard| (shard_log(shard), SEAL_LAYOUT));
    shards
        .chain([(PUBLISHER_LOG.to_owned(), PUBLISHER_LAYOUT)])
        .chain(delivery_logs().map(|(name, layout)| (name.to_owned(), layout)))
        .map(|(name, layout)| LogToTrim { name, layout })
        .collect()
}

/// Where alerts come from: the seals of every shard, and the publisher's intents.
fn alert_sources(shards: u32) -> Vec<AlertSource> {
    let mut sources: Vec<AlertSource> = (0..shards)
        .map(|shard| AlertSource {
            log: shard_log(shard),
            layout: SEAL_LAYOUT,
            label: shard.to_string(),
            transitions: |label, number, payload| {
                let shard = label.parse().unwrap_or(u32::MAX);
                let seal = decode_seal(shard, payload)?;
                Ok(Some(alerts_of_seal(shard, number, &seal)))
            },
        })
        .collect();
    sources.push(AlertSource {
        log: PUBLISHER_LOG.to_owned(),
        layout: PUBLISHER_LAYOUT,
        label: OWN_ALERTS.to_owned(),
        transitions: |_, _, payload| alerts_of(payload),
    });
    sources
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_shards_thread_is_reported_be_it_a_panic() {
        let end = |body: fn() -> Result<()>| {
            let (sender, mut reports) = mpsc::unbounded_channel();
            report_end(3, &sender, body);
            match reports.try_recv().unwrap() {
                ShardReport::Ended { shard: 3, result } => result,
                _ => panic!("another report"),
            }
        };
        assert!(end(|| Ok(())).is_ok());
        let fenced = end(|| Err(Error::new(ErrorKind::Fenced, "another owner")));
        assert_eq!(fenced.unwrap_err().kind(), ErrorKind::Fenced);
        let panicked = end(|| panic!("a mistake in row {}", 7)).unwrap_err();
        assert_eq!(panicked.kind(), ErrorKind::Internal);
        assert!(panicked.to_string().contains("a mistake in row 7"));
    }

    #[tokio::test]
    async fn housekeeping_that_ends_by_itself_says_so() {
        let panicked = tokio::spawn(async { panic!("no such pin") }).await;
        let error = housekeeping_ended(panicked);
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("no such pin"), "{error}");
        let ended = housekeeping_ended(Ok(()));
        assert!(ended.to_string().contains("by itself"), "{ended}");
    }
}
