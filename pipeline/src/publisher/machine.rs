//! The publisher as a pure state machine: what is known goes in as [`Event`]s, what to do next comes out as an [`Action`].
//!
//! ```text
//! Collecting ─▶ Asking ─▶ Computing ─▶ Assembled ─▶ Sealing ─║─▶ Committing ─▶ Recording ─▶ Collecting
//!   seals        rounds    public.sql   staged       intent  ║    a table       epoch record
//!     └───────────────────── nothing asked for: straight to Assembled            ▲
//!     └───────────────────── nothing to say: a heartbeat once a minute ──────────┘
//! ```
//!
//! [`Machine::next`] is asked only while nothing is under way, and gives the same action until an event moves the phase: a
//! driver that dies and comes back asks again. The double line is the point of no return. What stands in the log decides
//! where [`Machine::restore`] goes on: an intent without its epoch record goes on with Committing, everything before an intent
//! never was. Seals that arrive behind the cut wait until the epoch is recorded, so that state and cut agree.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use super::assemble::{Draft, OWN_ALERTS, TableRows};
use super::feed::{Cells, FeedDefinition};
use super::needs::StorageNeeds;
use super::plan::{Planner, RoundKey};
use super::record::{
    EpochRecord, FinalUntil, Intent, LOG, PublisherCheckpoint, PublisherRecord, decode,
};
use super::settings::{PublisherSettings, RunSummary};
use crate::alert::{AlertRule, Transition};
use crate::error::Result;
use crate::round::Metric;
use crate::shard::{Clocks, InputSeal, Seal, least_clocks, shard_log};
use crate::sink::{DeliveryAttempt, RecordFile, SinkRecord, delivery_logs};
use crate::table::TableChanges;
use crate::time::Day;

/// Windows computed for one epoch at most.
const ROUNDS_PER_EPOCH: usize = 16;

/// A durable seal of a shard.
#[derive(Clone, Debug)]
pub struct SealedRecord {
    pub shard: u32,
    pub number: u64,
    pub seal: Arc<Seal>,
    /// Length of its payload in the shard's log.
    pub bytes: usize,
}

/// One round, as shards are asked to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRequest {
    pub round: u64,
    pub key: RoundKey,
    pub metrics: Vec<String>,
}

/// One round, answered by all shards.
#[derive(Clone, Debug)]
pub struct RoundInput {
    pub key: RoundKey,
    /// Per shard: metric and its partial aggregate as Arrow IPC.
    pub partials: BTreeMap<u32, Vec<(String, Bytes)>>,
}

/// What `public.sql` made of a round.
#[derive(Clone, Debug)]
pub struct RoundRows {
    pub key: RoundKey,
    /// Metric → its rows, all of the window.
    pub rows: Vec<(String, RecordBatch)>,
    /// What the day says of the feed's series, where the feed reads one of these metrics.
    pub cells: Option<(Day, Cells)>,
}

/// What has happened.
#[derive(Debug)]
pub enum Event {
    /// A shard's seal is durable.
    Sealed(SealedRecord),
    /// A shard has sealed everything up to the ends seen at start, in seals up to `number`.
    CaughtUp {
        shard: u32,
        number: u64,
    },
    /// Delivery of alerts was tried; record `number` of the alert sink's log holds it.
    Attempted {
        number: u64,
        attempts: Vec<DeliveryAttempt>,
    },
    /// Records of all epochs up to this one are delivered.
    Delivered {
        epoch: i64,
    },
    Computed(Vec<RoundRows>),
    Staged {
        tables: BTreeMap<String, TableChanges>,
        records: Option<RecordFile>,
    },
    /// The intent is record `number` of the publisher's log.
    IntentSealed {
        number: u64,
    },
    Committed {
        table: String,
        version: i64,
    },
    /// The epoch record is record `number` of the publisher's log.
    Recorded {
        number: u64,
    },
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Nothing before another event, or before [`Machine::due_at`].
    Wait,
    /// Ask all shards for their partial aggregates.
    Ask(Vec<RoundRequest>),
    /// Run the public queries over what all shards have answered.
    Compute(Vec<RoundInput>),
    /// Write files that nobody sees yet. `compacts` says whether small files of touched tables are to be merged as well.
    Stage {
        epoch: i64,
        rows: TableRows,
        records: Vec<SinkRecord>,
        versions: BTreeMap<String, i64>,
        compacts: bool,
    },
    SealIntent(Arc<Intent>),
    Commit {
        table: String,
        epoch: i64,
        changes: TableChanges,
    },
    Record(Box<EpochRecord>),
}

