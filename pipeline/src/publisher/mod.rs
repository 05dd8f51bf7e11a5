//! The publisher: what the shards have sealed becomes public, one epoch at a time.
//!
//! ```text
//! seals ─▶ take in (touched windows, clocks, pending rows) ─▶ rounds: ask shards, wait for their answers
//!       ─▶ public.sql, compare ─▶ stage Parquet ─▶ intent ║ point of no return ║ ─▶ Delta commits ─▶ epoch record
//! ```
//!
//! An epoch opens the rounds that are due, waits for the shards' answers (they seal at once when asked) and publishes all
//! metrics on a clock together. After a crash a new publisher reads checkpoint and records of its own log, rolls an open intent
//! forward, then reads the shards' logs from the cut. A round that was open is forgotten: its windows are still marked as
//! touched in the state of the last intent or by seals after its cut.

mod alerts;
mod entry;
mod epoch;
mod feed;
mod leaving;
mod plan;
mod rounds;
mod rows;
mod running;
mod sealed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;
use crossbeam_channel::Sender;
use object_store::ObjectStore;
use schemas::event::Topic;

pub use alerts::AlertDestinations;
pub use entry::{
    EpochError, EpochRecord, FinalUntil, Intent, LAYOUT, LOG, PublisherRecord, PublisherState,
    newest_epoch,
};
pub use feed::{CalendarDay, FeedDefinition};
pub use leaving::dead_letter_topic;
pub use plan::{Lateness, Planner, RoundKey};
pub use rows::{RuleCard, conform};

use self::alerts::Alerting;
use self::entry::PublisherCheckpoint;
use self::feed::FeedGrid;
use crate::alert::{self, AlertRule};
use crate::error::Error;
use crate::log::{Log, LogReader, Recovered};
use crate::round::{CompareError, Evaluator, Metric, Published, RoundError};
use crate::shard::{Clocks, Seal, least_clocks};
use crate::shard::{ShardCommand, ShardError};
use crate::sink::{RecordSink, RecordSinkError};
use crate::table::{TableSpec, Tables};
use crate::time::{Zone, wall};

/// What the shards have answered to a round: per shard, each metric's part in Arrow IPC.
type Answers = BTreeMap<u32, Vec<(String, Bytes)>>;

/// What the publisher needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct PublisherSettings {
    pub zone: Zone,
    pub shards: u32,
    /// Longest time between two epochs while there is something to publish.
    pub interval: Duration,
    /// Shortest time between two revisions of a window.
    pub revise_every: Duration,
    /// Configured topic name → topic.
    pub topic_names: Vec<(String, Topic)>,
    /// `allowed_lateness` per topic, ms.
    pub lateness: Lateness,
    /// `out_of_orderness` per topic, ms.
    pub bounds: BTreeMap<String, i64>,
    /// Alert rules that are loaded, for `ops.rules`.
    pub rules: Vec<RuleCard>,
    /// Epochs between two checkpoints.
    pub checkpoint_every: i64,
    /// Bytes of sealed records at which an epoch comes early.
    pub early_bytes: usize,
}

/// When the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// On a signal.
    Stopped,
    /// Once everything that was there at start has been published.
    CaughtUp,
    /// The same, then event time is moved on to this instant.
    DrainedTo(i64),
    /// The same, to the last instant of K7.
    Drained,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error(transparent)]
    RecordSink(#[from] RecordSinkError),
    #[error(transparent)]
    Round(#[from] RoundError),
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error("rows cannot be written as columns")]
    Arrow(#[from] ArrowError),
    #[error("a record of the publisher cannot be encoded or read")]
    PublisherRecord(#[from] postcard::Error),
    #[error(
        "shard={shard}: seal={number} is missing in its log, the epoch's cut names it: restore the log or the storage from a copy"
    )]
    MissingSeal { shard: u32, number: u64 },
    #[error("shard={shard} ended")]
    Shard { shard: u32, source: ShardError },
    #[error("all shards have ended")]
    NoShards,
}

/// Where things leave to beside the tables.
#[derive(Clone, Default)]
pub struct Sinks {
    pub alerts: AlertDestinations,
    pub feed: Option<FeedDefinition>,
    pub record_sink: Option<Arc<dyn RecordSink>>,
}

/// A seal that is not public yet.
struct Pending {
    shard: u32,
    number: u64,
    seal: Arc<Seal>,
}

