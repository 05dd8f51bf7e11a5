//! Where an input begins when it is opened. Pure.

use super::topics::recreated;
use crate::error::{Error, ErrorKind, Result};
use crate::kafka::{TopicId, TopicPartition};
use crate::source::error::out_of_range;
use crate::source::{InputIdentity, InputNews, OnMissing, Start};

/// The log of one input as it is now.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogNow {
    pub id: Option<TopicId>,
    pub first: i64,
    pub end: i64,
}

/// Where reading begins, and what of it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub identity: InputIdentity,
    pub offset: i64,
    /// The offset that was wanted, where it is not there any more.
    pub wanted: Option<i64>,
}

impl Beginning {
    /// What the shard learns before the first record.
    pub(super) fn news(&self) -> Vec<InputNews> {
        let to = self.offset;
        let missing = self.wanted.map(|from| InputNews::Missing { from, to });
        [InputNews::Identified(self.identity)]
            .into_iter()
            .chain(missing)
            .collect()
    }
}

impl LogNow {
    fn identity(&self) -> InputIdentity {
        self.id.map_or(InputIdentity::Unknown, InputIdentity::Topic)
    }

    /// Where an input begins. Fails where events that were not read are gone and the policy is to stop.
    ///
    /// Offsets that hold no record (markers of transactions, records that were aborted) are within the log, so a start there
    /// loses nothing; nor does one at the end of a log that is empty by now.
    pub(super) fn begin(&self, start: &Start, on_missing: OnMissing) -> Result<Beginning> {
        let identity = self.identity();
        let restart = Beginning {
            identity,
            offset: self.first,
            wanted: Some(start.offset),
        };
        let error = match self.loss(start) {
            None => {
                return Ok(Beginning {
                    identity,
                    offset: start.offset,
                    wanted: None,
                });
            }
            Some(_) if start.is_first() => return Ok(restart),
            Some(error) => error,
        };
        match on_missing {
            OnMissing::Fail => Err(error),
            OnMissing::Earliest => Ok(restart),
        }
    }

    /// What keeps reading from going on where it ended.
    fn loss(&self, start: &Start) -> Option<Error> {
        let topic = &start.input.topic;
        match (start.sealed, self.id) {
            (Some(InputIdentity::Topic(before)), Some(now)) if before != now => {
                return Some(recreated(topic, before, now));
            }
            (Some(InputIdentity::Lines(_)), _) => return Some(read_from_files(&start.input)),
            _ => {}
        }
        let is_there = (self.first..=self.end).contains(&start.offset);
        let available = [Some(self.first), Some(self.end)];
        (!is_there).then(|| out_of_range(&start.input, start.offset, available))
    }
}

fn read_from_files(input: &TopicPartition) -> Error {
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "this storage has read event files, its line numbers are no offsets input={input}: set [source] kind = \"files\" again, or \
             replay into a new storage"
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const OLD: u128 = 7;

    fn id(bits: u128) -> Option<TopicId> {
        TopicId::of_bits(bits)
    }

    fn sealed(offset: i64) -> Start {
        let input = TopicPartition::new("orders.v1", 0);
        Start::sealed(input, offset, InputIdentity::Topic(id(OLD).unwrap()))
    }

    fn log(id: Option<TopicId>, first: i64, end: i64) -> LogNow {
        LogNow { id, first, end }
    }

    /// Where it begins under both policies; `None` where it stops.
    fn begins(log: LogNow, start: &Start) -> [Option<i64>; 2] {
        [OnMissing::Fail, OnMissing::Earliest].map(|policy| {
            let begun = log.begin(start, policy);
            if let Err(error) = &begun {
                assert_eq!(error.kind(), ErrorKind::EventsMissing);
            }
            begun.ok().map(|begun| begun.offset)
        })
    }

    #[test]
    fn f16_an_offset_that_is_there_is_gone_on_from() {
        for (first, end) in [(0, 10), (10, 10), (10, 20), (4, 11)] {
            let same = log(id(OLD), first, end);
            assert_eq!(begins(same, &sealed(10)), [Some(10); 2], "{first}..{end}");
        }
        assert_eq!(begins(log(None, 0, 10), &sealed(10)), [Some(10); 2]);
    }

    #[test]
    fn f16_records_that_have_passed_before_they_were_read_are_missing() {
        assert_eq!(begins(log(id(OLD), 11, 20), &sealed(10)), [None, Some(11)]);
        assert_eq!(begins(log(id(OLD), 0, 9), &sealed(10)), [None, Some(0)]);
        // sealed at the very beginning: nothing was read, and now the first records are gone
        assert_eq!(begins(log(id(OLD), 5, 9), &sealed(0)), [None, Some(5)]);
    }

    #[test]
    fn f16_a_first_start_reads_what_is_left() {
        let first = Start::new(TopicPartition::new("orders.v1", 0), 0);
        let begun = log(id(OLD), 5, 9).begin(&first, OnMissing::Fail).unwrap();
        assert_eq!((begun.offset, begun.wanted), (5, Some(0)));
        let identity = InputNews::Identified(InputIdentity::Topic(id(OLD).unwrap()));
        let missing = InputNews::Missing { from: 0, to: 5 };
        assert_eq!(begun.news(), [identity.clone(), missing]);
        let begun = log(id(OLD), 0, 9).begin(&first, OnMissing::Fail).unwrap();
        assert_eq!((begun.offset, begun.wanted), (0, None));
        assert_eq!(begun.news(), [identity]);
    }

    #[test]
    fn f16_a_topic_made_anew_is_not_gone_on_with_however_long_it_is() {
        for end in [3, 10, 99] {
            assert_eq!(begins(log(id(8), 0, end), &sealed(10)), [None, Some(0)]);
        }
    }
}
