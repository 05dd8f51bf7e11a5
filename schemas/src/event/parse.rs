//! One pass over the JSON text, straight into slots.
//!
//! Three rules that no derive keeps: a value of the wrong type is a [`Slot::Bad`] and not an error, because K3 may name another
//! reason first; a repeated key in any object is an error, even inside skipped values; strings are borrowed from the text unless
//! they are escaped. serde_json bounds the depth (128).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::field::FieldKind;
use super::layout::{FieldLayout, ObjectLayout};
use super::slot::{Slot, Slots};
use super::value;

/// Capacity reserved for the fields of a payload. None is reserved for items of lists: a record may hold half a million empty ones.
const EXPECTED_FIELDS: usize = 24;

/// The slots of a JSON object; `None` if the text is not exactly one object.
pub(super) fn parse<'p>(text: &'p str, layout: &ObjectLayout) -> Option<Slots<'p>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let top = Object {
        layout,
        slots: Slots::with_capacity(EXPECTED_FIELDS),
    };
    let slots = deserializer.deserialize_map(top).ok()?;
    deserializer.end().ok()?;
    Some(slots)
}

/// An object whose fields are known.
struct Object<'l, 'p> {
    layout: &'l ObjectLayout,
    slots: Slots<'p>,
}

impl<'p> Visitor<'p> for Object<'_, 'p> {
    type Value = Slots<'p>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<Slots<'p>, A::Error> {
        let Object { layout, mut slots } = self;
        let mut known: u128 = 0;
        let mut others = Keys::default();
        while let Some(key) = map.next_key_seed(Text)? {
            let Some(position) = layout.find(&key) else {
                others.insert(key)?;
                map.next_value_seed(Skip)?;
                continue;
            };
            if known & (1 << position) != 0 {
                return Err(repeated_key(&key));
            }
            known |= 1 << position;
            let field = &layout.fields[usize::from(position)];
            if let Some(slot) = map.next_value_seed(FieldValue(field))? {
                slots.insert(position, slot);
            }
        }
        Ok(slots)
    }
}

/// The value of a known field; `None` for null.
struct FieldValue<'l>(&'l FieldLayout);

impl<'p> DeserializeSeed<'p> for FieldValue<'_> {
    type Value = Option<Slot<'p>>;

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'p> Visitor<'p> for FieldValue<'_> {
    type Value = Option<Slot<'p>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value::boolean(self.0.field.kind, value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value::integer(self.0.field.kind, value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value::unsigned(self.0.field.kind, value)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Some(Slot::Bad))
    }

    fn visit_borrowed_str<E>(self, text: &'p str) -> Result<Self::Value, E> {
        Ok(Some(value::text(self.0.field.kind, Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(value::text(
            self.0.field.kind,
            Cow::Owned(text.to_owned()),
        )))
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if let Some(layout) = &self.0.items {
            let mut rows = Vec::new();
            while let Some(row) = seq.next_element_seed(ObjectItem(layout))? {
                rows.push(row);
            }
            return Ok(Some(Slot::Rows(rows)));
        }
        if self.0.field.kind != FieldKind::Texts {
            Skip.visit_seq(seq)?;
            return Ok(Some(Slot::Bad));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(TextItem)? {
            items.push(item);
        }
        Ok(Some(value::texts(items)))
    }

    fn visit_map<A: MapAccess<'p>>(self, map: A) -> Result<Self::Value, A::Error> {
        Skip.visit_map(map)?;
        Ok(Some(Slot::Bad))
    }
}

/// An item of a list of objects; `None` if it is not an object.
struct ObjectItem<'l>(&'l ObjectLayout);

/// An item of a list of texts; `None` if it is not a text.
struct TextItem;

/// A value that is skipped.
struct Skip;

/// The key of an object.
struct Text;

/// Scalars that a visitor does not expect: each gives `$result`, none is an error.
macro_rules! scalars_are {
    ($result:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any value")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($result)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($result)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($result)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($result)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($result)
        }
    };
}

impl<'p> DeserializeSeed<'p> for ObjectItem<'_> {
    type Value = Option<Slots<'p>>;

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'p> Visitor<'p> for ObjectItem<'_> {
    type Value = Option<Slots<'p>>;

    scalars_are!(None);

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'p>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Skip.visit_seq(seq)?;
        Ok(None)
    }

    fn visit_map<A: MapAccess<'p>>(self, map: A) -> Result<Self::Value, A::Error> {
        let item = Object {
            layout: self.0,
            slots: Slots::default(),
        };
        item.visit_map(map).map(Some)
    }
}

impl<'p> DeserializeSeed<'p> for TextItem {
    type Value = Option<Cow<'p, str>>;

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'p> Visitor<'p> for TextItem {
    type Value = Option<Cow<'p, str>>;

    scalars_are!(None);

    fn visit_borrowed_str<E>(self, text: &'p str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'p>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Skip.visit_seq(seq)?;
        Ok(None)
    }

    fn visit_map<A: MapAccess<'p>>(self, map: A) -> Result<Self::Value, A::Error> {
        Skip.visit_map(map)?;
        Ok(None)
    }
}

impl<'p> DeserializeSeed<'p> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'p> Visitor<'p> for Skip {
    type Value = ();

    scalars_are!(());

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'p>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Skip)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'p>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key_seed(Text)? {
            keys.insert(key)?;
            map.next_value_seed(Skip)?;
        }
        Ok(())
    }
}

impl<'p> DeserializeSeed<'p> for Text {
    type Value = Cow<'p, str>;

    fn deserialize<D: Deserializer<'p>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'p> for Text {
    type Value = Cow<'p, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'p str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The keys of an object so far: a short list, then a set, since an object may have thousands.
#[derive(Default)]
struct Keys<'p> {
    few: Vec<Cow<'p, str>>,
    many: HashSet<Cow<'p, str>>,
}

impl<'p> Keys<'p> {
    const FEW: usize = 16;

    fn insert<E: Error>(&mut self, key: Cow<'p, str>) -> Result<(), E> {
        if self.few.contains(&key) || self.many.contains(&key) {
            return Err(repeated_key(&key));
        }
        if self.few.len() < Self::FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        Ok(())
    }
}

fn repeated_key<E: Error>(key: &str) -> E {
    E::custom(format_args!("repeated key: key={key}"))
}