/// What a run did, for its last words.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    pub epoch: i64,
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub too_late: u64,
    pub dead: u64,
    pub rows: usize,
    pub drained_to_ms: Option<i64>,
}

/// The publisher of one storage.
pub struct Publisher {
    settings: PublisherSettings,
    metrics: Arc<Vec<Metric>>,
    rules: Vec<Box<dyn AlertRule>>,
    tables: Arc<Tables>,
    /// Every stored table, by `schema.name`.
    specs: BTreeMap<String, TableSpec>,
    evaluator: Evaluator,
    versions: BTreeMap<String, i64>,
    log: Log,
    state: PublisherState,
    published: Published,
    last: Option<EpochRecord>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    /// Last seal heard of per shard, beyond the cut.
    heard: BTreeMap<u32, u64>,
    caught_up: BTreeMap<u32, u64>,
    next_round: u64,
    answers: BTreeMap<u64, Answers>,
    commands: Vec<Sender<ShardCommand>>,
    alerting: Alerting,
    feed: Option<FeedDefinition>,
    grid: FeedGrid,
    /// Days of the feed that rounds of this epoch have said something of.
    feed_days: Vec<(crate::time::Day, feed::Cells)>,
    /// Where feed and dead letters leave to, if the events come from Kafka.
    record_sink: Option<Arc<dyn RecordSink>>,
    /// Live time as last sealed; files have none.
    live_ms: Option<i64>,
}

impl Publisher {
    /// Takes back checkpoint and records, makes tables that do not exist yet, and rolls an open intent forward.
    pub async fn recover(
        settings: PublisherSettings,
        metrics: Arc<Vec<Metric>>,
        mut rules: Vec<Box<dyn AlertRule>>,
        sinks: Sinks,
        store: Arc<dyn ObjectStore>,
        specs: Vec<TableSpec>,
        (log, recovered): (Log, Recovered),
    ) -> Result<Self, PublishError> {
        let mut checkpoint = match &recovered.checkpoint {
            Some((_, bytes)) => postcard::from_bytes(bytes)?,
            None => PublisherCheckpoint::default(),
        };
        let mut open = None;
        for (number, payload) in &recovered.records {
            match postcard::from_bytes(payload)? {
                PublisherRecord::Intent(intent) => {
                    checkpoint.state = intent.state.clone();
                    for (metric, window, keys) in &intent.published {
                        checkpoint.published.accept(metric, *window, keys.clone());
                    }
                    checkpoint.grid.restore(&intent.feed);
                    open = Some((*number, intent));
                }
                PublisherRecord::Epoch(epoch) => {
                    checkpoint.last = Some(epoch);
                    open = None;
                }
            }
        }
        for (rule, state) in rules.iter_mut().zip(&checkpoint.state.rules) {
            rule.load(state)?;
        }
        let tables = Arc::new(Tables::new(store));
        let mut versions = BTreeMap::new();
        for spec in &specs {
            versions.insert(spec.full_name(), tables.ensure(spec).await?);
        }
        let mut publisher = Self {
            heard: checkpoint.state.cut.clone(),
            evaluator: Evaluator::new(settings.zone),
            settings,
            metrics,
            rules,
            tables,
            specs: specs
                .into_iter()
                .map(|spec| (spec.full_name(), spec))
                .collect(),
            versions,
            log,
            state: checkpoint.state,
            published: checkpoint.published,
            last: checkpoint.last,
            pending: Vec::new(),
            pending_bytes: 0,
            caught_up: BTreeMap::new(),
            next_round: u64::try_from(wall::now_ms()).unwrap_or_default() << 16,
            answers: BTreeMap::new(),
            commands: Vec::new(),
            alerting: Alerting::new(sinks.alerts),
            feed: sinks.feed,
            grid: checkpoint.grid,
            feed_days: Vec::new(),
            record_sink: sinks.record_sink,
            live_ms: None,
        };
        if let Some((_, intent)) = open {
            tracing::info!(
                epoch = intent.state.epoch,
                "an epoch was left open: rolling it forward"
            );
            publisher.roll_forward(&intent).await?;
        }
        Ok(publisher)
    }

