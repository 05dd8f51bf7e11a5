//! From bytes to an event, or to the first reason to reject it (K3).

use std::ops::RangeInclusive;

use super::field::{FieldKind, InstantRule};
use super::layout::{ObjectLayout, TopicLayout, TypeLayout, UseLayout, position};
use super::parse::parse;
use super::slot::{Slot, Slots};
use super::value::UNKNOWN;
use super::{Limits, Reason, Rejection, Topic, envelope};
use crate::time::{DurationMs, TimestampMs};

/// The only schema version so far.
const SCHEMA_VERSION: i64 = 1;

/// How far an observed instant may lie before `occurred_at` (K4).
const OBSERVED_REACH: DurationMs = DurationMs::from_days(31);

/// A decoded record, borrowed from its payload; every value satisfies its event type.
#[derive(Clone, Debug)]
pub struct Event<'p> {
    pub(super) layout: &'static TopicLayout,
    type_layout: &'static TypeLayout,
    pub(super) slots: Slots<'p>,
    occurred_at: TimestampMs,
    recorded_at: TimestampMs,
}

impl Event<'_> {
    pub fn event_id(&self) -> &str {
        self.slots.text(position::EVENT_ID).unwrap_or_default()
    }

    pub fn event_type(&self) -> &'static str {
        self.type_layout.event_type.name
    }

    /// When it happened.
    pub fn occurred_at(&self) -> TimestampMs {
        self.occurred_at
    }

    /// When the source recorded it.
    pub fn recorded_at(&self) -> TimestampMs {
        self.recorded_at
    }

    /// The id that the record's key must equal (domain 3.1): `customer_id`, `staff_id` or `unit_id`; none for prices.
    pub fn key(&self) -> Option<&str> {
        self.slots.text(self.type_layout.key?)
    }

    /// The `event_id` that this event replaces.
    pub fn corrects(&self) -> Option<&str> {
        self.slots.text(position::CORRECTS)
    }

    /// The scope in which a correction looks for its event (K23): the `customer_id`, else the `sku_id`, `staff_id` or `unit_id`.
    pub fn scope(&self) -> Option<&str> {
        self.layout
            .scope
            .iter()
            .find_map(|field| self.slots.text(*field))
    }
}

/// Decodes a record and checks it by K3, from `too_large` to `bad_value`; no payload = tombstone.
///
/// # Errors
/// The first reason that applies, with the path of the field to blame.
///
/// # Examples
/// ```
/// use schemas::event::{Limits, Reason, Rejection, Topic, decode};
///
/// let limits = Limits::default();
/// let record = r#"{"event_id":"e-1","event_type":"order.placed","schema_version":1,
///     "occurred_at":1767661200000,"recorded_at":1767661201000,"customer_id":"C1","order_id":"O1",
///     "lines":[{"line_no":1,"sku_id":"S1","requested_qty":3}]}"#;
/// let event = decode(Topic::Orders, Some(record.as_bytes()), &limits).unwrap();
/// assert_eq!((event.event_type(), event.key()), ("order.placed", Some("C1")));
/// assert_eq!(event.occurred_at().to_string(), "2026-01-06T01:00:00.000Z");
///
/// let negative = record.replace(r#""requested_qty":3"#, r#""requested_qty":-3"#);
/// let bad_value = decode(Topic::Orders, Some(negative.as_bytes()), &limits).unwrap_err();
/// assert_eq!(bad_value, Rejection::new(Reason::BadValue, "lines[0].requested_qty"));
///
/// // Two things are wrong: K3 asks for missing fields before it looks at values.
/// let incomplete = negative.replace(r#""order_id":"O1","#, "");
/// let missing = decode(Topic::Orders, Some(incomplete.as_bytes()), &limits).unwrap_err();
/// assert_eq!(missing, Rejection::new(Reason::MissingField, "order_id"));
///
/// let tombstone = decode(Topic::Orders, None, &limits).unwrap_err();
/// assert_eq!(tombstone, Rejection::new(Reason::Tombstone, ""));
/// ```
pub fn decode<'p>(
    topic: Topic,
    payload: Option<&'p [u8]>,
    limits: &Limits,
) -> Result<Event<'p>, Rejection> {
    let reject = |reason| Rejection::new(reason, "");
    let payload = payload.ok_or_else(|| reject(Reason::Tombstone))?;
    if payload.len() > limits.max_record_bytes {
        return Err(reject(Reason::TooLarge));
    }
    let text = std::str::from_utf8(payload).map_err(|_| reject(Reason::InvalidUtf8))?;
    if text.trim_matches([' ', '\t', '\n', '\r']) == "null" {
        return Err(reject(Reason::Tombstone));
    }
    let layout = TopicLayout::of(topic);
    let slots = parse(text, &layout.object).ok_or_else(|| reject(Reason::MalformedJson))?;
    check(layout, slots, limits)
}