/// The two clocks a decision may look at. Neither decides what a row says.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Paces epochs.
    pub monotonic: Instant,
    /// Stamps rows and paces revisions, ms UTC.
    pub wall_ms: i64,
}

pub(super) enum Phase {
    Collecting,
    Asking {
        rounds: Vec<RoundRequest>,
        is_asked: bool,
    },
    Computing(Vec<RoundInput>),
    Assembled {
        draft: Box<Draft>,
        is_staging: bool,
    },
    Sealing(Arc<Intent>),
    Committing {
        intent: Arc<Intent>,
        remaining: VecDeque<String>,
    },
    Recording(Box<EpochRecord>),
}

/// See the module's page.
pub struct Machine {
    pub(super) settings: PublisherSettings,
    pub(super) metrics: Arc<Vec<Metric>>,
    /// Columns of every stored table, by `schema.name`.
    pub(super) schemas: BTreeMap<String, SchemaRef>,
    pub(super) feed: Option<FeedDefinition>,
    /// Whether feed records and dead letters go anywhere.
    pub(super) sends_records: bool,
    pub(super) rules: Vec<Box<dyn AlertRule>>,
    /// What outlives the process.
    pub(super) durable: PublisherCheckpoint,
    /// Newest committed version of every table.
    pub(super) versions: BTreeMap<String, i64>,
    phase: Phase,
    /// Seals of the epoch under way.
    pub(super) collected: Vec<SealedRecord>,
    collected_bytes: usize,
    /// Seals behind the cut of the epoch under way.
    waiting: VecDeque<SealedRecord>,
    /// Last seal ingested per shard.
    ingested: BTreeMap<u32, u64>,
    partials: BTreeMap<u64, BTreeMap<u32, Vec<(String, Bytes)>>>,
    /// Attempts that are not in a table yet, and the record of the alert sink's log that holds the last of them.
    pub(super) attempts: Vec<DeliveryAttempt>,
    pub(super) attempts_cut: u64,
    /// Epoch up to which records are delivered.
    delivered: Option<i64>,
    caught_up: BTreeMap<u32, u64>,
    /// Live time as last sealed; files have none.
    live_ms: Option<i64>,
    next_round: u64,
    next_record: u64,
    /// Epoch of the newest checkpoint.
    checkpointed: i64,
    epoch_due_at: Instant,
    heartbeat_due_at: Instant,
    /// Shards run and answer rounds.
    has_shards: bool,
    /// Every touched window is revised, whenever its last round was.
    revises_all: bool,
    /// Payload bytes of seals that have become part of an intent since [`Machine::take_released`].
    released: usize,
}

impl Machine {
    /// The machine as checkpoint and records of its log leave it. `versions` are those of the stored tables now, `next_record`
    /// is the number that the log gives next.
    pub fn restore(
        given: Given,
        checkpoint: PublisherCheckpoint,
        records: &[(u64, Bytes)],
        next_record: u64,
        now: Now,
    ) -> Result<Self> {
        let Given {
            settings,
            metrics,
            schemas,
            feed,
            sends_records,
            mut rules,
            versions,
        } = given;
        let interval = settings.interval;
        let checkpointed = checkpoint.state.epoch;
        let mut durable = checkpoint;
        let mut phase = Phase::Collecting;
        for (_, payload) in records {
            phase = match decode(payload)? {
                PublisherRecord::Intent(intent) => {
                    durable.restore_intent(&intent);
                    Phase::committing(Arc::new(*intent))
                }
                PublisherRecord::Epoch(epoch) => {
                    durable.restore_epoch(epoch);
                    Phase::Collecting
                }
            };
        }
        for (rule, state) in rules.iter_mut().zip(&durable.state.rules) {
            rule.load(state)?;
        }
        Ok(Self {
            ingested: durable.state.cut.clone(),
            settings,
            metrics,
            schemas,
            feed,
            sends_records,
            rules,
            durable,
            versions,
            phase,
            collected: Vec::new(),
            collected_bytes: 0,
            waiting: VecDeque::new(),
            partials: BTreeMap::new(),
            attempts: Vec::new(),
            attempts_cut: 0,
            delivered: None,
            caught_up: BTreeMap::new(),
            live_ms: None,
            // A shard that still answers a round of a former publisher must not be taken for one of ours.
            next_round: u64::try_from(now.wall_ms).unwrap_or_default() << 16,
            next_record,
            checkpointed,
            epoch_due_at: now.monotonic + interval,
            heartbeat_due_at: now.monotonic,
            has_shards: false,
            revises_all: false,
            released: 0,
        })
    }

