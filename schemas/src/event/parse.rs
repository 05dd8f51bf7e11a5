//! One pass over the JSON text, straight into slots.
//!
//! Three rules that no derive keeps: a value of the wrong type is a [`Slot::Bad`] and not an error, because K3 may name another
//! reason first; a repeated key in any object is an error, even inside skipped values; strings are borrowed from the text unless
//! they are escaped.

use super::field::FieldKind;
use super::json::{JsonReader, Keys, Malformed, Value};
use super::layout::{FieldLayout, ObjectLayout};
use super::slot::{Slot, Slots};
use super::value;

/// Capacity reserved for the fields of a payload. None is reserved for items of lists: a record may hold half a million empty ones.
const EXPECTED_FIELDS: usize = 24;

/// The slots of a JSON object; `None` if the text is not exactly one object.
pub(super) fn parse<'p>(text: &'p str, layout: &ObjectLayout) -> Option<Slots<'p>> {
    let mut json = JsonReader::new(text);
    let Ok(Value::Object) = json.value() else {
        return None;
    };
    let slots = object(&mut json, layout, Slots::with_capacity(EXPECTED_FIELDS)).ok()?;
    json.end().ok()?;
    Some(slots)
}

/// The rest of an object whose fields are known.
fn object<'p>(
    json: &mut JsonReader<'p>,
    layout: &ObjectLayout,
    mut slots: Slots<'p>,
) -> Result<Slots<'p>, Malformed> {
    let mut known: u128 = 0;
    let mut others = Keys::default();
    while let Some(key) = json.key()? {
        let Some(position) = layout.find(&key) else {
            others.insert(key)?;
            json.skip()?;
            continue;
        };
        if known & (1 << position) != 0 {
            return Err(Malformed);
        }
        known |= 1 << position;
        let field = &layout.fields[usize::from(position)];
        if let Some(slot) = field_value(json, field)? {
            slots.insert(position, slot);
        }
    }
    Ok(slots)
}

/// The value of a known field; `None` for null.
fn field_value<'p>(
    json: &mut JsonReader<'p>,
    field: &FieldLayout,
) -> Result<Option<Slot<'p>>, Malformed> {
    let kind = field.field.kind;
    Ok(Some(match json.value()? {
        Value::Null => return Ok(None),
        Value::Bool(value) => value::boolean(kind, value),
        Value::Number(number) => value::number(kind, number),
        Value::Text(text) => value::text(kind, text),
        Value::List => list(json, field)?,
        Value::Object => {
            json.skip_rest(&Value::Object)?;
            Slot::Bad
        }
    }))
}

/// The rest of a list in a known field.
fn list<'p>(json: &mut JsonReader<'p>, field: &FieldLayout) -> Result<Slot<'p>, Malformed> {
    if let Some(layout) = &field.items {
        let mut rows = Vec::new();
        while json.has_item()? {
            let item = json.value()?;
            if item == Value::Object {
                rows.push(Some(object(json, layout, Slots::default())?));
            } else {
                json.skip_rest(&item)?;
                rows.push(None);
            }
        }
        return Ok(Slot::Rows(rows));
    }
    if !matches!(field.field.kind, FieldKind::Ids | FieldKind::Codes) {
        json.skip_rest(&Value::List)?;
        return Ok(Slot::Bad);
    }
    let mut items = Vec::new();
    while json.has_item()? {
        let item = json.value()?;
        json.skip_rest(&item)?;
        items.push(match item {
            Value::Text(text) => Some(text),
            _ => None,
        });
    }
    Ok(value::texts(field.field.kind, items))
}
