//! What the publisher is given, and the summary of a run.

use std::sync::Arc;
use std::time::Duration;

use schemas::time::TimestampMs;

use super::feed::FeedDefinition;
use super::rows::RuleCard;
use crate::decode::{Partitioner, TopicSettings};
use crate::sink::{AlertDestinations, RecordSink};
use crate::time::Zone;

/// What the publisher needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct PublisherSettings {
    pub zone: Zone,
    pub shards: u32,
    pub partitioner: Partitioner,
    /// Longest time between two epochs while there is something to publish.
    pub interval: Duration,
    /// Shortest time between two revisions of a window.
    pub revise_every: Duration,
    /// How often an idle service renews its newest epoch record, so that clocks and finality move on.
    pub heartbeat: Duration,
    pub topics: Vec<TopicSettings>,
    /// Alert rules that are loaded, for `ops.rules`.
    pub rules: Vec<RuleCard>,
    /// Records of the publisher's log between two checkpoints; an epoch makes two, a heartbeat one.
    pub checkpoint_every: u64,
    /// Bytes of sealed records at which an epoch comes early.
    pub early_bytes: usize,
}

/// Where things leave to beside the tables.
#[derive(Clone, Default)]
pub struct Sinks {
    pub alerts: AlertDestinations,
    pub feed: Option<FeedDefinition>,
    /// Where feed records and dead letters go, if the events come from Kafka.
    pub records: Option<Arc<dyn RecordSink>>,
}

/// When the run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// On a signal.
    Stopped,
    /// Once everything that was there at start has been published.
    CaughtUp,
    /// The same, then event time is moved on to this instant.
    DrainedTo(TimestampMs),
    /// The same, to the last instant of K7.
    Drained,
}

/// What a storage has counted so far, for the last words of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSummary {
    pub epoch: i64,
    pub read: u64,
    pub accepted: u64,
    pub duplicate: u64,
    pub too_late: u64,
    pub dead: u64,
    pub rows: usize,
    pub drained_to: Option<TimestampMs>,
}
