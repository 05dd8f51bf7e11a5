//! What a source hands to a shard.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::identity::InputIdentity;
use crate::kafka::{Header, TopicPartition};

/// What is kept of a payload that is too large: enough to tell whose it is, and too little to be felt.
pub(super) const PREFIX_BYTES: usize = 4_096;

/// How much of a payload of `len` bytes is kept, where one of `max` bytes is kept whole.
pub(super) fn kept_bytes(len: usize, max: usize) -> usize {
    if len > max {
        len.min(PREFIX_BYTES)
    } else {
        len
    }
}

/// Where reading of one input begins: `offset` is the next offset to read.
///
/// An input of which nothing is sealed yet and that begins at 0 begins where its log does today: what has passed its retention
/// before the first start is reported and passed over. Any other offset must exist (or be the end), and the input must be
/// the one that was sealed, else reading stops with [`ErrorKind::EventsMissing`](crate::error::ErrorKind::EventsMissing).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub input: TopicPartition,
    pub offset: i64,
    /// What was read below `offset`; `None` where nothing is sealed yet.
    pub sealed: Option<InputIdentity>,
}

impl Start {
    /// The beginning of an input of which nothing is sealed, or `offset` of one whose identity nobody has noted.
    pub fn new(input: TopicPartition, offset: i64) -> Self {
        Self {
            input,
            offset,
            sealed: None,
        }
    }

    /// Where a seal says that the input stands.
    pub fn sealed(input: TopicPartition, offset: i64, identity: InputIdentity) -> Self {
        Self {
            input,
            offset,
            sealed: Some(identity),
        }
    }

    /// Whether it may begin wherever the log does.
    pub(crate) fn is_first(&self) -> bool {
        self.offset == 0 && self.sealed.is_none()
    }
}

/// Who set the timestamp of a record; decides which skew rule applies (K5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimestampKind {
    /// The source has none (files, very old brokers).
    None,
    /// The producer, at the moment of sending.
    CreateTime,
    /// The broker, at the moment of appending.
    LogAppendTime,
}

/// One record as it came, not yet decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Index into the starts the source was opened with.
    pub input: usize,
    /// Kafka offset, or the number of the line (from 0).
    pub offset: i64,
    /// `None` for a null key, and always for files: there the payload's id is the key (K1).
    pub key: Option<Bytes>,
    /// `None` for a tombstone (K2). Of a payload that is longer than the source keeps whole only the first
    /// 4,096 bytes: it is too large (K3) whatever it holds, and nobody has to hold a line without an end.
    pub payload: Option<Bytes>,
    /// Bytes of the payload as it came; 0 for a tombstone.
    pub payload_len: u64,
    /// In the years 1970 to 9999.
    pub timestamp: Option<TimestampMs>,
    pub timestamp_kind: TimestampKind,
    /// Name and value of each, in their order; both are any bytes.
    pub headers: Vec<Header>,
}

impl Record {
    /// Bytes that are held for it: key, payload and headers as far as they are kept.
    pub fn held_bytes(&self) -> usize {
        content_bytes(&self.key, &self.payload, &self.headers)
    }
}

/// Bytes of a key, a value and headers.
pub(crate) fn content_bytes(
    key: &Option<Bytes>,
    value: &Option<Bytes>,
    headers: &[Header],
) -> usize {
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    let of_headers = headers
        .iter()
        .map(|(name, value)| name.len() + length(value));
    length(key) + length(value) + of_headers.sum::<usize>()
}

/// Shows sizes only: payloads, keys and headers may hold personal data, and a `{:?}` ends up in logs.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("input", &self.input)
            .field("offset", &self.offset)
            .field("key_len", &self.key.as_ref().map(Bytes::len))
            .field("payload_len", &self.payload_len)
            .field("tombstone", &self.payload.is_none())
            .field("timestamp", &self.timestamp)
            .field("timestamp_kind", &self.timestamp_kind)
            .field("headers", &self.headers.len())
            .finish()
    }
}

/// One thing that happened on an input, in order within that input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Record(Record),
    /// The input has been read to its end, or is still there.
    End {
        input: usize,
        /// Everything below has been read. May lie above the last record's offset + 1: transaction markers take offsets.
        next_offset: i64,
        /// When that was known to be true, on the monotonic clock; live time counts from here.
        at: Instant,
    },
    /// Something about the input itself.
    News {
        input: usize,
        news: InputNews,
    },
}

/// See [`Item::News`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputNews {
    /// There is one more input, behind those the source was opened with: a partition that has appeared since.
    Appeared(TopicPartition),
    /// What has been handed over of the input so far is of this one.
    Identified(InputIdentity),
    /// The offsets from `from` up to and without `to` are not in the log any more and are passed over; reading goes on at `to`.
    Missing { from: i64, to: i64 },
}

impl Item {
    /// Index of the input this is about.
    pub fn input(&self) -> usize {
        match self {
            Self::Record(record) => record.input,
            Self::End { input, .. } | Self::News { input, .. } => *input,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::fixture::at;

    #[test]
    fn debug_of_a_record_shows_no_content() {
        let record = Record {
            input: 1,
            offset: 7,
            key: Some(Bytes::from_static(b"13800138000")),
            payload: Some(Bytes::from_static(b"{\"name\":\"Li\"}")),
            payload_len: 13,
            timestamp: Some(at(5)),
            timestamp_kind: TimestampKind::CreateTime,
            headers: vec![("who".into(), Some(Bytes::from_static(b"Li")))],
        };
        let shown = format!("{:?}", Item::Record(record));
        assert!(shown.contains("payload_len: 13"), "{shown}");
        assert!(
            !shown.contains("Li") && !shown.contains("138001"),
            "{shown}"
        );
    }
}
