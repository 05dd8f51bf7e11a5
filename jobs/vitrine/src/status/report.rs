//! What `vitrine status` reports; its JSON is for scripts.

use pipeline::run::housekeeping::Housekept;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

/// The state of a storage and its inputs.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct StatusReport {
    pub(super) epoch: Option<EpochStatus>,
    pub(super) shards: Vec<SealedShard>,
    pub(super) inputs: Vec<InputStatus>,
    /// Why lag is not known.
    pub(super) lag_unknown: Option<String>,
    pub(super) totals: Totals,
    pub(super) dead_letters: Vec<ReasonCount>,
    pub(super) open_alerts: Vec<OpenAlert>,
    /// Records and alerts that a receiver refused for good.
    pub(super) given_up: Vec<GivenUp>,
    pub(super) finality: Vec<FinalityStatus>,
    /// Bytes of logs (seals and checkpoints) and of tables, including old versions.
    pub(super) log_bytes: u64,
    pub(super) table_bytes: u64,
    /// What housekeeping last wrote down; none if it never ran.
    pub(super) housekeeping: Option<HousekeepingStatus>,
}

/// The last run of housekeeping in which something went, or a later one within the hour.
#[derive(Clone, Debug, Serialize)]
pub(super) struct HousekeepingStatus {
    #[serde(rename = "age_ms")]
    pub(super) age: DurationMs,
    #[serde(flatten)]
    pub(super) done: Housekept,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct EpochStatus {
    pub(super) epoch: i64,
    #[serde(rename = "committed_at_ms")]
    pub(super) committed_at: TimestampMs,
    #[serde(rename = "age_ms")]
    pub(super) age: DurationMs,
    /// Event time was advanced to this instant (`run --drain`).
    #[serde(rename = "drained_to_ms")]
    pub(super) drained_to: Option<TimestampMs>,
    /// Windows that ended and wait for their next revision.
    pub(super) unrevised_windows: usize,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct SealedShard {
    pub(super) shard: u32,
    pub(super) seal: Option<u64>,
    #[serde(rename = "sealed_at_ms")]
    pub(super) sealed_at: Option<TimestampMs>,
    pub(super) state_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct InputStatus {
    pub(super) shard: u32,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) next_offset: i64,
    #[serde(rename = "watermark_ms")]
    pub(super) watermark: Option<TimestampMs>,
    pub(super) at_end: bool,
    pub(super) lag: Option<i64>,
}

/// P4 over all inputs, since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) duplicate: u64,
    pub(super) dead_letters: u64,
    pub(super) too_late: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReasonCount {
    pub(super) topic: String,
    pub(super) reason: String,
    pub(super) records: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct GivenUp {
    pub(super) destination: String,
    pub(super) records: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OpenAlert {
    pub(super) subject: String,
    pub(super) rule_id: String,
    pub(super) severity: String,
    pub(super) state: String,
    #[serde(rename = "first_fired_at_ms")]
    pub(super) first_fired_at: TimestampMs,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct FinalityStatus {
    pub(super) table: String,
    pub(super) window_kind: String,
    /// Windows that end here or earlier are final.
    #[serde(rename = "until_ms")]
    pub(super) until: TimestampMs,
}
