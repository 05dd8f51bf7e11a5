//! P4: every record that was read is accepted, duplicate, dead-lettered or too late; every accepted record is stored.

use std::collections::BTreeMap;
use std::fmt;

use pipeline::decode::TopicSettings;
use pipeline::query::Session;
use serde::{Deserialize, Serialize};

use crate::query;

/// The verdicts on the records of one topic partition, or their sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conservation {
    pub(super) shard: u32,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) read_n: i64,
    pub(super) accepted_n: i64,
    pub(super) duplicate_n: i64,
    pub(super) dead_letter_n: i64,
    pub(super) too_late_n: i64,
    /// Rows of `events.<topic>`.
    #[serde(default)]
    pub(super) stored_n: i64,
}

#[derive(Deserialize)]
struct Stored {
    partition: i32,
    stored_n: i64,
}

/// Totals since the beginning, by topic (under its configured name) and partition.
pub(super) async fn by_partition(
    session: &Session,
    topics: &[TopicSettings],
) -> anyhow::Result<Vec<Conservation>> {
    let sums = [
        "read_n",
        "accepted_n",
        "duplicate_n",
        "dead_letter_n",
        "too_late_n",
    ]
    .map(|column| format!("SUM({column}) AS {column}"))
    .join(", ");
    let totals_of_verdicts = format!(
        "SELECT shard, topic, \"partition\", {sums} FROM ops.conservation \
         GROUP BY shard, topic, \"partition\" ORDER BY shard, topic, \"partition\""
    );
    let mut totals: Vec<Conservation> = query::rows(session, &totals_of_verdicts).await?;
    for TopicSettings { topic, name, .. } in topics {
        let stored_events = format!(
            "SELECT \"partition\", COUNT(*) AS stored_n FROM events.{} GROUP BY \"partition\"",
            topic.name()
        );
        for stored in query::rows::<Stored>(session, &stored_events).await? {
            let known = totals
                .iter_mut()
                .find(|total| total.topic == *name && total.partition == stored.partition);
            match known {
                Some(total) => total.stored_n = stored.stored_n,
                // Events without a count: a difference in itself.
                None => totals.push(Conservation {
                    topic: name.clone(),
                    partition: stored.partition,
                    stored_n: stored.stored_n,
                    ..Conservation::default()
                }),
            }
        }
    }
    Ok(totals)
}

/// The sums of all partitions that a shard accounts for.
pub(super) fn by_shard(partitions: &[Conservation]) -> Vec<Conservation> {
    let mut shards: BTreeMap<u32, Conservation> = BTreeMap::new();
    for one in partitions {
        let sum = shards.entry(one.shard).or_insert_with(|| Conservation {
            shard: one.shard,
            ..Conservation::default()
        });
        sum.read_n += one.read_n;
        sum.accepted_n += one.accepted_n;
        sum.duplicate_n += one.duplicate_n;
        sum.dead_letter_n += one.dead_letter_n;
        sum.too_late_n += one.too_late_n;
        sum.stored_n += one.stored_n;
    }
    shards.into_values().collect()
}

impl Conservation {
    /// Whether no record was lost and none was invented.
    pub(super) fn holds(&self) -> bool {
        let verdicts = self.accepted_n + self.duplicate_n + self.dead_letter_n + self.too_late_n;
        self.read_n == verdicts && self.accepted_n == self.stored_n
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "read {} = accepted {} + duplicate {} + dead letters {} + too late {}; events stored {}",
            self.read_n,
            self.accepted_n,
            self.duplicate_n,
            self.dead_letter_n,
            self.too_late_n,
            self.stored_n
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(shard: u32, partition: i32, accepted_n: i64) -> Conservation {
        Conservation {
            shard,
            topic: "orders.v1".to_owned(),
            partition,
            read_n: accepted_n + 3,
            accepted_n,
            duplicate_n: 1,
            dead_letter_n: 1,
            too_late_n: 1,
            stored_n: accepted_n,
        }
    }

    #[test]
    fn a_lost_and_an_invented_record_are_found() {
        assert!(one(0, 0, 5).holds());
        let lost = Conservation {
            read_n: 9,
            ..one(0, 0, 5)
        };
        assert!(!lost.holds());
        let invented = Conservation {
            stored_n: 6,
            ..one(0, 0, 5)
        };
        assert!(!invented.holds());
    }

    #[test]
    fn a_shard_accounts_for_all_its_partitions() {
        let shards = by_shard(&[one(0, 0, 5), one(0, 4, 2), one(1, 1, 1)]);
        let read: Vec<_> = shards.iter().map(|sum| (sum.shard, sum.read_n)).collect();
        assert_eq!(read, [(0, 13), (1, 4)]);
        assert!(shards.iter().all(Conservation::holds));
    }
}
