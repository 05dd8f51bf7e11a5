//! Which values a kind of field accepts, one value at a time. Rules that compare two fields (observed instants) are in `decode`.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use chrono::{Datelike, NaiveDate, Weekday};

use super::field::{FieldKind, InstantRule};
use super::json::Number;
use super::slot::Slot;
use crate::id::is_id;
use crate::time::DurationMs;

/// Day number of 1970-01-01 in chrono, where Arrow counts from 0.
const DAYS_TO_1970: i64 = 719_163;

/// Years of dates, months and weeks: none is the year 0000 (K45), and a deadline lies no later than an instant may (K25).
const YEARS: RangeInclusive<i32> = 1..=9998;

/// Most bytes of an `event_id` (K21).
const EVENT_ID_BYTES: usize = 64;

pub(super) const UNKNOWN: &str = "UNKNOWN";

pub(super) fn boolean(kind: FieldKind, value: bool) -> Slot<'static> {
    match kind {
        FieldKind::Bool => Slot::Bool(value),
        _ => Slot::Bad,
    }
}

pub(super) fn number(kind: FieldKind, number: Number) -> Slot<'static> {
    match (kind, number) {
        (_, Number::NotInteger) => Slot::Bad,
        (FieldKind::SchemaVersion, Number::Integer(value)) => Slot::Int(value),
        // Any version but 1 is unsupported, however large (K45).
        (FieldKind::SchemaVersion, Number::BeyondInteger) => Slot::Int(i64::MAX),
        (_, Number::BeyondInteger) => Slot::Bad,
        (_, Number::Integer(value)) if !kind.accepts(value) => Slot::Bad,
        (FieldKind::Instant(InstantRule::ToTheMinute), Number::Integer(value)) => {
            Slot::Int(value - value % DurationMs::MINUTE.as_ms())
        }
        (_, Number::Integer(value)) => Slot::Int(value),
    }
}

pub(super) fn text(kind: FieldKind, text: Cow<'_, str>) -> Slot<'_> {
    match kind {
        FieldKind::Id | FieldKind::StaffId if is_id(&text) => Slot::Text(text),
        FieldKind::EventId if (1..=EVENT_ID_BYTES).contains(&text.len()) => Slot::Text(text),
        FieldKind::TypeName => Slot::Text(text),
        FieldKind::Code => code(text, is_code),
        FieldKind::RegionCode => code(text, |text| is_code(text) || is_division(text)),
        FieldKind::Enum(names) => match names.iter().find(|name| **name == text) {
            Some(name) => Slot::Name(name),
            None if text == UNKNOWN => Slot::Name(UNKNOWN),
            None => Slot::UnknownName(is_name(&text).then_some(text)),
        },
        FieldKind::Date => match date(&text) {
            Some(date) => Slot::Int(i64::from(date.num_days_from_ce()) - DAYS_TO_1970),
            None => Slot::Bad,
        },
        FieldKind::Month if is_month(&text) => Slot::Text(text),
        FieldKind::IsoWeek if is_iso_week(&text) => Slot::Text(text),
        FieldKind::FreeText => Slot::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)),
        _ => Slot::Bad,
    }
}

/// The items of a list of ids or of codes; `None` is an item that is not a text.
pub(super) fn texts(kind: FieldKind, items: Vec<Option<Cow<'_, str>>>) -> Slot<'_> {
    let mut good = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        match item {
            Some(text) if kind == FieldKind::Codes => good.push(if is_code(&text) {
                text
            } else {
                Cow::Borrowed(UNKNOWN)
            }),
            Some(text) if is_id(&text) => good.push(text),
            _ => return Slot::BadItem(position),
        }
    }
    Slot::Texts(good)
}

/// The text if it is a code, else that there was one: what a person typed could be anybody's name or number (K29, K46).
fn code<'p>(text: Cow<'p, str>, is_code: impl Fn(&str) -> bool) -> Slot<'p> {
    if is_code(&text) {
        Slot::Text(text)
    } else {
        Slot::Name(UNKNOWN)
    }
}

/// K29's second form: `[A-Za-z][A-Za-z0-9_.:-]{0,63}`.
fn is_code(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

/// K29's first form: `[A-Z][A-Z0-9_]{0,31}`.
fn is_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// An administrative division by GB/T 2260: six digits, which are no telephone number.
fn is_division(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number in these bytes, if all of them are digits.
fn digits(text: &str, range: Range<usize>) -> Option<u32> {
    let part = text.as_bytes().get(range)?;
    part.iter().try_fold(0, |number: u32, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// The year that the text begins with.
fn year(text: &str) -> Option<i32> {
    let year = i32::try_from(digits(text, 0..4)?).ok()?;
    YEARS.contains(&year).then_some(year)
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
