//! Whether a topic is the one that is read, with the partitions it may have. Pure.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{TopicDescription, TopicId};

/// How many partitions a topic has, and whether it may have more one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTopic {
    pub name: String,
    pub partitions: u32,
    /// New partitions are read; otherwise they end the source (K38).
    pub may_grow: bool,
}

/// A topic as it is being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadTopic {
    pub expected: ExpectedTopic,
    pub id: Option<TopicId>,
}

impl ReadTopic {
    /// Partitions of it that nobody reads yet. Fails where it is another topic, or has grown and may not.
    ///
    /// Fewer partitions under the same id are a broker's that has not heard of the newest yet.
    pub(super) fn compare(&self, now: &TopicDescription) -> Result<Range<u32>> {
        let ExpectedTopic {
            name,
            partitions,
            may_grow,
        } = &self.expected;
        if let (Some(before), Some(now)) = (self.id, now.id)
            && before != now
        {
            return Err(recreated(name, before, now));
        }
        if now.partitions > *partitions && !may_grow {
            return Err(grown(name, *partitions, now.partitions));
        }
        Ok(*partitions..now.partitions.max(*partitions))
    }
}

/// The topic of the name is not the one that was read.
pub(super) fn recreated(topic: &str, before: TopicId, now: TopicId) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "topic was deleted and created anew topic={topic} topic_id={now} read_before={before}: its offsets count other events now, \
             and what was not read of the former topic is lost; nothing has been skipped. Replay into a new storage, or start again with \
             [source] on_missing = \"earliest\" to read the new topic from its beginning into this one"
        ),
    )
}

fn grown(topic: &str, partitions: u32, now: u32) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "partitions were added topic={topic} partitions={now} before={partitions}: keys hash to other partitions now, so the \
             history of a customer would be split; nothing has been read from the new ones. Replay all events into a new storage \
             (an empty [storage] url)"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn topic(may_grow: bool, id: u128) -> ReadTopic {
        ReadTopic {
            expected: ExpectedTopic {
                name: "orders.v1".to_owned(),
                partitions: 3,
                may_grow,
            },
            id: TopicId::of_bits(id),
        }
    }

    fn now(partitions: u32, id: u128) -> TopicDescription {
        TopicDescription {
            id: TopicId::of_bits(id),
            partitions,
        }
    }

    #[test]
    fn f16_another_id_is_another_topic_and_no_id_says_nothing() {
        for (before, id) in [(7, 7), (0, 7), (7, 0), (0, 0)] {
            assert_eq!(topic(false, before).compare(&now(3, id)).unwrap(), 3..3);
        }
        let error = topic(true, 7).compare(&now(3, 8)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let said = error.to_string();
        let ids = [7, 8].map(|id| TopicId::of_bits(id).unwrap().to_string());
        assert!(said.contains("topic=orders.v1"), "{said}");
        assert!(said.contains(&ids[0]) && said.contains(&ids[1]), "{said}");
    }

    #[test]
    fn k38_only_a_topic_that_may_grow_grows() {
        assert_eq!(topic(true, 7).compare(&now(5, 7)).unwrap(), 3..5);
        let error = topic(false, 7).compare(&now(5, 7)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let said = error.to_string();
        assert!(said.contains("partitions=5 before=3"), "{said}");
    }

    #[test]
    fn a_broker_that_is_behind_takes_no_partition_away() {
        for may_grow in [false, true] {
            assert_eq!(topic(may_grow, 7).compare(&now(2, 7)).unwrap(), 3..3);
        }
    }
}