/// K3 from the envelope's `missing_field` to `bad_value`, in its order.
fn check<'p>(
    layout: &'static TopicLayout,
    mut slots: Slots<'p>,
    limits: &Limits,
) -> Result<Event<'p>, Rejection> {
    let missing_from_envelope = (0..)
        .zip(envelope::REQUIRED)
        .find(|(position, _)| !slots.has(*position));
    if let Some((_, name)) = missing_from_envelope {
        return Err(Rejection::new(Reason::MissingField, name));
    }
    let version = slots.int(position::SCHEMA_VERSION);
    if version.is_some_and(|version| version != SCHEMA_VERSION) {
        let path = "schema_version";
        return Err(Rejection::new(Reason::UnsupportedSchemaVersion, path));
    }
    // An event_type that is not a text is a bad value, not an unknown type.
    let type_layout = match slots.text(position::EVENT_TYPE) {
        Some(name) => Some(
            layout
                .event_type(name)
                .ok_or_else(|| Rejection::new(Reason::UnknownEventType, "event_type"))?,
        ),
        None => None,
    };
    let uses = type_layout.map_or(&[][..], |one| &one.uses);
    let missing = |field_use| missing(&layout.object, &slots, field_use);
    if let Some(path) = uses.iter().find_map(missing) {
        return Err(Rejection::new(Reason::MissingField, path));
    }

    let occurred_at = slots.instant(position::OCCURRED_AT);
    let observed = occurred_at.map(|at| at - OBSERVED_REACH..=at + limits.max_future_skew);
    let refused = |field| refused(&layout.object, &slots, field, observed.as_ref());
    let mut checked = (0..)
        .take(envelope::FIELDS.len())
        .chain(uses.iter().map(|one| one.field));
    if let Some(path) = checked.find_map(refused) {
        return Err(Rejection::new(Reason::BadValue, path));
    }
    // Nothing in the envelope was refused, so all three are present.
    let recorded_at = slots.instant(position::RECORDED_AT);
    let (Some(type_layout), Some(occurred_at), Some(recorded_at)) =
        (type_layout, occurred_at, recorded_at)
    else {
        return Err(Rejection::new(Reason::BadValue, ""));
    };

    slots.retain(type_layout.mask);
    for field in [position::SOURCE, position::ACTOR_ROLE] {
        if !slots.has(field) {
            slots.insert(field, Slot::Name(UNKNOWN));
        }
    }
    Ok(Event {
        layout,
        type_layout,
        slots,
        occurred_at,
        recorded_at,
    })
}

/// The path of what the event type requires of this field and is missing.
fn missing(object: &ObjectLayout, slots: &Slots<'_>, field_use: &UseLayout) -> Option<String> {
    let field = &object.fields[usize::from(field_use.field)];
    let name = field.field.name;
    match slots.get(field_use.field) {
        None => field_use.required.then(|| name.to_owned()),
        Some(Slot::Rows(rows)) if rows.is_empty() => field_use.not_empty.then(|| name.to_owned()),
        Some(Slot::Rows(rows)) => {
            let items = field.items.as_ref()?;
            rows.iter().enumerate().find_map(|(index, row)| {
                let absent = field_use
                    .items
                    .iter()
                    .find(|item| row.as_ref().is_some_and(|row| !row.has(**item)))?;
                Some(format!(
                    "{name}[{index}].{}",
                    items.fields[usize::from(*absent)].field.name
                ))
            })
        }
        Some(_) => None,
    }
}

/// The path of the first value of this field that cannot be accepted.
fn refused(
    object: &ObjectLayout,
    slots: &Slots<'_>,
    position: u8,
    observed: Option<&RangeInclusive<TimestampMs>>,
) -> Option<String> {
    let field = &object.fields[usize::from(position)];
    let name = field.field.name;
    match slots.get(position)? {
        Slot::Bad => Some(name.to_owned()),
        Slot::BadItem(index) => Some(format!("{name}[{index}]")),
        Slot::Int(value) => {
            let at = TimestampMs::from_ms(*value);
            let is_observed = field.field.kind == FieldKind::Instant(InstantRule::Observed);
            let is_out_of_reach = is_observed && observed.is_some_and(|range| !range.contains(&at));
            is_out_of_reach.then(|| name.to_owned())
        }
        Slot::Rows(rows) => {
            let items = field.items.as_ref()?;
            rows.iter().enumerate().find_map(|(index, row)| match row {
                None => Some(format!("{name}[{index}]")),
                Some(row) => (0..)
                    .take(items.fields.len())
                    .find_map(|item| refused(items, row, item, observed))
                    .map(|path| format!("{name}[{index}].{path}")),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
