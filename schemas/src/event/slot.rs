//! What the parser produces: one slot for each field of the payload that the topic knows.

use std::borrow::Cow;

use crate::time::TimestampMs;

/// A value as its field's kind reads it. Absent and null fields have no slot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Slot<'p> {
    /// A value that the field's kind refuses.
    Bad,
    /// A list of texts whose item at this position is refused.
    BadItem(usize),
    Text(Cow<'p, str>),
    /// A name of the field's list, or `UNKNOWN`.
    Name(&'static str),
    /// A text that is not in the field's list; kept if it is a code (K29).
    UnknownName(Option<Cow<'p, str>>),
    /// Numbers, instants (ms), dates (days since 1970), lengths (characters).
    Int(i64),
    Bool(bool),
    Texts(Vec<Cow<'p, str>>),
    /// `None` = an item that is not an object.
    Rows(Vec<Option<Slots<'p>>>),
}

/// The slots of one object, found by the position of their field in the layout.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Slots<'p> {
    present: u128,
    values: Vec<(u8, Slot<'p>)>,
}

impl<'p> Slots<'p> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Slots {
            present: 0,
            values: Vec::with_capacity(capacity),
        }
    }

    /// The caller makes sure that the field has no slot yet.
    pub(super) fn insert(&mut self, field: u8, slot: Slot<'p>) {
        debug_assert!(!self.has(field));
        self.present |= 1 << field;
        self.values.push((field, slot));
    }

    pub(super) fn has(&self, field: u8) -> bool {
        self.present & (1 << field) != 0
    }

    pub(super) fn get(&self, field: u8) -> Option<&Slot<'p>> {
        if !self.has(field) {
            return None;
        }
        self.values
            .iter()
            .find(|(position, _)| *position == field)
            .map(|(_, slot)| slot)
    }

    pub(super) fn text(&self, field: u8) -> Option<&str> {
        match self.get(field)? {
            Slot::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, field: u8) -> Option<i64> {
        match self.get(field)? {
            Slot::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn instant(&self, field: u8) -> Option<TimestampMs> {
        self.int(field).map(TimestampMs::from_ms)
    }

    /// Drops every field that is not in `mask`.
    pub(super) fn retain(&mut self, mask: u128) {
        self.present &= mask;
        self.values.retain(|(field, _)| mask & (1 << field) != 0);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u8, &Slot<'p>)> {
        self.values.iter().map(|(field, slot)| (*field, slot))
    }
}
