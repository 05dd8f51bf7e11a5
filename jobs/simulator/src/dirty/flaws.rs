//! Flaws that make a record a dead record, one for each reason of K3 that a file can hold.

use crate::days::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};
use crate::random::RandomGenerator;
use crate::record::SimulatedRecord;

/// Rates, per million clean records.
pub(super) const FLAWS: [(u32, Flaw); 10] = [
    (150, Flaw::TooLarge),
    (280, Flaw::InvalidUtf8),
    (300, Flaw::Tombstone),
    (1_000, Flaw::MalformedJson),
    (900, Flaw::MissingField),
    (200, Flaw::UnsupportedSchemaVersion),
    (200, Flaw::UnknownEventType),
    (900, Flaw::BadValue),
    (500, Flaw::FutureDated),
    (300, Flaw::MisplacedKey),
];

/// A way to be a dead record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    TooLarge,
    InvalidUtf8,
    Tombstone,
    MalformedJson,
    MissingField,
    UnsupportedSchemaVersion,
    UnknownEventType,
    BadValue,
    FutureDated,
    MisplacedKey,
}

/// A record of a megabyte is enough to show the limit; more of them would only fill the disk.
const MOST_TOO_LARGE: u32 = 3;
/// `[limits] max_record_bytes` by default (contract 2).
const MAX_RECORD_BYTES: usize = 1_048_576;
/// `[time] max_future_skew` by default (contract 2).
const MAX_FUTURE_SKEW_MS: i64 = 5 * MINUTE_MS;
/// 1999-12-31T23:59:59.999Z, before anything counts as an instant (K4).
const LAST_CENTURY_MS: &str = "946684799999";
/// 2099-01-01T00:00:00Z.
const YEAR_2099_MS: i64 = 4_070_908_800_000;

/// Chooses flaws by their rates.
#[derive(Default)]
pub(super) struct Flaws {
    too_large: u32,
}

impl Flaws {
    /// The first flaw whose share of the roll is hit.
    pub fn choose(&mut self, mut falls_in: impl FnMut(u32) -> bool) -> Option<Flaw> {
        let (_, flaw) = *FLAWS.iter().find(|(rate, _)| falls_in(*rate))?;
        if flaw == Flaw::TooLarge {
            self.too_large += 1;
            return (self.too_large <= MOST_TOO_LARGE).then_some(flaw);
        }
        Some(flaw)
    }
}

impl Flaw {
    /// K3.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Tombstone => "tombstone",
            Self::MalformedJson => "malformed_json",
            Self::MissingField => "missing_field",
            Self::UnsupportedSchemaVersion => "unsupported_schema_version",
            Self::UnknownEventType => "unknown_event_type",
            Self::BadValue => "bad_value",
            Self::FutureDated => "future_dated",
            Self::MisplacedKey => "misplaced_key",
        }
    }

    /// Breaks the record; false where this flaw does not fit it.
    pub fn inflict(
        self,
        record: &mut SimulatedRecord,
        partitions: u32,
        random: &mut RandomGenerator,
    ) -> bool {
        let payload = &mut record.payload;
        match self {
            Self::TooLarge => {
                let padding = "x".repeat(MAX_RECORD_BYTES);
                insert_first(payload, &format!("\"trace_id\":\"{padding}\","));
                true
            }
            Self::InvalidUtf8 => {
                replace_value(payload, "source", "\"\u{1}\"") && {
                    // A byte that no UTF-8 text holds, in place of the marker just set.
                    payload
                        .iter_mut()
                        .filter(|b| **b == 1)
                        .for_each(|b| *b = 0xff);
                    true
                }
            }
            Self::Tombstone => {
                *payload = b"null".as_slice().into();
                true
            }
            Self::MalformedJson => {
                break_syntax(payload, random);
                true
            }
            Self::MissingField => break_presence(record, random),
            Self::UnsupportedSchemaVersion => replace_value(payload, "schema_version", "2"),
            Self::UnknownEventType => replace_value(payload, "event_type", "\"order.teleported\""),
            Self::BadValue => break_value(record, random),
            Self::FutureDated => {
                // Only steps without observed instants may leap far: an instant 31 days back is a bad value first (K4).
                let leaps = matches!(
                    record.event_type,
                    "order.confirmed" | "order.dispatched" | "case.resolved"
                );
                let occurred_at = if leaps && random.permille(300) {
                    YEAR_2099_MS
                } else {
                    record.arrives_at + MAX_FUTURE_SKEW_MS + random.between(SECOND_MS, 3 * DAY_MS)
                };
                replace_value(payload, "occurred_at", &occurred_at.to_string())
            }
            Self::MisplacedKey => {
                let others = partitions - 1;
                if others == 0 || !record.topic.is_keyed() {
                    return false;
                }
                record.partition = (record.partition + 1 + random.below(others)) % partitions;
                true
            }
        }
    }
}

