//! A record that leaves with an epoch, and how it is cut where its topic does not take the whole.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::kafka::{Header, header_text};

/// Headers that Vitrine sets begin like this. Those of a dead letter's record that do so too are renamed.
const OWN_PREFIX: &[u8] = b"vitrine-";
const RENAMED_PREFIX: &[u8] = b"original-";
/// Says what was cut: JSON.
const CUT_HEADER: &str = "vitrine-cut";
/// Room that is kept for that header.
const CUT_HEADER_BYTES: usize = 200;
/// What surrounds a record on its way: 61 bytes of its batch, lengths, attributes.
const FRAME_BYTES: usize = 128;
/// What surrounds a header.
const HEADER_FRAME_BYTES: usize = 10;
/// Where the whole of a record that is cut stands.
const WHOLE: &str = "ops.dead_letters";

/// A record to be sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRecord {
    pub topic: String,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// Name and value of each, in their order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// Whether a part of it is of use: a rejected record may be cut, a row of a feed may not.
    pub may_be_cut: bool,
}

/// Shows sizes only: that of a dead letter holds personal data.
impl fmt::Debug for SinkRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkRecord")
            .field("topic", &self.topic)
            .field("key_len", &self.key.as_ref().map(Bytes::len))
            .field("value_len", &self.value.as_ref().map(Bytes::len))
            .field("headers", &self.headers.len())
            .field("may_be_cut", &self.may_be_cut)
            .finish()
    }
}

/// What was cut of a record, with its sizes before that.
#[derive(Default, Serialize)]
struct Cut {
    /// Headers that are left out, and how many bytes they had together.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_bytes: Option<usize>,
    whole: &'static str,
}

impl SinkRecord {
    /// The headers of a rejected record, with the names changed that look like ours, and ours behind them.
    pub(crate) fn with_own_headers<'h>(
        foreign: impl IntoIterator<Item = &'h (Bytes, Option<Bytes>)>,
        own: impl IntoIterator<Item = (&'h str, String)>,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        let renamed = foreign.into_iter().map(|(name, value)| {
            let name = if is_own(name) {
                [RENAMED_PREFIX, name].concat().into()
            } else {
                name.clone()
            };
            (name, value.clone())
        });
        let own = own.into_iter().map(|(name, value)| {
            let name = [OWN_PREFIX, name.as_bytes()].concat().into();
            (name, Some(value.into()))
        });
        renamed.chain(own).collect()
    }

    /// Bytes that it takes in its topic, or a few less than that.
    pub(super) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(header_size).sum();
        FRAME_BYTES + length(&self.key) + length(&self.value) + headers
    }

    /// The record as far as `limit` bytes hold it; `None` where they do not and nothing may be cut, or too little can be.
    ///
    /// Half of the room is kept for the value and a quarter for the key, as far as they need it. Foreign headers take what is left: of
    /// them the largest are left out first. Then the value is cut to a prefix that fills the record, then the key.
    pub(super) fn fitted(&self, limit: usize) -> Option<Cow<'_, Self>> {
        if self.size() <= limit {
            return Some(Cow::Borrowed(self));
        }
        if !self.may_be_cut {
            return None;
        }
        let own = self.headers.iter().filter(|(name, _)| is_own(name));
        let own: usize = own.map(header_size).sum();
        let room = limit.checked_sub(FRAME_BYTES + CUT_HEADER_BYTES + own)?;
        let (value, key) = (length(&self.value), length(&self.key));
        let reserved = value.min(room / 2) + key.min(room / 4);
        let (left_out, headers) = self.headers_beyond(room - reserved);
        let room = room - headers;
        let key_room = key.min(room - value.min(room / 2));
        let value_room = value.min(room - key_room);
        let foreign = left_out.iter().map(|index| &self.headers[*index]);
        let foreign: usize = foreign
            .map(|(name, value)| name.len() + length(value))
            .sum();
        let cut = Cut {
            headers: (!left_out.is_empty()).then_some(left_out.len()),
            headers_bytes: (!left_out.is_empty()).then_some(foreign),
            key_bytes: (key_room < key).then_some(key),
            value_bytes: (value_room < value).then_some(value),
            whole: WHOLE,
        };
        let kept = self.headers.iter().enumerate();
        let kept = kept.filter(|(index, _)| !left_out.contains(index));
        let note = serde_json::to_string(&cut).unwrap_or_default();
        let note = (Bytes::from_static(CUT_HEADER.as_bytes()), Some(note.into()));
        Some(Cow::Owned(Self {
            topic: self.topic.clone(),
            key: prefix(&self.key, key_room),
            value: prefix(&self.value, value_room),
            headers: kept
                .map(|(_, header)| header.clone())
                .chain([note])
                .collect(),
            may_be_cut: true,
        }))
    }

    /// Which foreign headers go so that the others fit into `room`, and what those take.
    fn headers_beyond(&self, room: usize) -> (BTreeSet<usize>, usize) {
        let foreign = self.headers.iter().enumerate();
        let mut foreign: Vec<(usize, usize)> = foreign
            .filter(|(_, (name, _))| !is_own(name))
            .map(|(index, header)| (header_size(header), index))
            .collect();
        let mut total: usize = foreign.iter().map(|(size, _)| size).sum();
        foreign.sort_by_key(|(size, index)| (Reverse(*size), *index));
        let mut left_out = BTreeSet::new();
        for (size, index) in foreign {
            if total <= room {
                break;
            }
            total -= size;
            left_out.insert(index);
        }
        (left_out, total)
    }

    /// Which record it is, for a person: where a dead letter came from, or the number of a feed's record. Neither key nor value,
    /// which may hold personal data.
    pub(super) fn place(&self) -> String {
        let header = |name: &str| header_text(&self.headers, name);
        let input = header("vitrine-topic")
            .zip(header("vitrine-partition"))
            .zip(header("vitrine-offset"));
        match (input, header("sequence")) {
            (Some(((topic, partition), offset)), _) => format!("{topic}/{partition}/{offset}"),
            (None, Some(sequence)) => format!("{}/{sequence}", self.topic),
            (None, None) => self.topic.clone(),
        }
    }
}

fn is_own(name: &[u8]) -> bool {
    name.starts_with(OWN_PREFIX)
}

fn length(bytes: &Option<Bytes>) -> usize {
    bytes.as_ref().map_or(0, Bytes::len)
}

pub(super) fn header_size((name, value): &Header) -> usize {
    HEADER_FRAME_BYTES + name.len() + length(value)
}

fn prefix(bytes: &Option<Bytes>, room: usize) -> Option<Bytes> {
    let bytes = bytes.as_ref()?;
    Some(bytes.slice(..room.min(bytes.len())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
