//! The judge: from bytes to an event or to the first reason against it (K3).

use super::field::{EventType, InstantRule, Kind};
use super::layout::{ObjectLayout, TopicLayout, TypeLayout, UseLayout, position};
use super::parse::parse;
use super::slot::{Slot, Slots};
use super::value::UNKNOWN;
use super::{Limits, Reason, Rejection, Topic, envelope};

/// The one schema version there is.
const SCHEMA_VERSION: i64 = 1;

/// How far an observed instant may lie before `occurred_at` (K4).
const OBSERVED_REACH_MS: i64 = 31 * 24 * 60 * 60 * 1000;

/// A decoded record, borrowed from its payload; all its values hold what its event type demands.
#[derive(Clone, Debug)]
pub struct Event<'p> {
    pub(super) layout: &'static TopicLayout,
    type_layout: &'static TypeLayout,
    pub(super) slots: Slots<'p>,
    occurred_at_ms: i64,
    recorded_at_ms: i64,
}

impl Event<'_> {
    pub fn event_id(&self) -> &str {
        self.slots.text(position::EVENT_ID).unwrap_or_default()
    }

    pub fn event_type(&self) -> &'static str {
        self.definition().name
    }

    /// The row of the topic's table that the event follows.
    pub fn definition(&self) -> &'static EventType {
        self.type_layout.event_type
    }

    /// When it happened, milliseconds UTC.
    pub fn occurred_at_ms(&self) -> i64 {
        self.occurred_at_ms
    }

    /// When the source wrote it down, milliseconds UTC.
    pub fn recorded_at_ms(&self) -> i64 {
        self.recorded_at_ms
    }

    /// The id that the record's key must equal (domain 3.1): `customer_id`, `staff_id` or `unit_id`; none for prices.
    pub fn key(&self) -> Option<&str> {
        self.slots.text(self.type_layout.key?)
    }

    /// The `event_id` that this event replaces.
    pub fn corrects(&self) -> Option<&str> {
        self.slots.text(position::CORRECTS)
    }

    /// Within what a correction finds its event (K23): the `customer_id`, without one the `sku_id`, `staff_id` or `unit_id`.
    pub fn scope(&self) -> Option<&str> {
        self.layout
            .scope
            .iter()
            .find_map(|field| self.slots.text(*field))
    }
}

/// Decodes a record and judges it by K3, from `too_large` to `bad_value`; no payload = tombstone.
///
/// # Errors
/// The first reason that applies, with the path of the field to blame.
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
    judge(layout, slots, limits)
}

fn judge<'p>(
    layout: &'static TopicLayout,
    mut slots: Slots<'p>,
    limits: &Limits,
) -> Result<Event<'p>, Rejection> {
    let object = &layout.object;
    for (position, name) in (0..).zip(envelope::REQUIRED) {
        if !slots.has(position) {
            return Err(Rejection::new(Reason::MissingField, name));
        }
    }
    if slots
        .int(position::SCHEMA_VERSION)
        .is_some_and(|version| version != SCHEMA_VERSION)
    {
        return Err(Rejection::new(
            Reason::UnsupportedSchemaVersion,
            "schema_version",
        ));
    }
    let type_layout = match slots.text(position::EVENT_TYPE) {
        None => None,
        Some(name) => Some(
            layout
                .event_type(name)
                .ok_or_else(|| Rejection::new(Reason::UnknownEventType, "event_type"))?,
        ),
    };
    if let Some(path) = type_layout.and_then(|one| {
        one.uses
            .iter()
            .find_map(|field| missing(object, &slots, field))
    }) {
        return Err(Rejection::new(Reason::MissingField, path));
    }

    let bad = |path: String| Rejection::new(Reason::BadValue, path);
    let occurred_at_ms = slots.int(position::OCCURRED_AT);
    let observed = occurred_at_ms
        .map(|at| at - OBSERVED_REACH_MS..=at.saturating_add(limits.max_future_skew_ms));
    let envelope = (0..).take(envelope::FIELDS.len());
    let own = type_layout
        .into_iter()
        .flat_map(|one| one.uses.iter().map(|field| field.field));
    for field in envelope.chain(own) {
        if let Some(path) = refused(object, &slots, field, observed.as_ref()) {
            return Err(bad(path));
        }
    }
    // Every slot of the envelope is good by now, so all three are there.
    let type_layout = type_layout.ok_or_else(|| bad("event_type".to_owned()))?;
    let occurred_at_ms = occurred_at_ms.ok_or_else(|| bad("occurred_at".to_owned()))?;
    let recorded_at_ms = slots
        .int(position::RECORDED_AT)
        .ok_or_else(|| bad("recorded_at".to_owned()))?;

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
        occurred_at_ms,
        recorded_at_ms,
    })
}

/// The path of what the event type demands of this field and does not find.
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
    observed: Option<&std::ops::RangeInclusive<i64>>,
) -> Option<String> {
    let field = &object.fields[usize::from(position)];
    let name = field.field.name;
    match slots.get(position)? {
        Slot::Bad => Some(name.to_owned()),
        Slot::BadItem(index) => Some(format!("{name}[{index}]")),
        Slot::Int(at) => {
            let is_observed = field.field.kind == Kind::Instant(InstantRule::Observed);
            let out_of_reach = is_observed && observed.is_some_and(|range| !range.contains(at));
            out_of_reach.then(|| name.to_owned())
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
#[path = "decode_tests.rs"]
mod tests;
