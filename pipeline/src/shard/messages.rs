//! What publisher and shard say to each other.

use std::sync::Arc;

use schemas::time::TimestampMs;

use super::seal::Seal;
use crate::error::Result;
use crate::time::Window;

/// What the publisher asks of a shard.
#[derive(Clone, Debug)]
pub enum ShardCommand {
    /// Run shard.sql of these metrics over a window and put the partial aggregates into the next seal.
    Aggregate {
        round: u64,
        window: Window,
        metrics: Vec<String>,
    },
    /// Facts up to this instant are believed, whatever lies in this shard: another one has come that far (K41). The next seal says which
    /// days hold the last ones.
    Believe { until: TimestampMs },
    /// Move event time on to this instant as if nothing more came; only once all inputs have ended.
    Drain { to: TimestampMs },
    /// Put this version of the reference data in force with the next seal.
    Reference { version: String },
    /// Seal what there is, write a checkpoint and end.
    Stop,
}

/// What a shard reports to the publisher.
#[derive(Debug)]
pub enum ShardReport {
    Sealed {
        shard: u32,
        number: u64,
        seal: Arc<Seal>,
        /// What it counts for in the backlog.
        bytes: usize,
    },
    /// Everything up to the ends that were seen at start is in seals up to `number`.
    CaughtUp {
        shard: u32,
        number: u64,
    },
    Ended {
        shard: u32,
        result: Result<()>,
    },
}
