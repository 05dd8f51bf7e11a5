//! What a seal puts into the shard's log.
//!
//! Blobs are [`Bytes`]: serde takes a `Vec<u8>` apart into its numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::event::{Reason, Topic, TopicSet};
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::alert::AlertChange;
use crate::decode::{Counters, SavedIds};
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{Header, TopicPartition};
use crate::source::{InputIdentity, content_bytes};
use crate::time::{Day, PartitionTime, Window};

/// Version of this layout; it stands in the frame of each record.
pub const SEAL_LAYOUT: u16 = 5;

/// Event time per set of topics: how far each has come.
pub type Clocks = BTreeMap<TopicSet, TimestampMs>;

/// How far all `count` shards have come: the minimum of each clock that all of them have; nothing before each has sealed.
pub fn least_clocks(shards: &BTreeMap<u32, Clocks>, count: usize) -> Clocks {
    if shards.len() != count {
        return Clocks::new();
    }
    shards
        .values()
        .cloned()
        .reduce(|least, clocks| {
            least
                .into_iter()
                .filter_map(|(key, at)| clocks.get(&key).map(|other| (key, at.min(*other))))
                .collect()
        })
        .unwrap_or_default()
}

/// One micro-batch of a shard: where its inputs stand, what was accepted and what followed from it.
///
/// State changes are not written as such: state is a function of accepted events and clocks, both are here, and recovery
/// applies them again. Records stay small and no layout of internal state is stored but in checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seal {
    pub inputs: Vec<InputSeal>,
    pub clocks: Clocks,
    pub live_time: Option<TimestampMs>,
    /// δ of live time.
    pub delay: Option<DurationMs>,
    /// Event time was moved on to this instant although inputs had ended (`run --drain`).
    pub drained_to: Option<TimestampMs>,
    /// Content hash of the reference data in force.
    pub reference: String,
    /// Accepted events, Arrow IPC, one wide batch a topic.
    pub events: Vec<(Topic, Bytes)>,
    /// Weighted facts for the public tables, Arrow IPC.
    pub facts: Vec<(String, Bytes)>,
    pub dead_letters: Vec<DeadLetter>,
    pub late_events: Vec<LateEvent>,
    pub orphans: Vec<OrphanRow>,
    /// Days whose panes changed, per metric.
    pub touched: BTreeMap<String, Vec<Day>>,
    /// A drain does not go on for facts further ahead (K41): no event that this shard knows of shows that time will come there.
    pub believed_until: Option<TimestampMs>,
    /// The last day up to there that holds a fact, per metric with panes.
    pub last_days: BTreeMap<String, Day>,
    /// List prices or reference data changed: queries that read `asof.*` run again.
    pub reference_changed: bool,
    pub partials: Vec<PartialAggregate>,
    /// Alerts to send once this record is durable.
    pub alerts: Vec<AlertChange>,
    pub sealed_at: TimestampMs,
}

/// Where one input stands after the seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSeal {
    pub input: TopicPartition,
    pub next_offset: i64,
    /// What was read below `next_offset`.
    pub identity: InputIdentity,
    /// How far event time has come in it.
    pub time: PartitionTime,
    pub at_end: bool,
    /// Since the beginning; the seal's own are the difference to the one before.
    pub counters: Counters,
    /// Whether this shard accounts for it; price partition q is accounted for by shard q mod n.
    pub accounted: bool,
}

/// A rejected record with all that was known of it (P4). Of a payload that is too large that is its size and its beginning (F29).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub input: TopicPartition,
    pub offset: i64,
    pub timestamp: Option<TimestampMs>,
    pub reason: Reason,
    pub path: String,
    /// The payload; of one that is too large the beginning.
    pub value: Option<Bytes>,
    /// Bytes of the payload as it came.
    pub value_bytes: u64,
    pub key: Option<Bytes>,
    pub headers: Vec<Header>,
}

/// Shows neither key, payload and headers, which may hold personal data, nor the path, which may name a field that somebody typed.
impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("input", &self.input)
            .field("offset", &self.offset)
            .field("reason", &self.reason)
            .field("value_bytes", &self.value_bytes)
            .finish_non_exhaustive()
    }
}

/// A valid event that came after its limit (K6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateEvent {
    pub input: TopicPartition,
    pub offset: i64,
    pub event_id: String,
    pub event_type: String,
    pub scope: Option<String>,
    pub occurred_at: TimestampMs,
    pub recorded_at: TimestampMs,
    pub limit: TimestampMs,
}

/// A correction that names nothing within reach, or (weight −1) no longer does so (K23).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanRow {
    pub topic: Topic,
    pub event_id: String,
    pub corrects: String,
    pub occurred_at: TimestampMs,
    pub weight: i64,
}

/// What a shard adds to one window of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartialAggregate {
    pub round: u64,
    pub window: Window,
    pub metric: String,
    /// Rows as Arrow IPC.
    pub rows: Bytes,
}

/// What a checkpoint keeps: inputs, clocks and the histories; facts and panes are computed anew from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShardCheckpoint {
    pub inputs: Vec<InputSeal>,
    /// Of each of the inputs.
    pub known_ids: Vec<SavedIds>,
    pub clocks: Clocks,
    pub live_time: Option<TimestampMs>,
    pub delay: Option<DurationMs>,
    pub drained_to: Option<TimestampMs>,
    pub reference: String,
    /// Alerts that no seal had room for yet ([`MAX_PER_SEAL`](crate::alert::MAX_PER_SEAL)); those of the next seals come first.
    pub alerts: Vec<AlertChange>,
    pub state: Bytes,
}

impl DeadLetter {
    /// Bytes that are held for it: what a producer can make as large as it likes.
    pub fn held_bytes(&self) -> usize {
        content_bytes(&self.key, &self.value, &self.headers) + self.path.len()
    }
}

impl Seal {
    /// Bytes that its dead letters hold.
    pub fn dead_letter_bytes(&self) -> usize {
        self.dead_letters.iter().map(DeadLetter::held_bytes).sum()
    }

    /// Whether it says more than where inputs stand and how far time has come.
    pub fn has_content(&self) -> bool {
        !self.events.is_empty()
            || !self.facts.is_empty()
            || !self.dead_letters.is_empty()
            || !self.late_events.is_empty()
            || !self.orphans.is_empty()
            || !self.touched.is_empty()
            || self.reference_changed
            || !self.alerts.is_empty()
    }
}

/// A seal as a record of a shard's log holds it.
pub fn decode_seal(shard: u32, payload: &[u8]) -> Result<Seal> {
    postcard::from_bytes(payload).map_err(Error::from_source(
        ErrorKind::Damaged,
        format!("a seal of shard={shard} cannot be read: restore its log from a copy"),
    ))
}

/// A seal or checkpoint as it stands in the log.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    let bytes = postcard::to_stdvec(record).map_err(Error::from_source(
        ErrorKind::Internal,
        "a seal cannot be encoded",
    ))?;
    Ok(bytes.into())
}

/// Columns as Arrow IPC.
pub fn to_ipc(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner().map(Bytes::from)
}

/// The batches of an Arrow IPC stream.
pub fn from_ipc(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(Cursor::new(bytes), None)?.collect()
}
