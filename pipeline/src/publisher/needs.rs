//! What of a storage is still needed: told to whoever deletes the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::record::EpochRecord;

/// What the publisher knows and housekeeping has to respect.
#[derive(Debug, Clone, Default)]
pub struct StorageNeeds {
    /// The newest epoch record; before there is one, no table is vacuumed.
    pub newest_epoch: Option<EpochRecord>,
    /// Files of an intent whose epoch record is not there yet: table → paths from its folder.
    pub open_intent: BTreeMap<String, BTreeSet<String>>,
    /// Per log: records below this number are not needed any more.
    pub cuts: BTreeMap<String, u64>,
    /// Records of epochs below this one have been delivered; the newest delivered epoch serves.
    pub delivered: Option<i64>,
}
