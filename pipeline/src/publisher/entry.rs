//! What the publisher puts into its own log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};

use super::feed::{FeedChange, FeedGrid};
use super::plan::{Planner, RoundKey};
use crate::error::Error;
use crate::log::{LogReader, RecordKind};
use crate::round::{Published, Revisions};
use crate::shard::{Clocks, least_clocks};
use crate::sink::Outbox;
use crate::sink::SinkRecord;
use crate::table::TableChanges;
use crate::time::Zone;

/// Name of the publisher's log.
pub const LOG: &str = "publisher";

/// Version of the layout of intents, epoch records and checkpoints in this file. It stands in the frame of each record; the log
/// refuses another one. Raise it with every change.
pub const LAYOUT: u16 = 3;

/// One record of the publisher's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PublisherRecord {
    /// Everything that the epoch will make public. From here on it rolls forward.
    Intent(Box<Intent>),
    /// The epoch is public: what every query sees.
    Epoch(EpochRecord),
}

/// What one epoch does, with the publisher's state after it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    pub state: PublisherState,
    /// Revisions that became known with this epoch.
    pub published: Revisions,
    /// Table (`schema.name`) → files.
    pub tables: BTreeMap<String, TableChanges>,
    pub feed: FeedChange,
    /// Dead letters and feed records, to be sent before the epoch record.
    pub records: Vec<SinkRecord>,
}

/// The publisher's state but for the revisions, small enough to stand in every intent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PublisherState {
    pub epoch: i64,
    /// Shard → the last seal taken in.
    pub cut: BTreeMap<u32, u64>,
    pub clocks: BTreeMap<u32, Clocks>,
    pub planner: Planner,
    pub reference: String,
    /// Rules that `ops.rules` lists: id and version.
    pub rules_listed: BTreeSet<(String, u32)>,
    /// Rules over metric rows, in the order of loading.
    pub rules: Vec<Vec<u8>>,
    /// What receivers have not acknowledged, per log.
    pub outboxes: BTreeMap<String, Outbox>,
    /// Event time was moved on beyond the inputs' ends.
    pub drained_to_ms: Option<i64>,
    /// Conservation: what the last seal taken in had counted, per shard and input.
    pub counted: BTreeMap<(u32, String, i32), crate::decode::Counters>,
}

impl PublisherState {
    /// Windows that have ended for all shards and were touched after their last round.
    pub(super) fn unrevised(&self, zone: Zone) -> Vec<RoundKey> {
        let clocks = least_clocks(self.clocks.values());
        self.planner.due(zone, &clocks, 0, 0, true)
    }
}

/// A checkpoint of the publisher.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PublisherCheckpoint {
    pub state: PublisherState,
    pub published: Published,
    pub last: Option<EpochRecord>,
    pub grid: FeedGrid,
}

/// Rows of `table` for windows of this kind that end at or before the instant are final (K7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalUntil {
    pub table: String,
    pub window_kind: String,
    pub until_ms: i64,
}

/// The newest one is what every query pins: all tables agree (P3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    pub epoch: i64,
    pub committed_at_ms: i64,
    pub cut: BTreeMap<u32, u64>,
    /// Table (`schema.name`) → Delta version.
    pub tables: BTreeMap<String, i64>,
    pub finality: Vec<FinalUntil>,
    pub reference: String,
    pub drained_to_ms: Option<i64>,
    /// How far each shard had come at the cut.
    pub clocks: BTreeMap<u32, Clocks>,
    /// Windows that have ended and whose rows do not show the newest facts yet (`[epoch] revise_every`).
    pub unrevised: Vec<RoundKey>,
}

/// The newest epoch record, read without owning the log.
pub async fn newest_epoch(store: Arc<dyn ObjectStore>) -> Result<Option<EpochRecord>, EpochError> {
    let reader = LogReader::new(store, LOG, LAYOUT);
    let Some(last) = reader.last_number().await? else {
        return Ok(None);
    };
    let mut records = reader.read_back(last);
    while let Some(entry) = records.try_next().await? {
        if entry.kind != RecordKind::Data {
            continue;
        }
        if let PublisherRecord::Epoch(epoch) = postcard::from_bytes(&entry.payload)? {
            return Ok(Some(epoch));
        }
    }
    Ok(None)
}

/// Why the newest epoch cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("a record of the publisher's log cannot be read; was it written by another version?")]
    PublisherRecord(#[from] postcard::Error),
}