    /// Takes in what the shards sealed after the last cut, before they go on.
    pub async fn read_shards(&mut self, store: &Arc<dyn ObjectStore>) -> Result<(), PublishError> {
        for shard in 0..self.settings.shards {
            let reader = LogReader::new(store.clone(), &shard_log(shard), crate::shard::LAYOUT);
            let Some(last) = reader.last_number().await? else {
                continue;
            };
            let first = self.state.cut.get(&shard).map_or(1, |cut| cut + 1);
            for number in first..=last {
                let Some(entry) = reader.read(number).await? else {
                    return Err(PublishError::MissingSeal { shard, number });
                };
                match entry.kind {
                    crate::log::RecordKind::Data => {
                        let seal: Seal = postcard::from_bytes(&entry.payload)?;
                        self.take(shard, number, Arc::new(seal));
                    }
                    _ => drop(self.heard.insert(shard, number)),
                }
            }
        }
        Ok(())
    }

    /// One seal: notes what it touched; its rows go out with the next epoch.
    fn take(&mut self, shard: u32, number: u64, seal: Arc<Seal>) {
        if self.heard.get(&shard).is_some_and(|&heard| heard >= number) {
            return;
        }
        self.heard.insert(shard, number);
        self.state.planner.holds(shard, seal.last_days.clone());
        for (metric, days) in &seal.touched {
            self.state.planner.touch(&self.metrics, metric, days);
        }
        if seal.reference_changed {
            self.state.planner.touch_reference(&self.metrics);
        }
        self.state.clocks.insert(shard, seal.clocks.clone());
        self.live_ms = self.live_ms.max(seal.live_ms);
        self.state.drained_to_ms = self.state.drained_to_ms.max(seal.drained_to_ms);
        self.state.reference.clone_from(&seal.reference);
        let facts = seal.facts.iter().map(|(_, bytes)| bytes.len());
        let events = seal.events.iter().map(|(_, bytes)| bytes.len());
        self.pending_bytes += facts.chain(events).sum::<usize>();
        let transitions = alert::seal(&shard.to_string(), number, &mut seal.alerts.clone());
        self.alerting.add(
            &mut self.state.outboxes,
            &shard.to_string(),
            transitions,
            live_or_clock(seal.live_ms, [&seal.clocks]),
        );
        for answer in &seal.answers {
            if let Some(round) = self.answers.get_mut(&answer.round) {
                round
                    .entry(shard)
                    .or_default()
                    .push((answer.metric.clone(), answer.parts.clone()));
            }
        }
        self.pending.push(Pending {
            shard,
            number,
            seal,
        });
    }

    /// How far all shards have come; nothing before each of them has sealed.
    fn clocks(&self) -> Clocks {
        match self.state.clocks.len() == self.settings.shards as usize {
            true => least_clocks(self.state.clocks.values()),
            false => Clocks::new(),
        }
    }

    async fn write_checkpoint(&mut self) -> Result<(), PublishError> {
        let checkpoint = PublisherCheckpoint {
            state: self.state.clone(),
            published: self.published.clone(),
            last: self.last.clone(),
            grid: self.grid.clone(),
        };
        let payload = Bytes::from(postcard::to_stdvec(&checkpoint)?);
        self.log.write_checkpoint(payload).await?;
        Ok(())
    }

    fn summary(&self) -> RunSummary {
        let mut summary = RunSummary {
            epoch: self.state.epoch,
            rows: self.published.rows(),
            drained_to_ms: self.state.drained_to_ms,
            ..RunSummary::default()
        };
        for counters in self.state.counted.values() {
            summary.read += counters.read;
            summary.accepted += counters.accepted;
            summary.duplicate += counters.duplicate;
            summary.too_late += counters.too_late;
            summary.dead += counters.dead;
        }
        summary
    }

    fn schema_of(&self, table: &str) -> Option<SchemaRef> {
        self.specs.get(table).map(|spec| spec.schema.clone())
    }
}

/// What age limits of alerts are measured against: live time, else (files) the furthest of the clocks.
fn live_or_clock<'c>(live_ms: Option<i64>, clocks: impl IntoIterator<Item = &'c Clocks>) -> i64 {
    live_ms
        .or_else(|| clocks.into_iter().flat_map(Clocks::values).copied().max())
        .unwrap_or(i64::MIN)
}

/// Under which name the publisher's own alerts are numbered.
const OWN_ALERTS: &str = "publisher";

/// Name of a shard's log.
pub fn shard_log(shard: u32) -> String {
    format!("shard-{shard}")
}

/// The short name of an input's topic.
fn topic_of(input: &crate::kafka::TopicPartition, names: &[(String, Topic)]) -> &'static str {
    names
        .iter()
        .find(|(name, _)| *name == input.topic)
        .map_or("", |(_, topic)| topic.name())
}
