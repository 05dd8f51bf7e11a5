//! What the publisher puts into its own log. The version of this layout stands in the frame of each record ([`PUBLISHER_LAYOUT`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::data_quality::KnownOverflows;
use super::event::SealedRecord;
use super::feed::{FeedChange, FeedGrid};
use super::identity::StorageIdentity;
use super::plan::{Planner, RoundKey};
use super::settings::RunSummary;
use crate::alert::{AlertChange, RuleStates, Transition};
use crate::error::{Error, ErrorKind, Result};
use crate::log::{LogReader, RecordKind};
use crate::round::{Published, Revisions};
use crate::shard::{Clocks, InputSeal, least_clocks};
use crate::sink::RecordFile;
use crate::table::{TableChanges, TableVersion};
use crate::time::Zone;

/// Name of the publisher's log.
pub const PUBLISHER_LOG: &str = "publisher";

/// Version of this layout.
pub const PUBLISHER_LAYOUT: u16 = 5;

/// One record of the publisher's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum PublisherRecord {
    /// The first one: what the storage was begun with.
    Storage(StorageIdentity),
    /// Everything that the epoch will make public. From here on it rolls forward.
    Intent(Arc<Intent>),
    /// The epoch is public: what every query sees. The same epoch again is a heartbeat: clocks and finality have moved on.
    Epoch(EpochRecord),
}

/// What one epoch does, with the publisher's state after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub state: PublisherState,
    /// Revisions that became known with this epoch.
    pub published: Revisions,
    /// Table (`schema.name`) → files.
    pub tables: BTreeMap<String, TableChanges>,
    pub feed: FeedChange,
    /// The publisher's own alerts; they leave once the intent is sealed.
    pub alerts: Vec<Transition>,
    /// Live time (files: the furthest clock) against which their age is measured.
    pub alerts_at: TimestampMs,
}

/// The publisher's state but for the revisions, small enough to stand in every intent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PublisherState {
    /// What the first record says.
    pub identity: Option<StorageIdentity>,
    pub epoch: i64,
    /// Shard → the last seal ingested.
    pub cut: BTreeMap<u32, u64>,
    pub clocks: BTreeMap<u32, Clocks>,
    pub planner: Planner,
    pub reference: String,
    /// Rules that `ops.rules` lists: id and version.
    pub rules_listed: BTreeSet<(String, u32)>,
    /// Of the rules over metric rows.
    pub rules: RuleStates,
    /// Alerts of those rules that no intent could number yet ([`MAX_PER_SEAL`](crate::alert::MAX_PER_SEAL)); they go first.
    pub waiting_alerts: Vec<AlertChange>,
    /// Epoch → staged records (feed, dead letters) of which the sink had not said that they are delivered.
    pub undelivered: BTreeMap<i64, RecordFile>,
    /// Last record of the alert sink's log whose attempts are in `ops.deliveries`.
    pub attempts_cut: u64,
    /// Event time was moved on beyond the inputs' ends.
    pub drained_to: Option<TimestampMs>,
    /// Per shard: a drain does not go on for facts further ahead (K41).
    pub believed_until: BTreeMap<u32, TimestampMs>,
    /// Conservation: what the last seal ingested had counted, per shard and input.
    pub counted: BTreeMap<(u32, String, i32), crate::decode::Counters>,
    /// What `ops.data_quality` says.
    pub overflows: KnownOverflows,
}

impl PublisherState {
    /// How far all `shards` have come.
    pub(super) fn least_clocks(&self, shards: u32) -> Clocks {
        least_clocks(&self.clocks, shards as usize)
    }

    /// Windows that have ended for all shards and were touched after their last round.
    pub(super) fn unrevised(&self, zone: Zone, shards: u32) -> Vec<RoundKey> {
        let clocks = self.least_clocks(shards);
        self.planner.changed(zone, &clocks)
    }

    /// Whether a seal says more than that time went on.
    pub(super) fn is_news(&self, sealed: &SealedRecord) -> bool {
        let accounted = sealed.seal.inputs.iter().filter(|input| input.accounted);
        let has_read = |input: &InputSeal| {
            let key = (
                sealed.shard,
                input.input.topic.clone(),
                input.input.partition,
            );
            self.counted.get(&key).copied().unwrap_or_default() != input.counters
        };
        sealed.seal.has_content() || accounted.into_iter().any(has_read)
    }
}

/// Everything that outlives the publisher's process: a checkpoint of its log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PublisherCheckpoint {
    pub state: PublisherState,
    pub published: Published,
    pub last: Option<EpochRecord>,
    pub grid: FeedGrid,
}

