//! The publisher as a pure state machine: what is known goes in as [`PublisherEvent`]s, what to do next comes out as a
//! [`PublisherAction`].
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

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use schemas::time::TimestampMs;

use super::assemble::live_or_clock;
use super::epoch_schedule::EpochSchedule;
use super::event::{Now, PublisherAction, PublisherEvent, SealedRecord};
use super::feed::{FeedDefinition, LoadedFlags};
use super::identity::StorageIdentity;
use super::needs::{self, StorageNeeds};
use super::open_rounds::OpenRounds;
use super::phase::Phase;
use super::record::{EpochRecord, Intent, PublisherCheckpoint, PublisherRecord, decode};
use super::refused::RefusedRecords;
use super::seal_queue::SealQueue;
use super::settings::PublisherSettings;
use crate::alert::{AlertRule, RuleStates};
use crate::error::Result;
use crate::log::CheckpointSchedule;
use crate::round::Metric;
use crate::sink::{DeliveryAttempt, RecordFile};
use crate::table::{TableChanges, TableVersion};

/// Epochs between two looks at how many small files there are.
const COMPACT_EVERY: i64 = 8;

/// See the module's page.
pub(super) struct Machine {
    pub(super) settings: PublisherSettings,
    pub(super) metrics: Arc<Vec<Metric>>,
    /// Columns of every stored table, by `schema.name`.
    pub(super) schemas: BTreeMap<String, SchemaRef>,
    pub(super) feed: Option<FeedDefinition>,
    /// Of the feed, as far as they have been needed.
    pub(super) flags: Option<LoadedFlags>,
    /// Whether feed records and dead letters go anywhere.
    pub(super) sends_records: bool,
    pub(super) rules: Vec<Box<dyn AlertRule>>,
    /// What outlives the process.
    pub(super) durable: PublisherCheckpoint,
    /// Newest committed version of every table.
    pub(super) versions: BTreeMap<String, TableVersion>,
    phase: Phase,
    pub(super) seals: SealQueue,
    rounds: OpenRounds,
    schedule: EpochSchedule,
    /// Attempts that are not in a table yet, given-up records among them, and the record of the alert sink's log that holds the last
    /// of its own.
    pub(super) attempts: Vec<DeliveryAttempt>,
    pub(super) attempts_cut: u64,
    /// Epoch up to which records are delivered.
    pub(super) delivered: Option<i64>,
    caught_up: BTreeMap<u32, u64>,
    refused: RefusedRecords,
    /// Live time as last sealed; files have none.
    live_time: Option<TimestampMs>,
    next_record: u64,
    checkpoints: CheckpointSchedule,
    /// Shards run and send partial aggregates.
    has_shards: bool,
    /// Every touched window is revised, whenever its last round was.
    revises_all: bool,
    /// Days that the feed has not sent yet are left to the next run.
    pub(super) leaves_feed: bool,
}

impl Machine {
    /// The machine as checkpoint and records of its log leave it. `versions` are those of the stored tables now, `next_record`
    /// is the number that the log gives next.
    pub(super) fn restore(
        parts: MachineParts,
        checkpoint: PublisherCheckpoint,
        records: &[(u64, Bytes)],
        next_record: u64,
        now: Now,
    ) -> Result<Self> {
        let MachineParts {
            settings,
            metrics,
            schemas,
            feed,
            sends_records,
            mut rules,
            versions,
        } = parts;
        let covered = records.first().map_or(next_record, |(first, _)| *first) - 1;
        let checkpoints = CheckpointSchedule::new(settings.checkpoint_every, covered);
        let mut durable = checkpoint;
        let mut phase = Phase::Collecting;
        for (_, payload) in records {
            phase = match decode(payload)? {
                PublisherRecord::Storage(identity) => {
                    durable.state.identity = Some(identity);
                    Phase::Collecting
                }
                PublisherRecord::Intent(intent) => {
                    durable.restore_intent(&intent);
                    Phase::committing(intent)
                }
                PublisherRecord::Epoch(epoch) => {
                    durable.restore_epoch(epoch);
                    Phase::Collecting
                }
            };
        }
        if let Some(feed) = &feed {
            durable.grid.set_max_gap(feed.max_gap_days);
        }
        durable.state.rules.load(&mut rules)?;
        let refused = RefusedRecords::new(durable.summary().read);
        Ok(Self {
            seals: SealQueue::new(durable.state.cut.clone()),
            rounds: OpenRounds::new(next_record, settings.revise_every),
            schedule: EpochSchedule::new(&settings, now.monotonic),
            settings,
            metrics,
            schemas,
            feed,
            flags: None,
            sends_records,
            rules,
            durable,
            versions,
            phase,
            attempts: Vec::new(),
            attempts_cut: 0,
            delivered: None,
            caught_up: BTreeMap::new(),
            refused,
            live_time: None,
            next_record,
            checkpoints,
            has_shards: false,
            revises_all: false,
            leaves_feed: false,
        })
    }

