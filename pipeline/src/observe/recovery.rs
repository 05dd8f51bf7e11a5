//! What a start finds and restores.

use object_store::path::Path;
use tracing::{debug, info, warn};

/// A checkpoint is damaged or belongs to another chain.
pub(crate) struct CheckpointIgnored<'a> {
    pub checkpoint: &'a Path,
    pub why: &'a str,
}

impl CheckpointIgnored<'_> {
    pub(crate) fn report(self) {
        let Self { checkpoint, why } = self;
        warn!(
            target: "pipeline::log::recover",
            %checkpoint,
            why,
            "checkpoint is ignored; an older one and the records serve instead"
        );
    }
}

/// This process owns a log.
pub(crate) struct LogClaimed<'a> {
    pub log: &'a str,
    /// Of the claim's record.
    pub number: u64,
    pub owner: &'a str,
}

impl LogClaimed<'_> {
    pub(crate) fn report(self) {
        let Self { log, number, owner } = self;
        info!(target: "pipeline::log::owner", log, number, owner, "claimed");
    }
}

/// A shard's checkpoint is loaded and the records behind it are replayed.
pub(crate) struct ShardRestored {
    pub shard: u32,
}

impl ShardRestored {
    pub(crate) fn report(self) {
        let Self { shard } = self;
        debug!(target: "pipeline::shard::recover", shard, "shard state restored");
    }
}

/// A checkpoint or record holds the state of an alert rule that is not loaded any more.
pub(crate) struct RuleStateDropped<'a> {
    pub rule_id: &'a str,
}

impl RuleStateDropped<'_> {
    pub(crate) fn report(self) {
        let Self { rule_id } = self;
        warn!(
            target: "pipeline::alert::states",
            rule_id,
            "an alert rule is no longer loaded: its state is dropped, its open alerts stay as they are"
        );
    }
}

/// The publisher's log ends with an intent whose epoch is not public.
pub(crate) struct OpenEpochFound {
    pub epoch: i64,
}

impl OpenEpochFound {
    pub(crate) fn report(self) {
        let Self { epoch } = self;
        info!(
            target: "pipeline::publisher::driver",
            epoch,
            "an epoch was left open: rolling it forward"
        );
    }
}