fn break_syntax(payload: &mut Box<[u8]>, random: &mut RandomGenerator) {
    match random.below(6) {
        0 => *payload = payload[..payload.len() / 2].into(),
        1 => *payload = [].into(),
        2 => insert_first(payload, "\"schema_version\":1,"),
        3 => *payload = [b"[", &payload[..], b"]"].concat().into(),
        4 => *payload = [&payload[..], b"}"].concat().into(),
        _ => {
            replace_value(payload, "schema_version", "NaN");
        }
    }
}

fn break_presence(record: &mut SimulatedRecord, random: &mut RandomGenerator) -> bool {
    let payload = &mut record.payload;
    match random.below(6) {
        0 => rename(payload, "event_id"),
        1 => rename(payload, "occurred_at"),
        2 => rename(payload, "recorded_at"),
        3 => replace_value(payload, "event_type", "null"),
        4 => required_field(record.event_type)
            .is_some_and(|field| rename(&mut record.payload, field)),
        _ => {
            let id = if record.topic.is_keyed() {
                "customer_id"
            } else {
                "sku_id"
            };
            replace_value(payload, id, "null") || replace_value(payload, "staff_id", "null")
        }
    }
}

/// A field that contract 3 requires of a type, beside the envelope and the key.
fn required_field(event_type: &str) -> Option<&'static str> {
    match event_type {
        "price.list_set" | "price.observed" => Some("price_fen"),
        "visit.info_collected" => Some("collection_id"),
        "visit.planned" | "visit.started" | "visit.completed" => Some("visit_id"),
        _ if event_type.starts_with("order.") => Some("order_id"),
        _ if event_type.starts_with("case.") => Some("case_id"),
        _ if event_type.starts_with("survey.") => Some("survey_id"),
        _ if event_type.starts_with("promise.") => Some("promise_id"),
        _ => None,
    }
}

fn break_value(record: &mut SimulatedRecord, random: &mut RandomGenerator) -> bool {
    let payload = &mut record.payload;
    let arrives_at = record.arrives_at;
    let special = match record.event_type {
        "order.placed" => replace_value(payload, "requested_qty", "-3"),
        "order.delivered" => replace_value(payload, "delivered_qty", "1.5"),
        "order.settled" => replace_value(payload, "amount_fen", "\"1200\""),
        "visit.info_collected" => replace_value(payload, "qty", "-1"),
        "price.observed" | "price.list_set" => replace_value(payload, "price_fen", "-100"),
        "survey.answered" => replace_value(payload, "score", "6"),
        "case.opened" => {
            let ahead = arrives_at + MAX_FUTURE_SKEW_MS + HOUR_MS;
            replace_value(payload, "received_at", &ahead.to_string())
        }
        "case.call_ended" => {
            let long_ago = record.occurred_at - 32 * DAY_MS;
            replace_value(payload, "call_ended_at", &long_ago.to_string())
        }
        _ => false,
    };
    special
        || match random.below(3) {
            0 => replace_value(payload, "occurred_at", LAST_CENTURY_MS),
            1 => replace_value(payload, "occurred_at", "\"yesterday\""),
            _ => replace_value(payload, "recorded_at", "1.5"),
        }
}

/// Replaces the first occurrence of `former`, if there is one.
pub(super) fn replace_once(payload: &mut Box<[u8]>, former: &str, latter: &str) {
    if let Some(at) = find(payload, former.as_bytes()) {
        *payload = [
            &payload[..at],
            latter.as_bytes(),
            &payload[at + former.len()..],
        ]
        .concat()
        .into();
    }
}

/// Replaces the value of the first field of this name, a scalar; false if there is none.
pub(super) fn replace_value(payload: &mut Box<[u8]>, field: &str, value: &str) -> bool {
    let name = format!("\"{field}\":");
    let Some(at) = find(payload, name.as_bytes()) else {
        return false;
    };
    let start = at + name.len();
    // No text that the simulator writes into a scalar it breaks holds a comma or a brace.
    let length = payload[start..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'}'))
        .unwrap_or(0);
    *payload = [
        &payload[..start],
        value.as_bytes(),
        &payload[start + length..],
    ]
    .concat()
    .into();
    true
}

/// Gives the first field of this name a name that nobody looks for; false if there is none.
fn rename(payload: &mut Box<[u8]>, field: &str) -> bool {
    let name = format!("\"{field}\":");
    let found = find(payload, name.as_bytes()).is_some();
    replace_once(payload, &name, &format!("\"lost_{field}\":"));
    found
}

/// Puts a text right after the opening brace.
fn insert_first(payload: &mut Box<[u8]>, text: &str) {
    *payload = [b"{", text.as_bytes(), &payload[1..]].concat().into();
}

fn find(payload: &[u8], text: &[u8]) -> Option<usize> {
    payload
        .windows(text.len())
        .position(|window| window == text)
}
