//! What the first record of the publisher's log fixes for a storage (K38, K44).
//!
//! Each of these decides which customer's events meet in which shard, or to which day an event belongs. With another value what
//! is stored and what comes would not fit together, and nothing would show it. The identity stands in the first record, and in
//! every later one too: the first may have been trimmed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;
use schemas::event::Topic;
use serde::{Deserialize, Serialize};

use super::record::{PublisherRecord, newest_of};
use super::settings::PublisherSettings;
use crate::decode::Partitioner;
use crate::error::{Error, ErrorKind, Result};
use crate::time::Zone;

/// See the module's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageIdentity {
    /// IANA name of the business zone.
    pub zone: String,
    partitioner: Partitioner,
    /// Of each customer topic.
    partitions: u32,
    /// Configured names.
    topics: BTreeMap<Topic, String>,
}

impl StorageIdentity {
    pub(crate) fn of(settings: &PublisherSettings) -> Self {
        let topics = settings.topics.iter();
        Self {
            zone: settings.zone.0.name().to_owned(),
            partitioner: settings.partitioner,
            partitions: settings.shards,
            topics: topics
                .map(|topic| (topic.topic, topic.name.clone()))
                .collect(),
        }
    }

    /// Fails where this storage was begun with something else.
    fn require(&self, stored: &Self) -> Result<()> {
        let zone = ("[time] zone".to_owned(), &stored.zone, &self.zone);
        let topics = stored.topics.iter().map(|(topic, name)| {
            let now = self.topics.get(topic).unwrap_or(name);
            (format!("[topics] {}", topic.name()), name, now)
        });
        for (key, before, now) in std::iter::once(zone).chain(topics) {
            if before != now {
                return Err(other(&key, before, now));
            }
        }
        if stored.partitioner != self.partitioner {
            let shown = |partitioner: Partitioner| format!("{partitioner:?}").to_lowercase();
            return Err(other(
                "[source] partitioner",
                shown(stored.partitioner),
                shown(self.partitioner),
            ));
        }
        if stored.partitions != self.partitions {
            let key = "number of partitions of orders, visits and complaints";
            return Err(other(key, stored.partitions, self.partitions));
        }
        Ok(())
    }

    /// Fails where the storage's business zone is another: days would not be those that were published.
    pub fn require_zone(&self, zone: Zone) -> Result<()> {
        if self.zone == zone.0.name() {
            return Ok(());
        }
        Err(other("[time] zone", &self.zone, zone.0.name()))
    }
}

fn other(key: &str, before: impl fmt::Display, now: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "this storage was begun with another value: {key} was {before} and is {now}. Nothing has been changed; put it back, or \
             replay the events into a new storage ([storage] url)"
        ),
    )
}

/// Fails where a storage, which this process does not own yet, was begun with something else. A storage without a record, or
/// one whose newest record is damaged, is compared once it is owned.
pub async fn require_identity(
    store: &Arc<dyn ObjectStore>,
    settings: &PublisherSettings,
) -> Result<()> {
    match newest_of(store.clone(), identity_of).await {
        Ok(Some(stored)) => StorageIdentity::of(settings).require(&stored),
        Ok(None) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Damaged => Ok(()),
        Err(error) => Err(error),
    }
}

fn identity_of(record: PublisherRecord) -> Option<StorageIdentity> {
    match record {
        PublisherRecord::Storage(identity) => Some(identity),
        PublisherRecord::Intent(intent) => intent.state.identity.clone(),
        PublisherRecord::Epoch(epoch) => epoch.identity,
    }
}

/// Compares what the owner of the log has found there with the configuration; what is to be its first record where it found nothing.
pub(super) fn new_identity(
    stored: Option<&StorageIdentity>,
    settings: &PublisherSettings,
) -> Result<Option<StorageIdentity>> {
    let identity = StorageIdentity::of(settings);
    match stored {
        Some(stored) => identity.require(stored).map(|()| None),
        None => Ok(Some(identity)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> StorageIdentity {
        let names = Topic::ALL.map(|topic| (topic, topic.default_topic().to_owned()));
        StorageIdentity {
            zone: "Asia/Shanghai".to_owned(),
            partitioner: Partitioner::Murmur2,
            partitions: 3,
            topics: names.into_iter().collect(),
        }
    }

    #[test]
    fn k44_what_a_storage_was_begun_with_is_named_where_it_changed() {
        assert!(identity().require(&identity()).is_ok());
        let changed = |change: &dyn Fn(&mut StorageIdentity)| {
            let mut now = identity();
            change(&mut now);
            let Err(error) = now.require(&identity()) else {
                return "accepted".to_owned();
            };
            assert_eq!(error.kind(), ErrorKind::Incompatible);
            assert!(error.to_string().contains("new storage"), "{error}");
            error.to_string()
        };
        let zone = changed(&|now| now.zone = "Asia/Tokyo".to_owned());
        assert!(
            zone.contains("[time] zone was Asia/Shanghai and is Asia/Tokyo"),
            "{zone}"
        );
        let partitioner = changed(&|now| now.partitioner = Partitioner::Crc32);
        assert!(
            partitioner.contains("[source] partitioner was murmur2 and is crc32"),
            "{partitioner}"
        );
        let partitions = changed(&|now| now.partitions = 4);
        assert!(partitions.contains("was 3 and is 4"), "{partitions}");
        for topic in Topic::ALL {
            let renamed = changed(&|now| {
                now.topics.insert(topic, "other.v1".to_owned());
            });
            let expected = format!(
                "[topics] {} was {} and is other.v1",
                topic.name(),
                topic.default_topic()
            );
            assert!(renamed.contains(&expected), "{renamed}");
        }
    }

    #[test]
    fn k44_days_of_another_zone_are_not_read() {
        assert!(
            identity()
                .require_zone(Zone(chrono_tz::Asia::Shanghai))
                .is_ok()
        );
        let other = identity().require_zone(Zone(chrono_tz::Asia::Tokyo));
        assert_eq!(
            other.map_err(|error| error.kind()),
            Err(ErrorKind::Incompatible)
        );
    }
}
