//! What a person who runs the service should learn of: one struct per happening.
//!
//! ```text
//! CheckpointNotWritten { log: "shard-3", error: &error }.report();
//! ```
//!
//! The code where it happens fills the struct, `report` writes the log line. A metric of the same happening goes into the same
//! `report`, so that the two cannot disagree.
//!
//! | file | what happened |
//! |---|---|
//! | `recovery` | a start found and restored something |
//! | `storage` | a log, a table or a step on them failed or was put off |
//! | `input` | Kafka was read, or could not be; records were refused |
//! | `files` | the folder of event files is not as it should be |
//! | `kafka` | a Kafka client said something about itself |
//! | `alerts`, `records` | a delivery ended |
//! | `housekeeping` | something was deleted; a lease lapsed |
//! | `outage` | no happening: it decides when a lasting one is reported again |
//!
//! Rules:
//!
//! * Everything from `INFO` upwards is reported here. A `debug` or `trace` line may stand where it arises.
//!   `tests/it/layers.rs` checks this.
//! * `ERROR`: something is lost, or a person is needed. `WARN`: trouble, and nothing is lost. `INFO`: the service has changed
//!   its state, or trouble has ended. `DEBUG`: for those who search for a cause.
//! * Fields are plain values, and of the engine's own types only [`Error`](crate::error::Error), so that every module may
//!   report. An error of another crate is what it displays. No field holds a secret or personal data (P7).
//! * Each line names its target: the module in which it happened when the line was first written. People filter by it
//!   (`VITRINE_LOG`), so it stays when code moves; so do the message and the names of the fields.

mod alerts;
mod files;
mod housekeeping;
mod input;
mod kafka;
mod outage;
mod records;
mod recovery;
mod storage;

pub(crate) use alerts::{AlertDelivered, AlertExpired, AlertNotDelivered, AlertRefused};
pub(crate) use files::{EventFilesMissing, EventsNotRead, LastLineTorn};
pub(crate) use housekeeping::{
    HousekeepingDone, HousekeepingFailed, HousekeepingIdle, HousekeepingPartFailed, LeaseLapsed,
    LeaseNotRenewed,
};
pub(crate) use input::{
    EndsNotConfirmed, FarJump, FarJumpWitnessed, KafkaReachable, KafkaUnreachable, OffsetsMissing,
    PartitionAppeared, ReadingStopped, RecordsWereRefused, TopicsNotDescribed, UnassignedRecord,
};
pub(crate) use kafka::{
    ConsumerLogged, ProducerErrorRaised, ProducerLogged, ProducerNotReplaced, ProducerReplaced,
};
pub(crate) use outage::Outage;
pub(crate) use records::{
    RecordFileNotDeleted, RecordRefused, RecordsNotDelivered, RecordsResumed,
};
pub(crate) use recovery::{
    CheckpointIgnored, LogClaimed, OpenEpochFound, RuleStateDropped, ShardRestored,
};
pub(crate) use storage::{
    CheckpointNotWritten, CompactionLeftOut, TableCheckpointNotWritten, TableLogNotTrimmed,
    TableMissing, TryFailed,
};

#[cfg(test)]
mod tests;
