//! The events that go into the publisher's machine and the actions that come out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use schemas::time::TimestampMs;

use super::assemble::TableRows;
use super::feed::{Cells, LoadedFlags};
use super::plan::RoundKey;
use super::record::{EpochRecord, Intent};
use crate::round::Overflows;
use crate::shard::Seal;
use crate::sink::{DeliveryAttempt, RecordFile, SinkRecord};
use crate::table::{TableChanges, TableVersion};
use crate::time::Day;

/// A durable seal of a shard.
#[derive(Clone, Debug)]
pub(super) struct SealedRecord {
    pub shard: u32,
    pub number: u64,
    pub seal: Arc<Seal>,
    /// What it counts for in the backlog.
    pub bytes: usize,
}

/// One round, as all shards are asked for their partial aggregates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoundRequest {
    pub round: u64,
    pub key: RoundKey,
    pub metrics: Vec<String>,
}

/// One round with the partial aggregates of all shards.
#[derive(Clone, Debug)]
pub(super) struct RoundInput {
    pub key: RoundKey,
    /// Per shard: metric and its partial aggregate as Arrow IPC.
    pub partials: BTreeMap<u32, Vec<(String, Bytes)>>,
}

/// What `public.sql` made of a round.
#[derive(Clone, Debug)]
pub(super) struct RoundRows {
    pub key: RoundKey,
    pub metrics: Vec<MetricRows>,
    /// What the day says of the feed's series, where the feed reads one of these metrics.
    pub cells: Option<(Day, Cells)>,
}

/// What `public.sql` made of a metric in a round.
#[derive(Clone, Debug)]
pub(super) struct MetricRows {
    pub metric: String,
    /// All of the window.
    pub rows: RecordBatch,
    /// What they lost when they were narrowed to the types of their table.
    pub overflows: Overflows,
}

/// What has happened.
#[derive(Debug)]
pub(super) enum PublisherEvent {
    /// A shard's seal is durable.
    Sealed(SealedRecord),
    /// A shard has sealed everything up to the ends seen at start, in seals up to `number`.
    CaughtUp { shard: u32, number: u64 },
    /// Delivery of alerts was tried; record `number` of the alert sink's log holds it.
    Attempted {
        number: u64,
        attempts: Vec<DeliveryAttempt>,
    },
    /// Records of all epochs up to this one are delivered.
    Delivered {
        epoch: i64,
        /// Rows of `ops.deliveries` of those that were given up.
        given_up: Vec<DeliveryAttempt>,
    },
    Computed {
        rounds: Vec<RoundRows>,
        /// Those that were asked for.
        flags: Option<LoadedFlags>,
    },
    Staged {
        tables: BTreeMap<String, TableChanges>,
        records: Option<RecordFile>,
    },
    /// The intent is record `number` of the publisher's log.
    IntentSealed { number: u64 },
    Committed {
        table: String,
        version: TableVersion,
    },
    /// The epoch record is record `number` of the publisher's log.
    Recorded { number: u64 },
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum PublisherAction {
    /// Nothing before another event, or before [`Machine::due_at`](super::machine::Machine::due_at).
    Wait,
    /// Ask all shards for their partial aggregates.
    Ask(Vec<RoundRequest>),
    /// Run the public queries over the partial aggregates of all shards, and load the feed's flags of a version of the reference data.
    Compute {
        rounds: Vec<RoundInput>,
        flags_of: Option<String>,
    },
    /// Write files that nobody sees yet. `compacts` says whether small files of touched tables are to be merged as well.
    Stage {
        epoch: i64,
        rows: TableRows,
        records: Vec<SinkRecord>,
        versions: BTreeMap<String, TableVersion>,
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
pub(super) struct Now {
    /// Paces epochs and revisions.
    pub monotonic: Instant,
    /// Stamps rows.
    pub wall_time: TimestampMs,
}
