//! How many records of this run were refused, and why: its last words, where nobody looks into a table unasked.

use std::collections::BTreeMap;

use schemas::event::Reason;

use crate::observe::RecordsWereRefused;

/// Dead letters of the seals that a run has published.
pub(super) struct RefusedRecords {
    /// What the storage had read before.
    read_before: u64,
    by_reason: BTreeMap<&'static str, u64>,
}

impl RefusedRecords {
    /// None yet, of a storage that has read so many records.
    pub(super) fn new(read_before: u64) -> Self {
        Self {
            read_before,
            by_reason: BTreeMap::new(),
        }
    }

    pub(super) fn count(&mut self, reasons: impl IntoIterator<Item = Reason>) {
        for reason in reasons {
            *self.by_reason.entry(reason.as_str()).or_default() += 1;
        }
    }

    /// What there is to be said at the end, with `read` records in the storage; nothing where all were taken.
    pub(super) fn last_words(&self, read: u64) -> Option<RecordsWereRefused<'static>> {
        let refused: u64 = self.by_reason.values().sum();
        let most = self.by_reason.iter().max_by_key(|(_, count)| **count);
        (refused > 0).then_some(RecordsWereRefused {
            refused,
            read: read.saturating_sub(self.read_before).max(refused),
            most_frequent: most.map(|(reason, count)| (*reason, *count)),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reason_is_named_with_how_many_of_how_many() {
        let mut refused = RefusedRecords::new(100);
        refused.count([]);
        assert!(refused.last_words(110).is_none());
        refused.count([Reason::BadValue, Reason::MalformedJson]);
        refused.count([Reason::BadValue]);
        let said = refused.last_words(110).unwrap();
        assert_eq!((said.refused, said.read), (3, 10));
        assert_eq!(said.most_frequent, Some(("bad_value", 2)));
    }
}
