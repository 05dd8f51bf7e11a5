//! Flaws that make a record a dead letter, one for each reason of K3 that a file can contain.

use schemas::event::Reason;
use schemas::time::{DurationMs, TimestampMs};

use crate::random::RandomGenerator;
use crate::record::SimulatedRecord;

/// Rates, per million clean records.
pub(super) const FLAWS: [(u32, Reason); 10] = [
    (150, Reason::TooLarge),
    (280, Reason::InvalidUtf8),
    (300, Reason::Tombstone),
    (1_000, Reason::MalformedJson),
    (900, Reason::MissingField),
    (200, Reason::UnsupportedSchemaVersion),
    (200, Reason::UnknownEventType),
    (900, Reason::BadValue),
    (500, Reason::FutureDated),
    (300, Reason::MisplacedKey),
];

/// Most records over the size limit in a run: they take a megabyte each.
const MOST_TOO_LARGE: u32 = 3;
/// `[limits] max_record_bytes` by default (contract 2).
const MAX_RECORD_BYTES: usize = 1_048_576;
/// `[time] max_future_skew` by default (contract 2).
const MAX_FUTURE_SKEW: DurationMs = DurationMs::from_minutes(5);
/// 1999-12-31T23:59:59.999Z, a millisecond before the first valid instant (K4).
const BEFORE_2000: TimestampMs = TimestampMs::from_ms(946_684_799_999);
/// 2099-01-01T00:00:00Z.
const YEAR_2099: TimestampMs = TimestampMs::from_ms(4_070_908_800_000);

/// Chooses flaws by their rates.
#[derive(Default)]
pub(super) struct Flaws {
    too_large: u32,
}

impl Flaws {
    /// The first flaw whose share the roll falls in.
    pub(super) fn choose(&mut self, mut falls_in: impl FnMut(u32) -> bool) -> Option<Reason> {
        let (_, flaw) = *FLAWS.iter().find(|(rate, _)| falls_in(*rate))?;
        if flaw == Reason::TooLarge {
            self.too_large += 1;
            return (self.too_large <= MOST_TOO_LARGE).then_some(flaw);
        }
        Some(flaw)
    }
}

/// Damages the record so that it is a dead letter for this reason; false if that does not apply to it.
pub(super) fn damage(
    record: &mut SimulatedRecord,
    reason: Reason,
    partitions: u32,
    random: &mut RandomGenerator,
) -> bool {
    let payload = &mut record.payload;
    match reason {
        Reason::TooLarge => {
            let padding = "x".repeat(MAX_RECORD_BYTES);
            insert_first(payload, &format!("\"trace_id\":\"{padding}\","));
            true
        }
        Reason::InvalidUtf8 => {
            replace_value(payload, "source", "\"\u{1}\"") && {
                // Replaces the marker just set by a byte that no UTF-8 text contains.
                payload
                    .iter_mut()
                    .filter(|b| **b == 1)
                    .for_each(|b| *b = 0xff);
                true
            }
        }
        Reason::Tombstone => {
            *payload = b"null".as_slice().into();
            true
        }
        Reason::MalformedJson => {
            damage_syntax(payload, random);
            true
        }
        Reason::MissingField => remove_required_field(record, random),
        Reason::UnsupportedSchemaVersion => replace_value(payload, "schema_version", "2"),
        Reason::UnknownEventType => replace_value(payload, "event_type", "\"order.teleported\""),
        Reason::BadValue => damage_value(record, random),
        Reason::FutureDated => {
            // Only event types without observed instants may move far: others would be a `bad_value` first (K4).
            let may_move_far = matches!(
                record.event_type,
                "order.confirmed" | "order.dispatched" | "case.resolved"
            );
            let occurred_at = if may_move_far && random.permille(300) {
                YEAR_2099
            } else {
                let beyond = random.duration(DurationMs::SECOND, DurationMs::from_days(3));
                record.arrives_at + MAX_FUTURE_SKEW + beyond
            };
            replace_instant(payload, "occurred_at", occurred_at)
        }
        Reason::MisplacedKey => {
            let others = partitions - 1;
            if others == 0 || !record.topic.is_keyed() {
                return false;
            }
            record.partition = (record.partition + 1 + random.below(others)) % partitions;
            true
        }
        // The keys of a file are the ids in its payloads (K1).
        Reason::KeyMismatch => false,
    }
}

fn damage_syntax(payload: &mut Box<[u8]>, random: &mut RandomGenerator) {
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

fn remove_required_field(record: &mut SimulatedRecord, random: &mut RandomGenerator) -> bool {
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

/// A field that contract 3 requires of an event type, beside the envelope and the key.
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

fn damage_value(record: &mut SimulatedRecord, random: &mut RandomGenerator) -> bool {
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
            let ahead = arrives_at + MAX_FUTURE_SKEW + DurationMs::HOUR;
            replace_instant(payload, "received_at", ahead)
        }
        "case.call_ended" => {
            let long_ago = record.occurred_at - DurationMs::from_days(32);
            replace_instant(payload, "call_ended_at", long_ago)
        }
        _ => false,
    };
    special
        || match random.below(3) {
            0 => replace_instant(payload, "occurred_at", BEFORE_2000),
            1 => replace_value(payload, "occurred_at", "\"yesterday\""),
            _ => replace_value(payload, "recorded_at", "1.5"),
        }
}

/// Replaces the first occurrence of `old`, if there is one.
pub(super) fn replace_once(payload: &mut Box<[u8]>, old: &str, new: &str) {
    if let Some(at) = find(payload, old.as_bytes()) {
        *payload = [&payload[..at], new.as_bytes(), &payload[at + old.len()..]]
            .concat()
            .into();
    }
}

/// Replaces the value, a scalar, of the first field of this name; false if there is none.
pub(super) fn replace_value(payload: &mut Box<[u8]>, field: &str, value: &str) -> bool {
    let name = format!("\"{field}\":");
    let Some(at) = find(payload, name.as_bytes()) else {
        return false;
    };
    let start = at + name.len();
    // None of the scalars replaced here contains a comma or a brace.
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

fn replace_instant(payload: &mut Box<[u8]>, field: &str, at: TimestampMs) -> bool {
    replace_value(payload, field, &at.as_ms().to_string())
}

/// Renames the first field of this name to an unknown one; false if there is none.
fn rename(payload: &mut Box<[u8]>, field: &str) -> bool {
    let name = format!("\"{field}\":");
    let found = find(payload, name.as_bytes()).is_some();
    replace_once(payload, &name, &format!("\"lost_{field}\":"));
    found
}

/// Inserts a text after the opening brace.
fn insert_first(payload: &mut Box<[u8]>, text: &str) {
    *payload = [b"{", text.as_bytes(), &payload[1..]].concat().into();
}

fn find(payload: &[u8], text: &[u8]) -> Option<usize> {
    payload
        .windows(text.len())
        .position(|window| window == text)
}
