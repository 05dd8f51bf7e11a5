//! What of a storage is still needed: housekeeping deletes the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assemble::OWN_ALERTS;
use super::record::{EpochRecord, Intent, PUBLISHER_LOG};
use crate::shard::shard_log;
use crate::sink::delivery_logs;

/// What the publisher knows and housekeeping has to respect.
#[derive(Debug, Clone, Default)]
pub struct StorageNeeds {
    /// The claim of the running owner, under which files are being staged.
    pub claim: Option<u64>,
    /// The newest epoch record; before there is one, no table is vacuumed.
    pub newest_epoch: Option<EpochRecord>,
    /// Files of an intent whose epoch record is not there yet: table → paths from its folder.
    pub open_intent: BTreeMap<String, BTreeSet<String>>,
    /// Per log: records below this number are not needed any more.
    pub cuts: BTreeMap<String, u64>,
    /// Records of epochs below this one have been delivered; the newest delivered epoch serves.
    pub delivered: Option<i64>,
}

/// Per log, the records below which neither the publisher at `cut` nor the alert sink needs any more. `alert_cursors` is how far
/// the sink has read its sources for good (label → number).
pub(super) fn cuts(
    cut: &BTreeMap<u32, u64>,
    alert_cursors: &BTreeMap<Arc<str>, u64>,
) -> BTreeMap<String, u64> {
    let read = |label: &str| alert_cursors.get(label).map_or(0, |cursor| cursor + 1);
    let shards = cut
        .iter()
        .map(|(shard, number)| (shard_log(*shard), (*number).min(read(&shard.to_string()))));
    let own = (PUBLISHER_LOG.to_owned(), read(OWN_ALERTS));
    let sinks = delivery_logs().map(|(name, _)| (name.to_owned(), u64::MAX));
    shards.chain([own]).chain(sinks).collect()
}

/// Files that an open intent has staged, by table.
pub(super) fn staged_paths(intent: &Intent) -> BTreeMap<String, BTreeSet<String>> {
    intent
        .tables
        .iter()
        .map(|(table, changes)| {
            let paths = changes.staged_paths().map(str::to_owned);
            (table.clone(), paths.collect())
        })
        .collect()
}
