//! Whether a topic is the one that is read, with the partitions it may have. Pure.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{TopicDescription, TopicId, deleted_topic};

/// Answers in a row after which a topic that is said not to exist is gone: a broker may not have heard of it yet.
const GONE_AFTER: u32 = 2;

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
    id: Option<TopicId>,
    /// How often in a row it was said not to exist.
    missed: u32,
}

impl ReadTopic {
    pub(super) fn new(expected: ExpectedTopic, id: Option<TopicId>) -> Self {
        Self {
            expected,
            id,
            missed: 0,
        }
    }

    pub(super) fn id(&self) -> Option<TopicId> {
        self.id
    }

    /// Takes in what is said of it; answers the partitions that nobody reads yet. Fails where it is another topic, is gone, or has
    /// grown and may not.
    ///
    /// Fewer partitions under the same id are a broker's that has not heard of the newest yet. Without ids they may also be those of a
    /// topic made anew, so they count as an answer that it does not exist.
    pub(super) fn compare(&mut self, now: &TopicDescription) -> Result<Range<u32>> {
        let ExpectedTopic {
            name,
            partitions,
            may_grow,
        } = &self.expected;
        let partitions = *partitions;
        if let (Some(before), Some(now)) = (self.id, now.id)
            && before != now
        {
            return Err(recreated(name, before, now));
        }
        if now.partitions < partitions && now.id.is_none() {
            self.note_missing()?;
            return Ok(partitions..partitions);
        }
        if now.partitions > partitions && !may_grow {
            return Err(grown(name, partitions, now.partitions));
        }
        self.missed = 0;
        self.id = self.id.or(now.id);
        Ok(partitions..now.partitions.max(partitions))
    }

    /// It was said not to exist. Fails once that has been said so often in a row that no broker is merely behind.
    pub(super) fn note_missing(&mut self) -> Result<()> {
        self.missed += 1;
        if self.missed < GONE_AFTER {
            return Ok(());
        }
        Err(deleted_topic(&self.expected.name))
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
        let expected = ExpectedTopic {
            name: "orders.v1".to_owned(),
            partitions: 3,
            may_grow,
        };
        ReadTopic::new(expected, TopicId::of_bits(id))
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
            let mut topic = topic(may_grow, 7);
            for _ in 0..3 {
                assert_eq!(topic.compare(&now(2, 7)).unwrap(), 3..3);
            }
        }
    }

    #[test]
    fn f16_a_topic_is_gone_once_that_has_been_said_in_a_row() {
        let mut topic = topic(true, 7);
        for _ in 0..3 {
            topic.note_missing().unwrap();
            assert_eq!(topic.compare(&now(3, 7)).unwrap(), 3..3);
        }
        topic.note_missing().unwrap();
        let error = topic.note_missing().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::EventsMissing);
        let said = error.to_string();
        assert!(
            said.starts_with("topic was deleted topic=orders.v1"),
            "{said}"
        );
    }

    #[test]
    fn f16_without_ids_fewer_partitions_are_another_topic_unless_they_pass() {
        let mut topic = topic(false, 0);
        for _ in 0..3 {
            assert_eq!(topic.compare(&now(2, 0)).unwrap(), 3..3);
            assert_eq!(topic.compare(&now(3, 0)).unwrap(), 3..3);
        }
        topic.compare(&now(2, 0)).unwrap();
        assert!(topic.compare(&now(2, 0)).is_err());
    }
}