    /// The intent that is about to be sealed.
    pub(super) fn sealing(&self) -> Option<&Arc<Intent>> {
        match &self.phase {
            Phase::Sealing(intent) => Some(intent),
            _ => None,
        }
    }

    /// No epoch is under way.
    pub(super) fn is_between_epochs(&self) -> bool {
        matches!(self.phase, Phase::Collecting)
    }

    /// When the next epoch or heartbeat is due, where nothing else happens before.
    pub(super) fn due_at(&self) -> Instant {
        self.schedule.due_at()
    }

    /// What the owner with this claim still needs, given how far the alert sink has read its sources for good (label →
    /// number).
    pub(super) fn needs(
        &self,
        claim: u64,
        alert_cursors: &BTreeMap<Arc<str>, u64>,
    ) -> StorageNeeds {
        let open_intent = match &self.phase {
            Phase::Committing { intent, .. } => needs::staged_paths(intent),
            _ => BTreeMap::new(),
        };
        StorageNeeds {
            claim: Some(claim),
            newest_epoch: self.durable.last.clone(),
            open_intent,
            cuts: needs::cuts(&self.durable.state.cut, alert_cursors),
            delivered: self.delivered,
        }
    }

    /// Whether an intent is sealed and its epoch not yet recorded.
    pub(super) fn is_rolling_forward(&self) -> bool {
        matches!(self.phase, Phase::Committing { .. } | Phase::Recording(_))
    }

    /// Shards run from now on, or have ended.
    pub(super) fn set_has_shards(&mut self, has_shards: bool) {
        self.has_shards = has_shards;
    }

    /// Epochs come at once and revise every touched window that has ended, until nothing is left to say.
    pub(super) fn revise_all(&mut self, revises_all: bool) {
        self.revises_all = revises_all;
    }

    /// The run ends by a signal: it does not wait until the feed has sent all its days.
    pub(super) fn leave_feed(&mut self) {
        self.leaves_feed = true;
    }

    /// The next epoch, or heartbeat, does not wait for its time.
    pub(super) fn publish_now(&mut self, now: Now) {
        self.schedule.publish_now(now.monotonic);
        self.schedule.beat_now(now.monotonic);
    }

