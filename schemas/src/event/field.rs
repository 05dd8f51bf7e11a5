//! What the tables of the topics are made of: fields, their kinds, and the event types that use them.

use std::borrow::Cow;

use super::Topic;

/// What kind of statement an instant is, which decides how it is checked (K4).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum InstantRule {
    /// Something seen: neither after `occurred_at` + skew nor more than 31 days before it.
    Observed,
    /// Something promised, planned or in force: may lie anywhere.
    Announced,
    /// Reported by a person; stored to the minute, because an exact one is personal data (domain 3.7).
    ToTheMinute,
}

/// What a field holds: how it is checked, and as what it is stored.
///
/// Integers are stored signed and wide enough (`u8` → Int16, `u16` → Int32, `u32` → Int64): Delta has no unsigned types.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum FieldKind {
    /// Opaque identifier: text of 1-256 bytes without control characters (K42).
    Id,
    /// Id of a member of staff: stored, in a restricted column (K28).
    StaffId,
    /// An event's `event_id`: text of 1-64 bytes (K21).
    EventId,
    /// The envelope's `event_type`: one that the topic knows.
    TypeName,
    /// The envelope's version: any integer is a version, and all but 1 are unsupported.
    SchemaVersion,
    /// Short text without a fixed list, and every other text that is no id, enum, date or free text. Stored if it is a code, else
    /// as `UNKNOWN`, which says that there was one (K29, K46).
    Code,
    /// Region by which reference data and list prices are joined: a code, or the six digits of GB/T 2260. K29's form would make
    /// every list price of an administrative division `UNKNOWN`; six digits are no name and no telephone number.
    RegionCode,
    /// One of a list of names; another text is stored as `UNKNOWN`, and if it is a code beside it in `<column>_raw` (K29).
    Enum(&'static [&'static str]),
    /// Quantity in the SKU's base unit, not negative.
    Qty,
    /// Price of one base unit in fen, tax included, not negative.
    Price,
    /// Sum of money in fen, tax included, not negative.
    Amount,
    /// Length of time in milliseconds, not negative; up to 49 days.
    DurationMs,
    U8,
    U16,
    U32,
    /// Hundredths of a per cent, may be negative.
    Bp,
    /// Answer on the scale 1-5; absent or null = no answer.
    Score,
    Bool,
    /// Milliseconds since 1970 UTC, in the years 2000 to 9998.
    Instant(InstantRule),
    /// `YYYY-MM-DD`, local; dates, months and weeks lie in the years 1 to 9998.
    Date,
    /// `YYYY-MM`, local.
    Month,
    /// `2025-W02` (K21).
    IsoWeek,
    /// Free text: checked to be text; only the number of characters is stored, in a column `…_chars`.
    FreeText,
    /// List of ids.
    Ids,
    /// List of codes; an item that is none is stored as `UNKNOWN` (K46).
    Codes,
    /// List of objects.
    List(&'static [Field]),
}

impl FieldKind {
    /// The least and the greatest integer that the kind accepts (K4, K25); `None` for kinds that hold none.
    pub(crate) const fn range(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Qty => (0, 100_000_000),
            Self::Price => (0, 1_000_000_000),
            Self::Amount => (0, 1_000_000_000_000_000),
            Self::U8 => (0, u8::MAX as i64),
            Self::U16 => (0, u16::MAX as i64),
            Self::U32 | Self::DurationMs => (0, u32::MAX as i64),
            Self::Bp => (i32::MIN as i64, i32::MAX as i64),
            Self::Score => (1, 5),
            // 2000-01-01T00:00:00.000Z and 9998-12-31T23:59:59.999Z.
            Self::Instant(_) => (946_684_800_000, 253_370_764_799_999),
            _ => return None,
        })
    }

    pub(super) fn accepts(self, value: i64) -> bool {
        self.range()
            .is_some_and(|(least, greatest)| (least..=greatest).contains(&value))
    }
}

/// A field of a topic: the same in every event type that uses it.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Key in the payload.
    pub name: &'static str,
    pub kind: FieldKind,
    /// What it means, in English, then the Chinese term in parentheses if the trade has one.
    pub doc: &'static str,
    /// Name of the column if it is not the one derived from `name` and `kind`.
    pub renamed: Option<&'static str>,
}

impl Field {
    /// The column in which the field is stored.
    pub(super) fn column(&self) -> Cow<'static, str> {
        if let Some(column) = self.renamed {
            return Cow::Borrowed(column);
        }
        match self.kind {
            FieldKind::FreeText => Cow::Owned(format!("{}_chars", self.name)),
            _ => Cow::Borrowed(self.name),
        }
    }

    /// The comment of the column: what is stored, not what was sent.
    pub(super) fn comment(&self) -> Cow<'static, str> {
        match self.kind {
            FieldKind::FreeText => Cow::Owned(format!("Length in characters: {}", self.doc)),
            _ => Cow::Borrowed(self.doc),
        }
    }

    /// Whether the column is followed by one for texts that are not in the field's list.
    pub(super) const fn has_raw_column(&self) -> bool {
        matches!(self.kind, FieldKind::Enum(_))
    }

    pub(super) const fn column_named(mut self, column: &'static str) -> Field {
        self.renamed = Some(column);
        self
    }
}

pub(super) const fn field(name: &'static str, kind: FieldKind, doc: &'static str) -> Field {
    Field {
        name,
        kind,
        doc,
        renamed: None,
    }
}

/// A field as one event type uses it.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct FieldUse {
    pub field: &'static str,
    /// Absent or null is `missing_field`.
    pub required: bool,
    /// For lists: an empty one is `missing_field` too.
    pub not_empty: bool,
    /// For lists: the fields that each item must have.
    pub items: &'static [&'static str],
}

pub(super) const fn required(field: &'static str) -> FieldUse {
    FieldUse {
        field,
        required: true,
        not_empty: false,
        items: &[],
    }
}

pub(super) const fn optional(field: &'static str) -> FieldUse {
    FieldUse {
        required: false,
        ..required(field)
    }
}

impl FieldUse {
    pub(super) const fn each(mut self, items: &'static [&'static str]) -> FieldUse {
        self.items = items;
        self
    }

    pub(super) const fn not_empty(mut self) -> FieldUse {
        self.not_empty = true;
        self
    }
}

/// Which id of the payload is the record's key (domain 3.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Customer,
    Staff,
    Unit,
    /// Any key, or none: price events.
    Any,
}

impl Key {
    /// The field that is the key.
    pub const fn field(self) -> Option<&'static str> {
        match self {
            Key::Customer => Some("customer_id"),
            Key::Staff => Some("staff_id"),
            Key::Unit => Some("unit_id"),
            Key::Any => None,
        }
    }
}

/// An event type: its name, its topic, and what it carries beside the envelope.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct EventType {
    pub name: &'static str,
    pub topic: Topic,
    pub key: Key,
    /// One sentence: what happened.
    pub doc: &'static str,
    /// Fields beside the envelope. The key's id is required without being listed.
    pub(crate) fields: &'static [FieldUse],
}