    /// The intent that is about to be sealed.
    pub fn sealing(&self) -> Option<&Arc<Intent>> {
        match &self.phase {
            Phase::Sealing(intent) => Some(intent),
            _ => None,
        }
    }

    /// No epoch is under way.
    pub fn is_between_epochs(&self) -> bool {
        matches!(self.phase, Phase::Collecting)
    }

    /// When the next epoch or heartbeat is due, where nothing else happens before.
    pub fn due_at(&self) -> Instant {
        self.epoch_due_at
    }

    /// What is still needed, given how far the alert sink has read its sources for good (label → number).
    pub fn needs(&self, alert_cursors: &BTreeMap<Arc<str>, u64>) -> StorageNeeds {
        let read = |label: &str| alert_cursors.get(label).map_or(0, |cursor| cursor + 1);
        let cut = &self.durable.state.cut;
        let mut cuts: BTreeMap<String, u64> = cut
            .iter()
            .map(|(shard, number)| (shard_log(*shard), (*number).min(read(&shard.to_string()))))
            .collect();
        cuts.insert(LOG.to_owned(), read(OWN_ALERTS));
        cuts.extend(delivery_logs().map(|(name, _)| (name.to_owned(), u64::MAX)));
        let open_intent = match &self.phase {
            Phase::Committing { intent, .. } => intent
                .tables
                .iter()
                .map(|(table, changes)| {
                    let paths = changes.staged_paths().map(str::to_owned);
                    (table.clone(), paths.collect())
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        StorageNeeds {
            newest_epoch: self.durable.last.clone(),
            open_intent,
            cuts,
            delivered: self.delivered,
        }
    }

    /// Whether an intent is sealed and its epoch not yet recorded.
    pub fn is_rolling_forward(&self) -> bool {
        matches!(self.phase, Phase::Committing { .. } | Phase::Recording(_))
    }

    /// Shards run from now on, or have ended.
    pub fn set_has_shards(&mut self, has_shards: bool) {
        self.has_shards = has_shards;
    }

    /// Epochs come at once and revise every touched window that has ended, until nothing is left to say.
    pub fn revise_all(&mut self, revises_all: bool) {
        self.revises_all = revises_all;
    }

    /// The next epoch, or heartbeat, does not wait for its time.
    pub fn publish_now(&mut self, now: Now) {
        self.epoch_due_at = now.monotonic;
        self.heartbeat_due_at = now.monotonic;
    }

    /// What to do next, asked while nothing is under way.
    pub fn next(&mut self, now: Now) -> Result<Action> {
        loop {
            match &mut self.phase {
                Phase::Collecting => {
                    if !self.is_epoch_due(now) {
                        return Ok(Action::Wait);
                    }
                    let rounds = self.open_rounds(now);
                    if !rounds.is_empty() {
                        self.phase = Phase::Asking {
                            rounds,
                            is_asked: false,
                        };
                        continue;
                    }
                    if self.has_news() {
                        self.phase = Phase::Computing(Vec::new());
                        continue;
                    }
                    self.rest(now);
                    if self.is_heartbeat_due(now) {
                        self.phase = Phase::Recording(Box::new(self.heartbeat(now)));
                        continue;
                    }
                    return Ok(Action::Wait);
                }
                Phase::Asking { rounds, is_asked } => {
                    if !*is_asked {
                        *is_asked = true;
                        return Ok(Action::Ask(rounds.clone()));
                    }
                    let shards = self.settings.shards as usize;
                    let partials = &self.partials;
                    let is_answered = |request: &RoundRequest| {
                        let answers = partials.get(&request.round);
                        answers.is_some_and(|answers| answers.len() == shards)
                    };
                    if !rounds.iter().all(is_answered) {
                        return Ok(Action::Wait);
                    }
                    let inputs = std::mem::take(rounds)
                        .into_iter()
                        .map(|request| RoundInput {
                            partials: self.partials.remove(&request.round).unwrap_or_default(),
                            key: request.key,
                        })
                        .collect();
                    self.phase = Phase::Computing(inputs);
                }
                Phase::Computing(inputs) if inputs.is_empty() => {
                    let draft = self.assemble(Vec::new(), now)?;
                    self.phase = Phase::assembled(draft);
                }
                Phase::Computing(inputs) => return Ok(Action::Compute(inputs.clone())),
                Phase::Assembled { draft, is_staging } => {
                    if std::mem::replace(is_staging, true) {
                        return Ok(Action::Wait);
                    }
                    return Ok(Action::Stage {
                        epoch: draft.epoch,
                        rows: std::mem::take(&mut draft.rows),
                        records: std::mem::take(&mut draft.records),
                        versions: self.versions.clone(),
                        compacts: draft.epoch % COMPACT_EVERY == 0,
                    });
                }
                Phase::Sealing(intent) => return Ok(Action::SealIntent(intent.clone())),
                Phase::Committing { intent, remaining } => match remaining.front() {
                    Some(table) => {
                        return Ok(Action::Commit {
                            table: table.clone(),
                            epoch: intent.state.epoch,
                            changes: intent.tables.get(table).cloned().unwrap_or_default(),
                        });
                    }
                    None => {
                        self.phase = Phase::Recording(Box::new(self.epoch_record(now)));
                    }
                },
                Phase::Recording(record) => return Ok(Action::Record(record.clone())),
            }
        }
    }

    /// Takes note of what has happened.
    pub fn apply(&mut self, event: Event, now: Now) -> Result<()> {
        match event {
            Event::Sealed(sealed) => self.receive(sealed),
            Event::CaughtUp { shard, number } => {
                self.caught_up.insert(shard, number);
            }
            Event::Attempted { number, attempts } => {
                // Those that a former publisher has made rows of come again after a crash.
                if number > self.durable.state.attempts_cut {
                    self.attempts.extend(attempts);
                    self.attempts_cut = number;
                }
            }
            Event::Delivered { epoch } => {
                self.delivered = self.delivered.max(Some(epoch));
                let undelivered = &mut self.durable.state.undelivered;
                undelivered.retain(|of, _| *of > epoch);
            }
            Event::Computed(rounds) => {
                let draft = self.assemble(rounds, now)?;
                self.phase = Phase::assembled(draft);
            }
            Event::Staged { tables, records } => self.staged(tables, records)?,
            Event::IntentSealed { number } => self.intent_sealed(number),
            Event::Committed { table, version } => {
                self.versions.insert(table.clone(), version);
                if let Phase::Committing { remaining, .. } = &mut self.phase {
                    remaining.retain(|other| *other != table);
                }
            }
            Event::Recorded { number } => self.recorded(number, now),
        }
        Ok(())
    }

    fn staged(
        &mut self,
        tables: BTreeMap<String, TableChanges>,
        records: Option<RecordFile>,
    ) -> Result<()> {
        let phase = std::mem::replace(&mut self.phase, Phase::Collecting);
        let Phase::Assembled { draft, .. } = phase else {
            self.phase = phase;
            return Ok(());
        };
        let state = &mut self.durable.state;
        state.epoch = draft.epoch;
        state.cut.clone_from(&self.ingested);
        state.attempts_cut = state.attempts_cut.max(draft.attempts_cut);
        state.rules = self
            .rules
            .iter()
            .map(|rule| rule.save())
            .collect::<Result<_>>()?;
        if let Some(records) = records {
            state.undelivered.insert(draft.epoch, records);
        }
        self.phase = Phase::Sealing(Arc::new(Intent {
            state: state.clone(),
            published: draft.published,
            tables,
            feed: draft.feed,
            alerts: draft.alerts,
            alerts_at_ms: self.live_or_clock_ms(),
        }));
        Ok(())
    }

    fn intent_sealed(&mut self, number: u64) {
        let phase = std::mem::replace(&mut self.phase, Phase::Collecting);
        let Phase::Sealing(intent) = phase else {
            self.phase = phase;
            return;
        };
        self.next_record = number + 1;
        for (metric, window, keys) in &intent.published {
            self.durable.published.accept(metric, *window, keys.clone());
        }
        self.collected.clear();
        self.released += std::mem::take(&mut self.collected_bytes);
        self.phase = Phase::committing(intent);
    }

    fn recorded(&mut self, number: u64, now: Now) {
        let phase = std::mem::replace(&mut self.phase, Phase::Collecting);
        let Phase::Recording(record) = phase else {
            self.phase = phase;
            return;
        };
        self.next_record = number + 1;
        self.durable.last = Some(*record);
        self.heartbeat_due_at = now.monotonic + self.settings.heartbeat;
        for sealed in std::mem::take(&mut self.waiting) {
            self.ingest(sealed);
        }
        self.rest(now);
        if self.has_due(now) || self.has_feed_days() {
            self.epoch_due_at = now.monotonic;
        }
    }

    /// A seal counts now, or waits behind the cut of the epoch that is being published.
    fn receive(&mut self, sealed: SealedRecord) {
        match self.phase {
            Phase::Collecting | Phase::Asking { .. } => self.ingest(sealed),
            _ => self.waiting.push_back(sealed),
        }
    }

    /// Notes what a seal touched; its rows go out with the epoch.
    fn ingest(&mut self, sealed: SealedRecord) {
        let SealedRecord {
            shard,
            number,
            seal,
            bytes,
        } = &sealed;
        if self.ingested.get(shard).is_some_and(|last| last >= number) {
            return;
        }
        self.ingested.insert(*shard, *number);
        let state = &mut self.durable.state;
        state.planner.holds(*shard, seal.last_days.clone());
        for (metric, days) in &seal.touched {
            state.planner.touch(&self.metrics, metric, days);
        }
        if seal.reference_changed {
            state.planner.touch_reference(&self.metrics);
        }
        state.clocks.insert(*shard, seal.clocks.clone());
        state.drained_to_ms = state.drained_to_ms.max(seal.drained_to_ms);
        state.reference.clone_from(&seal.reference);
        self.live_ms = self.live_ms.max(seal.live_ms);
        for partial in &seal.partials {
            if let Some(round) = self.partials.get_mut(&partial.round) {
                let answers = round.entry(*shard).or_default();
                answers.push((partial.metric.clone(), partial.rows.clone()));
            }
        }
        self.collected_bytes += bytes;
        self.collected.push(sealed);
    }

    /// A record of a shard's log that is no seal: it only moves the cut.
    pub fn skip(&mut self, shard: u32, number: u64) {
        self.ingested.insert(shard, number);
    }

    fn is_epoch_due(&self, now: Now) -> bool {
        self.revises_all
            || now.monotonic >= self.epoch_due_at
            || self.collected_bytes >= self.settings.early_bytes
    }

    /// The next epoch is not due before the interval has passed.
    fn rest(&mut self, now: Now) {
        self.epoch_due_at = now.monotonic + self.settings.interval;
    }

    /// Whether an epoch would say anything, rounds aside. Rules alone wait for a first seal: before it, an epoch could
    /// not say which reference data it stands on.
    fn has_news(&self) -> bool {
        let state = &self.durable.state;
        let last = self.durable.last.as_ref();
        !self.attempts.is_empty()
            || self.has_feed_days()
            || !state.reference.is_empty() && self.has_unlisted_rules()
            || state.drained_to_ms != last.and_then(|last| last.drained_to_ms)
            || self.collected.iter().any(|sealed| self.is_news(sealed))
    }

    /// Whether a seal says more than that time went on.
    fn is_news(&self, sealed: &SealedRecord) -> bool {
        let counted = &self.durable.state.counted;
        let accounted = sealed.seal.inputs.iter().filter(|input| input.accounted);
        let has_read = |input: &InputSeal| {
            let key = (
                sealed.shard,
                input.input.topic.clone(),
                input.input.partition,
            );
            counted.get(&key).map_or(0, |counters| counters.read) != input.counters.read
        };
        sealed.seal.has_content() || accounted.into_iter().any(has_read)
    }

    fn is_heartbeat_due(&self, now: Now) -> bool {
        now.monotonic >= self.heartbeat_due_at
            && self.durable.last.is_some()
            && !self.collected.is_empty()
    }

    /// The newest epoch again, as far as the clocks have come now. Seals that say nothing else are done with.
    fn heartbeat(&mut self, now: Now) -> EpochRecord {
        self.released += std::mem::take(&mut self.collected_bytes);
        self.collected.clear();
        self.durable.state.cut.clone_from(&self.ingested);
        self.durable.state.planner.finality = self.clocks();
        self.epoch_record(now)
    }

    fn epoch_record(&self, now: Now) -> EpochRecord {
        let state = &self.durable.state;
        EpochRecord {
            epoch: state.epoch,
            committed_at_ms: now.wall_ms,
            cut: state.cut.clone(),
            tables: self.versions.clone(),
            finality: self.finality(),
            reference: state.reference.clone(),
            drained_to_ms: state.drained_to_ms,
            clocks: state.clocks.clone(),
            unrevised: state.unrevised(self.settings.zone),
        }
    }

    fn open_rounds(&mut self, now: Now) -> Vec<RoundRequest> {
        if !self.has_shards {
            return Vec::new();
        }
        let mut due = self.due(now);
        // The oldest first; what is left over goes out with the next epoch, so that catching up shows progress.
        due.sort_by_key(|key| (key.window.end, key.window.kind));
        due.truncate(ROUNDS_PER_EPOCH);
        due.into_iter()
            .map(|key| {
                self.next_round += 1;
                self.partials.insert(self.next_round, BTreeMap::new());
                // What is touched from now on is not in the answers for sure, so it is marked again.
                self.durable.state.planner.opened(&key, now.wall_ms);
                RoundRequest {
                    round: self.next_round,
                    metrics: Planner::metrics_of(&self.metrics, &key)
                        .iter()
                        .map(|metric| metric.name.clone())
                        .collect(),
                    key,
                }
            })
            .collect()
    }

    fn due(&self, now: Now) -> Vec<RoundKey> {
        let revise_every = self.settings.revise_every.as_millis();
        let revise_every_ms = i64::try_from(revise_every).unwrap_or(i64::MAX);
        self.durable.state.planner.due(
            self.settings.zone,
            &self.clocks(),
            now.wall_ms,
            revise_every_ms,
            self.revises_all,
        )
    }

    /// Whether windows wait for a round.
    fn has_due(&self, now: Now) -> bool {
        self.has_shards && !self.due(now).is_empty()
    }

    /// How far all shards have come; nothing before each of them has sealed.
    pub(super) fn clocks(&self) -> Clocks {
        let clocks = &self.durable.state.clocks;
        if clocks.len() == self.settings.shards as usize {
            least_clocks(clocks.values())
        } else {
            Clocks::new()
        }
    }

    /// What the age of the publisher's own alerts is measured against.
    fn live_or_clock_ms(&self) -> i64 {
        live_or_clock(self.live_ms, self.durable.state.clocks.values())
    }

    pub(super) fn finality(&self) -> Vec<FinalUntil> {
        super::plan::finality(
            &self.metrics,
            self.feed.as_ref(),
            &self.durable.state.planner.finality,
            &self.settings.lateness,
        )
    }

    /// Number that the next record of the publisher's log will have.
    pub(super) fn next_record(&self) -> u64 {
        self.next_record
    }

    /// The last seal of a shard that has been ingested.
    pub fn ingested(&self, shard: u32) -> u64 {
        self.ingested.get(&shard).copied().unwrap_or(0)
    }

    /// Payload bytes of seals ingested for the epoch under way.
    pub fn collected_bytes(&self) -> usize {
        self.collected_bytes
    }

    /// Payload bytes of seals that need no more room, since the last call.
    pub fn take_released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }

    /// Nothing is asked for, under way or left to say.
    pub fn is_quiet(&self, now: Now) -> bool {
        self.is_between_epochs()
            && !self.has_due(now)
            && !self.has_news()
            && !self.is_heartbeat_due(now)
    }

    /// Everything that the shards read up to the ends seen at start has been ingested.
    pub fn has_caught_up(&self) -> bool {
        (0..self.settings.shards).all(|shard| {
            let number = self.caught_up.get(&shard);
            number.is_some_and(|number| self.ingested.get(&shard) >= Some(number))
        })
    }

    /// All clocks of all shards have come to this instant (ms UTC).
    pub fn has_drained(&self, to_ms: i64) -> bool {
        (0..self.settings.shards).all(|shard| {
            let clocks = self.durable.state.clocks.get(&shard);
            clocks.is_some_and(|clocks| clocks.values().all(|&clock| clock >= to_ms))
        })
    }

    /// K7: the last instant at which a window that holds a fact becomes final (ms UTC).
    pub fn drain_instant_ms(&self) -> Option<i64> {
        self.durable.state.planner.drain_instant_ms(
            &self.metrics,
            self.settings.zone,
            &self.settings.lateness,
        )
    }

    /// Staged records that are not known to be delivered, oldest first.
    pub fn undelivered(&self) -> &BTreeMap<i64, RecordFile> {
        &self.durable.state.undelivered
    }

    pub fn last(&self) -> Option<&EpochRecord> {
        self.durable.last.as_ref()
    }

    /// What a checkpoint holds, where one is due after this epoch.
    pub fn due_checkpoint(&self) -> Option<&PublisherCheckpoint> {
        let epochs = self.durable.state.epoch - self.checkpointed;
        let is_due = self.is_between_epochs() && epochs >= self.settings.checkpoint_every;
        is_due.then_some(&self.durable)
    }

    /// The state as it is now stands in a checkpoint.
    pub fn checkpoint_written(&mut self) {
        self.checkpointed = self.durable.state.epoch;
    }

    pub fn checkpoint(&self) -> &PublisherCheckpoint {
        &self.durable
    }

    pub fn summary(&self) -> RunSummary {
        let state = &self.durable.state;
        let mut summary = RunSummary {
            epoch: state.epoch,
            rows: self.durable.published.rows(),
            drained_to_ms: state.drained_to_ms,
            ..RunSummary::default()
        };
        for counters in state.counted.values() {
            summary.read += counters.read;
            summary.accepted += counters.accepted;
            summary.duplicate += counters.duplicate;
            summary.too_late += counters.too_late;
            summary.dead += counters.dead;
        }
        summary
    }
}

/// What a machine is made of beside its log.
pub struct Given {
    pub settings: PublisherSettings,
    pub metrics: Arc<Vec<Metric>>,
    pub schemas: BTreeMap<String, SchemaRef>,
    pub feed: Option<FeedDefinition>,
    pub sends_records: bool,
    pub rules: Vec<Box<dyn AlertRule>>,
    pub versions: BTreeMap<String, i64>,
}

impl Phase {
    fn assembled(draft: Draft) -> Self {
        Self::Assembled {
            draft: Box::new(draft),
            is_staging: false,
        }
    }

    fn committing(intent: Arc<Intent>) -> Self {
        Self::Committing {
            remaining: intent.tables.keys().cloned().collect(),
            intent,
        }
    }
}

impl PublisherCheckpoint {
    /// The state after an intent that stands in the log.
    fn restore_intent(&mut self, intent: &Intent) {
        self.state = intent.state.clone();
        for (metric, window, keys) in &intent.published {
            self.published.accept(metric, *window, keys.clone());
        }
        self.grid.restore(&intent.feed);
    }

    /// The state after an epoch record that stands in the log. A heartbeat has moved cut and clocks beyond those of the
    /// intent; the seals in between said nothing else, and need not be there any more.
    fn restore_epoch(&mut self, epoch: EpochRecord) {
        self.state.cut.clone_from(&epoch.cut);
        self.state.clocks.clone_from(&epoch.clocks);
        self.state.planner.finality = least_clocks(epoch.clocks.values());
        self.last = Some(epoch);
    }
}

/// Transitions that a seal lets leave, and the time their age is measured against (ms UTC).
pub fn alerts_of_seal(shard: u32, number: u64, seal: &Seal) -> (Vec<Transition>, i64) {
    let transitions = crate::alert::seal(&shard.to_string(), number, &mut seal.alerts.clone());
    (transitions, live_or_clock(seal.live_ms, [&seal.clocks]))
}

/// What age limits of alerts are measured against: live time, else (files) the furthest of the clocks.
fn live_or_clock<'c>(live_ms: Option<i64>, clocks: impl IntoIterator<Item = &'c Clocks>) -> i64 {
    live_ms
        .or_else(|| clocks.into_iter().flat_map(Clocks::values).copied().max())
        .unwrap_or(i64::MIN)
}

/// Epochs between two looks at how many small files there are.
const COMPACT_EVERY: i64 = 8;

#[cfg(test)]
mod tests;