    /// What to do next, asked while nothing is under way.
    pub(super) fn next(&mut self, now: Now) -> Result<PublisherAction> {
        loop {
            let flags_of = self.flags_wanted();
            match &mut self.phase {
                Phase::Collecting => {
                    if !self.is_epoch_due(now) {
                        return Ok(PublisherAction::Wait);
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
                    self.schedule.rest(now.monotonic);
                    if self.is_heartbeat_due(now) {
                        self.phase = Phase::Recording(Box::new(self.heartbeat(now)));
                        continue;
                    }
                    return Ok(PublisherAction::Wait);
                }
                Phase::Asking { rounds, is_asked } => {
                    if !*is_asked {
                        *is_asked = true;
                        return Ok(PublisherAction::Ask(rounds.clone()));
                    }
                    if !self.rounds.are_complete(rounds, self.settings.shards) {
                        return Ok(PublisherAction::Wait);
                    }
                    let inputs = self.rounds.take(std::mem::take(rounds), now.monotonic);
                    self.phase = Phase::Computing(inputs);
                }
                Phase::Computing(inputs) if inputs.is_empty() && flags_of.is_none() => {
                    let draft = self.assemble(Vec::new(), now)?;
                    self.phase = Phase::assembled(draft);
                }
                Phase::Computing(inputs) => {
                    return Ok(PublisherAction::Compute {
                        rounds: inputs.clone(),
                        flags_of,
                    });
                }
                Phase::Assembled { draft, is_staging } => {
                    if std::mem::replace(is_staging, true) {
                        return Ok(PublisherAction::Wait);
                    }
                    return Ok(PublisherAction::Stage {
                        epoch: draft.epoch,
                        rows: std::mem::take(&mut draft.rows),
                        records: std::mem::take(&mut draft.records),
                        versions: self.versions.clone(),
                        compacts: draft.epoch % COMPACT_EVERY == 0,
                    });
                }
                Phase::Sealing(intent) => return Ok(PublisherAction::SealIntent(intent.clone())),
                Phase::Committing { intent, remaining } => match remaining.front() {
                    Some(table) => {
                        return Ok(PublisherAction::Commit {
                            table: table.clone(),
                            epoch: intent.state.epoch,
                            changes: intent.tables.get(table).cloned().unwrap_or_default(),
                        });
                    }
                    None => {
                        self.phase = Phase::Recording(Box::new(self.epoch_record(now)));
                    }
                },
                Phase::Recording(record) => return Ok(PublisherAction::Record(record.clone())),
            }
        }
    }

    /// Takes note of what has happened.
    pub(super) fn apply(&mut self, event: PublisherEvent, now: Now) -> Result<()> {
        match event {
            PublisherEvent::Sealed(sealed) => self.receive(sealed),
            PublisherEvent::CaughtUp { shard, number } => {
                self.caught_up.insert(shard, number);
            }
            PublisherEvent::Attempted { number, attempts } => {
                // Those that a former publisher has made rows of come again after a crash.
                if number > self.durable.state.attempts_cut {
                    self.attempts.extend(attempts);
                    self.attempts_cut = number;
                }
            }
            PublisherEvent::Delivered { epoch, given_up } => {
                // The intent that says that the epoch has left has these rows; until then it is reported again after a crash.
                let undelivered = &self.durable.state.undelivered;
                if self.delivered < Some(epoch) && undelivered.contains_key(&epoch) {
                    self.attempts.extend(given_up);
                }
                self.delivered = self.delivered.max(Some(epoch));
            }
            PublisherEvent::Computed { rounds, flags } => {
                if flags.is_some() {
                    self.flags = flags;
                }
                let draft = self.assemble(rounds, now)?;
                self.phase = Phase::assembled(draft);
            }
            PublisherEvent::Staged { tables, records } => self.staged(tables, records)?,
            PublisherEvent::IntentSealed { number } => self.intent_sealed(number),
            PublisherEvent::Committed { table, version } => {
                self.versions.insert(table.clone(), version);
                if let Phase::Committing { remaining, .. } = &mut self.phase {
                    remaining.retain(|other| *other != table);
                }
            }
            PublisherEvent::Recorded { number } => self.recorded(number, now),
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
        state.cut.clone_from(self.seals.cut());
        state.attempts_cut = state.attempts_cut.max(draft.attempts_cut);
        state.rules = RuleStates::save(&self.rules)?;
        if let Some(records) = records {
            state.undelivered.insert(draft.epoch, records);
        }
        self.phase = Phase::Sealing(Arc::new(Intent {
            state: state.clone(),
            published: draft.published,
            tables,
            feed: draft.feed,
            alerts: draft.alerts,
            alerts_at: self.live_or_clock(),
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
        self.seals.release();
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
        self.schedule.recorded(now.monotonic);
        for sealed in self.seals.take_held_back() {
            self.ingest(sealed);
        }
        if self.has_due(now) || self.has_rest() {
            self.schedule.publish_now(now.monotonic);
        }
    }

    /// A seal counts now, or waits behind the cut of the epoch that is being published.
    fn receive(&mut self, sealed: SealedRecord) {
        match self.phase {
            Phase::Collecting | Phase::Asking { .. } => self.ingest(sealed),
            _ => self.seals.hold_back(sealed),
        }
    }

    /// Notes what a seal touched; its rows go out with the epoch.
    fn ingest(&mut self, sealed: SealedRecord) {
        let Some(SealedRecord { shard, seal, .. }) = self.seals.collect(sealed) else {
            return;
        };
        let letters = seal.dead_letters.iter();
        self.refused.count(letters.map(|letter| letter.reason));
        let state = &mut self.durable.state;
        state.planner.holds(*shard, seal.last_days.clone());
        for (metric, days) in &seal.touched {
            state.planner.touch(&self.metrics, metric, days);
        }
        if seal.reference_changed {
            state.planner.touch_reference(&self.metrics);
        }
        state.clocks.insert(*shard, seal.clocks.clone());
        state.drained_to = state.drained_to.max(seal.drained_to);
        state
            .believed_until
            .extend(seal.believed_until.map(|until| (*shard, until)));
        state.reference.clone_from(&seal.reference);
        self.live_time = self.live_time.max(seal.live_time);
        self.rounds.receive(*shard, &seal.partials);
    }

    /// A record of a shard's log that is no seal: it only moves the cut.
    pub(super) fn skip(&mut self, shard: u32, number: u64) {
        self.seals.skip(shard, number);
    }

    fn is_epoch_due(&self, now: Now) -> bool {
        self.revises_all
            || self.schedule.is_epoch_due(now.monotonic)
            || self.seals.bytes() >= self.settings.early_bytes
    }

    /// Whether an epoch would say anything, rounds aside. Rules alone wait for a first seal: before it, an epoch could
    /// not say which reference data it stands on.
    fn has_news(&self) -> bool {
        let state = &self.durable.state;
        let last = self.durable.last.as_ref();
        !self.attempts.is_empty()
            || self.has_rest()
            || self.has_due_rules()
            || !state.reference.is_empty() && self.has_unlisted_rules()
            || state.drained_to != last.and_then(|last| last.drained_to)
            || self
                .seals
                .collected()
                .iter()
                .any(|sealed| state.is_news(sealed))
    }

    fn is_heartbeat_due(&self, now: Now) -> bool {
        self.schedule.is_heartbeat_due(now.monotonic)
            && self.durable.last.is_some()
            && !self.seals.collected().is_empty()
    }

    /// The newest epoch again, as far as the clocks have come now. Seals that say nothing else are done with.
    fn heartbeat(&mut self, now: Now) -> EpochRecord {
        self.seals.release();
        self.durable.state.cut.clone_from(self.seals.cut());
        self.epoch_record(now)
    }

    fn epoch_record(&self, now: Now) -> EpochRecord {
        let state = &self.durable.state;
        EpochRecord {
            epoch: state.epoch,
            committed_at: now.wall_time,
            cut: state.cut.clone(),
            tables: self.versions.clone(),
            finality: self.finality(),
            reference: state.reference.clone(),
            drained_to: state.drained_to,
            clocks: state.clocks.clone(),
            unrevised: state.unrevised(self.settings.zone, self.settings.shards),
            identity: state.identity.clone(),
        }
    }

    /// What the age of the publisher's own alerts is measured against.
    fn live_or_clock(&self) -> TimestampMs {
        live_or_clock(self.live_time, self.durable.state.clocks.values())
    }

    /// The first record of the log says this.
    pub(super) fn begin_storage(&mut self, identity: StorageIdentity, number: u64) {
        self.durable.state.identity = Some(identity);
        self.next_record = number + 1;
    }

    /// Backlog bytes of seals that need no more room, since the last call.
    pub(super) fn take_released(&mut self) -> usize {
        self.seals.take_released()
    }

    /// A checkpoint of the state as it is now was tried, and written or not.
    pub(super) fn checkpoint_tried(&mut self, is_written: bool) {
        self.checkpoints.tried(self.next_record - 1, is_written);
    }
}

/// What a machine is made of beside its log.
pub(super) struct MachineParts {
    pub settings: PublisherSettings,
    pub metrics: Arc<Vec<Metric>>,
    pub schemas: BTreeMap<String, SchemaRef>,
    pub feed: Option<FeedDefinition>,
    pub sends_records: bool,
    pub rules: Vec<Box<dyn AlertRule>>,
    pub versions: BTreeMap<String, TableVersion>,
}

mod progress;
mod rounds;
#[cfg(test)]
mod tests;
