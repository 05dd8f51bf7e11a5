//! Which values a kind of field accepts, one value at a time. Rules that compare two fields (observed instants) are in `decode`.

use std::borrow::Cow;
use std::ops::Range;

use chrono::{Datelike, NaiveDate, Weekday};

use super::field::{FieldKind, InstantRule};
use super::slot::Slot;
use crate::time::{DurationMs, TimestampMs};

/// Instants lie in the years 2000 to 9999 (K4).
const INSTANTS: Range<TimestampMs> =
    TimestampMs::from_ms(946_684_800_000)..TimestampMs::from_ms(253_402_300_800_000);

/// Day number of 1970-01-01 in chrono, where Arrow counts from 0.
const DAYS_TO_1970: i64 = 719_163;

pub(super) const UNKNOWN: &str = "UNKNOWN";

pub(super) fn boolean(kind: FieldKind, value: bool) -> Slot<'static> {
    match kind {
        FieldKind::Bool => Slot::Bool(value),
        _ => Slot::Bad,
    }
}

pub(super) fn integer(kind: FieldKind, value: i64) -> Slot<'static> {
    let fits = match kind {
        FieldKind::SchemaVersion => true,
        FieldKind::Qty | FieldKind::Fen | FieldKind::DurationMs => value >= 0,
        FieldKind::U8 => u8::try_from(value).is_ok(),
        FieldKind::U16 => u16::try_from(value).is_ok(),
        FieldKind::U32 => u32::try_from(value).is_ok(),
        FieldKind::Bp => i32::try_from(value).is_ok(),
        FieldKind::Score => (1..=5).contains(&value),
        FieldKind::Instant(_) => INSTANTS.contains(&TimestampMs::from_ms(value)),
        _ => false,
    };
    match kind {
        _ if !fits => Slot::Bad,
        FieldKind::Instant(InstantRule::ToTheMinute) => {
            Slot::Int(value - value % DurationMs::MINUTE.as_ms())
        }
        _ => Slot::Int(value),
    }
}

/// An integer beyond 63 bits is no value of any kind, but still a schema version other than 1.
pub(super) fn unsigned(kind: FieldKind, value: u64) -> Slot<'static> {
    match (i64::try_from(value), kind) {
        (Ok(value), _) => integer(kind, value),
        (Err(_), FieldKind::SchemaVersion) => Slot::Int(i64::MAX),
        (Err(_), _) => Slot::Bad,
    }
}

pub(super) fn text(kind: FieldKind, text: Cow<'_, str>) -> Slot<'_> {
    match kind {
        FieldKind::Id if !text.is_empty() => Slot::Text(text),
        FieldKind::EventId if (1..=64).contains(&text.len()) => Slot::Text(text),
        FieldKind::Label => Slot::Text(text),
        FieldKind::Code if is_code(&text) => Slot::Text(text),
        FieldKind::Code => Slot::Name(UNKNOWN),
        FieldKind::Enum(names) => match names.iter().find(|name| **name == text) {
            Some(name) => Slot::Name(name),
            None if text == UNKNOWN => Slot::Name(UNKNOWN),
            None => Slot::UnknownName(text),
        },
        FieldKind::Date => match date(&text) {
            Some(date) => Slot::Int(i64::from(date.num_days_from_ce()) - DAYS_TO_1970),
            None => Slot::Bad,
        },
        FieldKind::Month if is_month(&text) => Slot::Text(text),
        FieldKind::IsoWeek if is_iso_week(&text) => Slot::Text(text),
        FieldKind::Presence if !text.is_empty() => Slot::Bool(true),
        FieldKind::FreeText => Slot::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)),
        _ => Slot::Bad,
    }
}

/// The items of an array; `None` is an item that is not a text.
pub(super) fn texts(items: Vec<Option<Cow<'_, str>>>) -> Slot<'_> {
    let mut good = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        match item {
            Some(text) if !text.is_empty() => good.push(text),
            _ => return Slot::BadItem(position),
        }
    }
    Slot::Texts(good)
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// The number in these bytes, if all of them are digits.
fn digits(text: &str, range: Range<usize>) -> Option<u32> {
    let part = text.as_bytes().get(range)?;
    part.iter().try_fold(0, |number: u32, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

fn year(text: &str) -> Option<i32> {
    i32::try_from(digits(text, 0..4)?).ok()
}

fn date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(year(text)?, digits(text, 5..7)?, digits(text, 8..10)?)
}

fn is_month(text: &str) -> bool {
    text.len() == 7
        && text.as_bytes()[4] == b'-'
        && year(text).is_some()
        && digits(text, 5..7).is_some_and(|month| (1..=12).contains(&month))
}

fn is_iso_week(text: &str) -> bool {
    let exists = || NaiveDate::from_isoywd_opt(year(text)?, digits(text, 6..8)?, Weekday::Mon);
    text.len() == 8 && &text.as_bytes()[4..6] == b"-W" && exists().is_some()
}
