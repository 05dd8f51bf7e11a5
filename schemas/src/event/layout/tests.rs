#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use super::*;
use crate::event::Key;

#[test]
fn positions_of_the_envelope_are_those_of_its_table() {
    let named = [
        (position::EVENT_ID, "event_id"),
        (position::EVENT_TYPE, "event_type"),
        (position::SCHEMA_VERSION, "schema_version"),
        (position::OCCURRED_AT, "occurred_at"),
        (position::RECORDED_AT, "recorded_at"),
        (position::SOURCE, "source"),
        (position::ACTOR_ROLE, "actor_role"),
        (position::CORRECTS, "corrects"),
    ];
    for (position, name) in named {
        assert_eq!(envelope::FIELDS[usize::from(position)].name, name);
    }
    let required: Vec<_> = envelope::FIELDS
        .iter()
        .take(5)
        .map(|field| field.name)
        .collect();
    assert_eq!(required, envelope::REQUIRED);
}

#[test]
fn every_use_names_a_field_of_its_topic_and_none_twice() {
    for event_type in event_types() {
        let object = &TopicLayout::of(event_type.topic).object;
        let mut used = HashSet::new();
        for field_use in event_type.fields {
            let position = object
                .find(field_use.field)
                .unwrap_or_else(|| panic!("{}: no field {}", event_type.name, field_use.field));
            assert!(
                used.insert(position),
                "{}: {} twice",
                event_type.name,
                field_use.field
            );
            let items = object.fields[usize::from(position)].items.as_ref();
            for item in field_use.items {
                assert!(
                    items.and_then(|items| items.find(item)).is_some(),
                    "{}: no field {}[].{item}",
                    event_type.name,
                    field_use.field
                );
            }
        }
        if let Some(key) = event_type.key.field() {
            assert!(object.find(key).is_some(), "{}: key {key}", event_type.name);
        }
    }
}

#[test]
fn every_field_is_used_and_fits_the_masks() {
    for topic in Topic::ALL {
        let names: Vec<_> = fields(topic).map(|field| field.name).collect();
        assert!(names.len() <= 128, "{topic:?} has {} fields", names.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        let columns: HashSet<_> = fields(topic).map(Field::column).collect();
        assert_eq!(columns.len(), names.len());
        let layout = TopicLayout::of(topic);
        let used = layout.types.iter().fold(0, |mask, one| mask | one.mask);
        for (name, position) in names.iter().zip(0..) {
            assert!(
                used & (1 << position) != 0,
                "{topic:?}: no event type uses {name}"
            );
        }
    }
}

#[test]
fn every_event_type_of_the_domain_is_known() {
    let count = |topic| {
        event_types()
            .iter()
            .filter(|one| one.topic == topic)
            .count()
    };
    assert_eq!(Topic::ALL.map(count), [18, 14, 28, 5]);
    let of_staff: Vec<_> = event_types()
        .iter()
        .filter(|one| one.key == Key::Staff)
        .map(|one| one.name)
        .collect();
    assert_eq!(
        of_staff,
        [
            "visit.plan_submitted",
            "visit.day_signed_in",
            "visit.appraisal_recorded"
        ]
    );
    let of_unit = event_types().iter().filter(|one| one.key == Key::Unit);
    assert_eq!(
        of_unit.map(|one| one.name).collect::<Vec<_>>(),
        ["day.closed"]
    );
}
