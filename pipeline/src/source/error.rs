//! Errors that several sources give.

use crate::error::{Error, ErrorKind};
use crate::kafka::TopicPartition;

/// The log does not hold `offset`; `[first, end]` is where it begins and ends now, as far as that is known.
pub(super) fn out_of_range(
    input: &TopicPartition,
    offset: i64,
    [first, end]: [Option<i64>; 2],
) -> Error {
    let TopicPartition { topic, partition } = input;
    let known =
        |offset: Option<i64>| offset.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
    Error::new(
        ErrorKind::EventsMissing,
        format!(
            "events are missing upstream topic={topic} partition={partition} wanted_offset={offset} first_offset={} \
             end_offset={}: retention passed them or the topic was created anew; nothing has been skipped. Replay into a new \
             storage, or set [source] on_missing = \"earliest\" to accept the loss",
            known(first),
            known(end)
        ),
    )
}

/// The source has ended or failed before.
pub(super) fn stopped() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the reading thread has ended: close the source and open it again",
    )
}
