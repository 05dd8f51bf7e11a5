//! A simulated record: its bytes and what the simulator knows about it.

use std::cmp::Ordering;

use schemas::event::{Reason, Topic};
use schemas::time::TimestampMs;

use super::verdict::EventId;

/// A record that has not reached its log yet.
#[derive(Clone)]
pub(crate) struct SimulatedRecord {
    pub topic: Topic,
    pub event_type: &'static str,
    pub partition: u32,
    pub key: Box<str>,
    pub event_id: EventId,
    pub occurred_at: TimestampMs,
    pub arrives_at: TimestampMs,
    pub payload: Box<[u8]>,
    /// Fault injection is off or has already processed it.
    pub is_settled: bool,
    /// Why it is a dead letter, if it is one.
    pub flaw: Option<Reason>,
    /// Order of posting breaks ties of arrival.
    pub number: u64,
}

impl SimulatedRecord {
    fn order(&self) -> (TimestampMs, u64) {
        (self.arrives_at, self.number)
    }
}

impl Ord for SimulatedRecord {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for SimulatedRecord {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SimulatedRecord {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for SimulatedRecord {}

/// The text of a UUID, without an allocation.
pub(crate) struct UuidText([u8; 36]);

impl UuidText {
    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The canonical text of an id: lower case, with hyphens.
pub(crate) fn uuid_text(id: &EventId) -> UuidText {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in id.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    UuidText(text)
}