impl PublisherCheckpoint {
    /// The state after an intent that stands in the log.
    pub(super) fn restore_intent(&mut self, intent: &Intent) {
        self.state = intent.state.clone();
        for (metric, window, keys) in &intent.published {
            self.published.accept(metric, *window, keys.clone());
        }
        self.grid.restore(&intent.feed);
    }

    /// The state after an epoch record that stands in the log. A heartbeat has moved cut and clocks beyond those of the
    /// intent; the seals in between said nothing else, and need not be there any more.
    pub(super) fn restore_epoch(&mut self, epoch: EpochRecord) {
        self.state.cut.clone_from(&epoch.cut);
        self.state.clocks.clone_from(&epoch.clocks);
        self.last = Some(epoch);
    }

    /// What the storage has counted so far.
    pub(super) fn summary(&self) -> RunSummary {
        let state = &self.state;
        let mut summary = RunSummary {
            epoch: state.epoch,
            rows: self.published.rows(),
            drained_to: state.drained_to,
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

/// Rows of `table` for windows of this kind that end at or before the instant are final (K7, K40).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalUntil {
    pub table: String,
    pub window_kind: String,
    pub until: TimestampMs,
}

/// The newest one is what every query pins: all tables agree (P3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    pub epoch: i64,
    pub committed_at: TimestampMs,
    pub cut: BTreeMap<u32, u64>,
    /// Table (`schema.name`) → Delta version, with what vouches for it.
    pub tables: BTreeMap<String, TableVersion>,
    pub finality: Vec<FinalUntil>,
    pub reference: String,
    pub drained_to: Option<TimestampMs>,
    /// How far each shard had come at the cut.
    pub clocks: BTreeMap<u32, Clocks>,
    /// Windows that have ended and whose rows do not show the newest facts yet (`[epoch] revise_every`).
    pub unrevised: Vec<RoundKey>,
    /// What the storage was begun with.
    pub identity: Option<StorageIdentity>,
}

impl EpochRecord {
    /// Table → Delta version.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        let versions = self.tables.iter();
        versions
            .map(|(table, pinned)| (table.clone(), pinned.version))
            .collect()
    }
}

/// The newest epoch record, read without owning the log.
pub async fn newest_epoch(store: Arc<dyn ObjectStore>) -> Result<Option<EpochRecord>> {
    let epoch_of = |record| match record {
        PublisherRecord::Epoch(epoch) => Some(epoch),
        PublisherRecord::Storage(_) | PublisherRecord::Intent(_) => None,
    };
    newest_of(store, epoch_of).await
}

/// What `pick` takes from the newest record that has it, read without owning the log.
pub(super) async fn newest_of<T>(
    store: Arc<dyn ObjectStore>,
    pick: impl Fn(PublisherRecord) -> Option<T>,
) -> Result<Option<T>> {
    let reader = LogReader::new(store, PUBLISHER_LOG, PUBLISHER_LAYOUT);
    let Some(last) = reader.last_number().await? else {
        return Ok(None);
    };
    let mut records = reader.read_back(last);
    while let Some(entry) = records.try_next().await? {
        if entry.kind != RecordKind::Data {
            continue;
        }
        if let Some(found) = pick(decode(&entry.payload)?) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The publisher's alerts that the record `payload` of its log lets leave, and the time their age is measured against.
pub fn alerts_of(payload: &[u8]) -> Result<Option<(Vec<Transition>, TimestampMs)>> {
    Ok(match decode(payload)? {
        PublisherRecord::Intent(intent) => Some((intent.alerts.clone(), intent.alerts_at)),
        PublisherRecord::Epoch(_) | PublisherRecord::Storage(_) => None,
    })
}

/// The newest epoch that a checkpoint of the publisher's log and the records behind it hold.
pub(super) fn recorded_epoch(
    checkpoint: &PublisherCheckpoint,
    records: &[(u64, Bytes)],
) -> Result<Option<EpochRecord>> {
    for (_, payload) in records.iter().rev() {
        if let PublisherRecord::Epoch(epoch) = decode(payload)? {
            return Ok(Some(epoch));
        }
    }
    Ok(checkpoint.last.clone())
}

pub(super) fn decode(payload: &[u8]) -> Result<PublisherRecord> {
    postcard::from_bytes(payload).map_err(Error::from_source(
        ErrorKind::Damaged,
        "a record of the publisher's log cannot be read: restore it from a copy",
    ))
}

pub(super) fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    let bytes = postcard::to_stdvec(record).map_err(Error::from_source(
        ErrorKind::Internal,
        "a record of the publisher's log cannot be encoded",
    ))?;
    Ok(bytes.into())
}
