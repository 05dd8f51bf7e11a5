//! The tables of the topics in the form that the decoder reads: positions instead of names, masks instead of lists. Built once.

use std::sync::LazyLock;

use super::field::{EventType, Field, FieldKind, FieldUse};
use super::{Topic, complaints, envelope, orders, prices, visits};

/// Name → position, by length first: a look-up compares only names of the same length.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    by_length: Vec<Vec<(&'static str, u8)>>,
}

impl NameIndex {
    fn new(names: impl Iterator<Item = &'static str>) -> Self {
        let mut by_length: Vec<Vec<(&'static str, u8)>> = Vec::new();
        for (name, position) in names.zip(0u8..) {
            if by_length.len() <= name.len() {
                by_length.resize_with(name.len() + 1, Vec::new);
            }
            by_length[name.len()].push((name, position));
        }
        NameIndex { by_length }
    }

    pub(super) fn find(&self, name: &str) -> Option<u8> {
        self.by_length
            .get(name.len())?
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, position)| *position)
    }
}

/// The fields of one object: a topic's payload, or an item of a list.
#[derive(Debug)]
pub(super) struct ObjectLayout {
    pub(super) fields: Vec<FieldLayout>,
    names: NameIndex,
}

#[derive(Debug)]
pub(super) struct FieldLayout {
    pub(super) field: &'static Field,
    /// Position of its column among those of the object; that of an enum has `<column>_raw` behind it.
    pub(super) column: usize,
    /// Layout of the items if the field is a list of objects.
    pub(super) items: Option<ObjectLayout>,
}

impl ObjectLayout {
    fn new(fields: impl Iterator<Item = &'static Field> + Clone) -> Self {
        let mut columns = 0;
        let mut next_column = |field: &Field| {
            let column = columns;
            columns += if field.has_raw_column() { 2 } else { 1 };
            column
        };
        ObjectLayout {
            names: NameIndex::new(fields.clone().map(|field| field.name)),
            fields: fields
                .map(|field| FieldLayout {
                    field,
                    column: next_column(field),
                    items: match field.kind {
                        FieldKind::List(items) => Some(ObjectLayout::new(items.iter())),
                        _ => None,
                    },
                })
                .collect(),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<u8> {
        self.names.find(name)
    }
}

/// A field as an event type uses it, by position.
#[derive(Debug)]
pub(super) struct UseLayout {
    pub(super) field: u8,
    pub(super) required: bool,
    pub(super) not_empty: bool,
    pub(super) items: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct TypeLayout {
    pub(super) event_type: &'static EventType,
    /// In the order of the table, the key first.
    pub(super) uses: Vec<UseLayout>,
    /// Envelope and listed fields.
    pub(super) mask: u128,
    pub(super) key: Option<u8>,
}

/// Whom an event is about, within whose history a correction finds it (K23): the first of these fields that it has. Stored
/// state names them by position: a further one goes to the end, or the layout of seals rises.
pub const SCOPE_FIELDS: [&str; 4] = ["customer_id", "sku_id", "staff_id", "unit_id"];

/// Everything the decoder knows about a topic's records.
#[derive(Debug)]
pub(super) struct TopicLayout {
    pub(super) object: ObjectLayout,
    types: Vec<TypeLayout>,
    type_names: NameIndex,
    /// Fields of K23's scope, in the order in which they are tried.
    pub(super) scope: Vec<u8>,
}

/// Positions of envelope fields, which come first in every topic. A test compares them with the table.
pub(super) mod position {
    pub(crate) const EVENT_ID: u8 = 0;
    pub(crate) const EVENT_TYPE: u8 = 1;
    pub(crate) const SCHEMA_VERSION: u8 = 2;
    pub(crate) const OCCURRED_AT: u8 = 3;
    pub(crate) const RECORDED_AT: u8 = 4;
    pub(crate) const SOURCE: u8 = 5;
    pub(crate) const ACTOR_ROLE: u8 = 7;
    pub(crate) const CORRECTS: u8 = 9;
}

impl TopicLayout {
    pub(super) fn of(topic: Topic) -> &'static TopicLayout {
        static LAYOUTS: LazyLock<[TopicLayout; 4]> =
            LazyLock::new(|| Topic::ALL.map(TopicLayout::new));
        &LAYOUTS[topic.index()]
    }

    fn new(topic: Topic) -> Self {
        let object = ObjectLayout::new(fields(topic));
        let types: Vec<TypeLayout> = types(topic)
            .iter()
            .map(|event_type| TypeLayout::new(event_type, &object))
            .collect();
        TopicLayout {
            type_names: NameIndex::new(types.iter().map(|layout| layout.event_type.name)),
            types,
            scope: SCOPE_FIELDS
                .iter()
                .filter_map(|name| object.find(name))
                .collect(),
            object,
        }
    }

    pub(super) fn event_type(&self, name: &str) -> Option<&TypeLayout> {
        Some(&self.types[usize::from(self.type_names.find(name)?)])
    }
}

impl TypeLayout {
    fn new(event_type: &'static EventType, object: &ObjectLayout) -> Self {
        let key = event_type.key.field().and_then(|name| object.find(name));
        let key_use = key.map(|field| UseLayout {
            field,
            required: true,
            not_empty: false,
            items: Vec::new(),
        });
        let listed = event_type
            .fields
            .iter()
            .filter_map(|field_use| UseLayout::new(field_use, object));
        let uses: Vec<UseLayout> = key_use.into_iter().chain(listed).collect();
        let envelope = (1u128 << envelope::FIELDS.len()) - 1;
        TypeLayout {
            event_type,
            mask: uses
                .iter()
                .fold(envelope, |mask, one| mask | 1 << one.field),
            uses,
            key,
        }
    }
}

impl UseLayout {
    /// `None` if the topic has no such field; a test of the tables rules that out.
    fn new(field_use: &FieldUse, object: &ObjectLayout) -> Option<Self> {
        let field = object.find(field_use.field)?;
        let items = object.fields[usize::from(field)].items.as_ref();
        Some(UseLayout {
            field,
            required: field_use.required,
            not_empty: field_use.not_empty,
            items: field_use
                .items
                .iter()
                .filter_map(|name| items?.find(name))
                .collect(),
        })
    }
}

/// Every field of a topic, the envelope first: the order of columns.
pub(super) fn fields(topic: Topic) -> impl Iterator<Item = &'static Field> + Clone {
    envelope::FIELDS.iter().chain(own_fields(topic))
}

/// The fields of a topic beside the envelope.
pub(crate) fn own_fields(topic: Topic) -> &'static [Field] {
    match topic {
        Topic::Orders => orders::FIELDS,
        Topic::Visits => visits::FIELDS,
        Topic::Complaints => complaints::FIELDS,
        Topic::Prices => prices::FIELDS,
    }
}

fn types(topic: Topic) -> &'static [EventType] {
    match topic {
        Topic::Orders => orders::EVENT_TYPES,
        Topic::Visits => visits::EVENT_TYPES,
        Topic::Complaints => complaints::EVENT_TYPES,
        Topic::Prices => prices::EVENT_TYPES,
    }
}

/// Every event type of every topic, topic by topic.
pub fn event_types() -> &'static [EventType] {
    static ALL: LazyLock<Vec<EventType>> =
        LazyLock::new(|| Topic::ALL.into_iter().flat_map(types).copied().collect());
    &ALL
}

#[cfg(test)]
mod tests;
